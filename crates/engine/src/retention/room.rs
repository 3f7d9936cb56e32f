//! The space's part of a run: old parts of the archive go, the whole is kept below its limit, and
//! what is free is given back to the machine.

use std::sync::Arc;

use evoke_model::{EventId, Rejection, SegmentId};
use evoke_ports::store::{Change, Receipt, SegmentInfo, Size, Write};

use super::pace::{
    FREE_BYTES_MIN, FREE_SHARE, SEGMENT_BYTES_MAX, SEGMENTS_MAX, SHRINK_BYTES, SHRINK_TIME,
};
use super::run::{Run, failed};

impl Run<'_> {
    /// Removes the segments whose time is over.
    pub(super) async fn remove_past_segments(&mut self) -> Result<(), Rejection> {
        let (policy, now) = (self.policy, self.now);
        let shelf = &self.inner.retention.shelf;
        let past = shelf.find(|info| policy.is_past(info, now)).await.map_err(failed)?;
        self.remove_segments(past).await
    }

    /// Keeps what is used below the limit: the oldest parts of the archive go first. When there are
    /// none the record moves to the archive early, which loses nothing; when that was not enough,
    /// what came there goes as well, the oldest first.
    pub(super) async fn keep_below_limit(&mut self) -> Result<(), Rejection> {
        if self.excess().await? == 0 {
            return Ok(());
        }
        self.remove_oldest_segments().await?;
        let mut after = EventId::from_u64(0);
        while self.excess().await? > 0 {
            match self.squeeze_next(after).await? {
                Some(last) => after = last,
                None => break,
            }
        }
        self.remove_oldest_segments().await?;
        let excess = self.excess().await?;
        if excess > 0 {
            tracing::warn!(
                excess_bytes = excess,
                "The store is larger than its limit with what is open, definitions and dead letters"
            );
        }
        Ok(())
    }

    /// Gives free space back as long as there is much of it.
    pub(super) async fn give_back(&mut self) -> Result<(), Rejection> {
        let mut size = self.size().await?;
        while is_loose(size) {
            let change = Change::Shrink { bytes: SHRINK_BYTES, within: SHRINK_TIME };
            let receipt = self.pace.write(Write::from(change)).await?;
            let after = self.size().await?;
            let freed = size.free.saturating_sub(after.free);
            self.done.freed_bytes += freed;
            if receipt != Receipt::Changed(true) || freed == 0 {
                break;
            }
            size = after;
        }
        if self.done.freed_bytes > 0 {
            self.pace.write(Write::from(Change::Shrink { bytes: 0, within: SHRINK_TIME })).await?;
        }
        Ok(())
    }

    async fn size(&self) -> Result<Size, Rejection> {
        self.inner.store.archive().size().await.map_err(failed)
    }

    /// How many bytes more are used than may be.
    async fn excess(&self) -> Result<u64, Rejection> {
        let Some(max) = self.policy.max_bytes else { return Ok(0) };
        Ok(self.size().await?.used.saturating_sub(max.as_u64()))
    }

    async fn remove_oldest_segments(&mut self) -> Result<(), Rejection> {
        loop {
            let excess = self.excess().await?;
            if excess == 0 {
                return Ok(());
            }
            let mut all = self.inner.retention.shelf.find(|_| true).await.map_err(failed)?;
            if all.is_empty() {
                return Ok(());
            }
            all.sort_unstable_by_key(|info| info.last);
            let mut bytes = 0;
            let enough = all.iter().position(|info| {
                bytes += info.bytes;
                bytes >= excess
            });
            all.truncate(enough.map_or(all.len(), |place| place + 1));
            self.remove_segments(all).await?;
        }
    }

    /// Removes segments, a few in a commit.
    async fn remove_segments(&mut self, segments: Vec<Arc<SegmentInfo>>) -> Result<(), Rejection> {
        let mut rest = segments.as_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at(share(rest));
            rest = others;
            let ids: Vec<SegmentId> = some.iter().map(|info| info.id).collect();
            let change = Change::RemoveSegments(ids.clone());
            self.pace.write(Write::from(change)).await?;
            self.inner.retention.shelf.remove(&ids);
            self.done.removed_segments += ids.len() as u64;
        }
        Ok(())
    }
}

/// How many of the first segments go in one commit.
fn share(segments: &[Arc<SegmentInfo>]) -> usize {
    let mut bytes = 0;
    let fits = |info: &&Arc<SegmentInfo>| {
        bytes += info.bytes;
        bytes <= SEGMENT_BYTES_MAX
    };
    segments.iter().take(SEGMENTS_MAX).take_while(fits).count().max(1)
}

/// Whether so much is free that giving it back is worth the work.
fn is_loose(size: Size) -> bool {
    size.free > FREE_BYTES_MIN && size.free.saturating_mul(FREE_SHARE) > size.used + size.free
}

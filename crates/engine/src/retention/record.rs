//! The record's part of a run: a piece of it is read, judged, packed and written at a time.

use std::sync::Arc;
use std::time::Instant;

use evoke_model::{EventId, Execution, Rejection, SegmentId, Timestamp};
use evoke_ports::store::{Ripe, Whole};

use super::judge::{Fate, Judge, Reason, Verdict};
use super::load::{self, Load};
use super::run::{Run, failed};
use super::segment::Archived;

impl Run<'_> {
    /// Judges the next events of the record behind `after`, as old as the policy says. Gives the
    /// last one, or `None` at the end.
    pub(super) async fn judge_next(
        &mut self,
        after: EventId,
        before: Timestamp,
    ) -> Result<Option<EventId>, Rejection> {
        self.next(after, before, Reason::Age).await
    }

    /// Takes the next events of the record behind `after` out of it, however young, as far as they
    /// are closed. Gives the last one, or `None` at the end.
    pub(super) async fn squeeze_next(
        &mut self,
        after: EventId,
    ) -> Result<Option<EventId>, Rejection> {
        self.next(after, self.now, Reason::Space).await
    }

    async fn next(
        &mut self,
        after: EventId,
        before: Timestamp,
        reason: Reason,
    ) -> Result<Option<EventId>, Rejection> {
        self.pace.go_on()?;
        let started = Instant::now();
        let ripe = Ripe { after, before, limit: self.pace.events() };
        let wholes = self.inner.store.archive().ripe(ripe).await.map_err(failed)?;
        let Some(last) = wholes.last().map(|whole| whole.id) else { return Ok(None) };
        self.pace.learn(wholes.len(), wholes.iter().map(load::bytes_of).sum());
        let judge = Judge { policy: self.policy, reason, now: self.now };
        let mut load = Load::default();
        let mut is_written = false;
        for whole in wholes {
            let verdict = judge.judge(&whole, &self.functions(&whole));
            self.add(&mut load, whole, verdict).await?;
            if load.is_full() {
                is_written = true;
                self.unload(std::mem::take(&mut load)).await?;
            }
        }
        if !load.is_empty() {
            is_written = true;
            self.unload(load).await?;
        }
        // Reading alone is work for the disk as well; writing has rested already.
        if !is_written {
            self.pace.rest(started.elapsed()).await;
        }
        Ok(Some(last))
    }

    /// The function of each execution, where a rule asks for it.
    fn functions(&self, whole: &Whole) -> Vec<Option<Arc<str>>> {
        if self.policy.rules.iter().all(|rule| rule.function.is_none()) {
            return vec![None; whole.executions.len()];
        }
        whole.executions.iter().map(|(execution, _)| self.function(execution)).collect()
    }

    fn function(&self, execution: &Execution) -> Option<Arc<str>> {
        if let Some(redirect) = &execution.redirect {
            return Some((&*redirect.function).into());
        }
        let catalog = self.inner.catalog.load();
        catalog.triggers.get(&execution.id.trigger)?.target.function_name().map(Into::into)
    }

    /// Adds what leaves the record to the load.
    async fn add(&self, load: &mut Load, whole: Whole, verdict: Verdict) -> Result<(), Rejection> {
        if let Some(event) = whole.event {
            match verdict.event {
                Fate::Stay => {}
                Fate::Remove => load.remove_event(event.id),
                Fate::Archive(bin) => load.archive_event(bin, event),
            }
        }
        for ((execution, attempts), fate) in whole.executions.into_iter().zip(verdict.executions) {
            match fate {
                Fate::Stay => {}
                Fate::Remove => load.remove_execution(&execution, attempts.len()),
                Fate::Archive(bin) => {
                    let edited = if execution.is_edited {
                        let executions = self.inner.store.executions();
                        executions.edited(execution.id).await.map_err(failed)?
                    } else {
                        None
                    };
                    load.archive_execution(bin, Archived { execution, attempts, edited });
                }
            }
        }
        Ok(())
    }

    /// Packs a load and writes it.
    async fn unload(&mut self, mut load: Load) -> Result<(), Rejection> {
        let (counts, dead) = (load.counts(), load.take_dead());
        let (inner, now) = (self.inner, self.now);
        let id = || SegmentId::from_u64(inner.ids.next(now));
        let packed = load.pack((self.policy, inner.settings.committer), id).await?;
        let shelf = &inner.retention.shelf;
        shelf.add(&packed.infos).await.map_err(failed)?;
        if let Err(rejection) = self.pace.write(packed.write).await {
            let ids: Vec<_> = packed.infos.iter().map(|info| info.id).collect();
            shelf.remove(&ids);
            return Err(rejection);
        }
        dead.into_iter().for_each(|trigger| inner.dead_letters.add(trigger, -1));
        self.done.archived_events += counts.archived_events;
        self.done.archived_executions += counts.archived_executions;
        self.done.removed_events += counts.removed_events;
        self.done.removed_executions += counts.removed_executions;
        Ok(())
    }
}

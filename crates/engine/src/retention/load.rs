//! What leaves the record in one commit: segments, one for each class, and what is removed without
//! a trace. All of it is one write, so that an event and its executions move together.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_model::{
    Attempt, Code, Event, EventId, Execution, Outcome, Rejection, SegmentId, TriggerId,
};
use evoke_ports::store::{Change, Holds, Removal, Segment, SegmentInfo, Whole, Write};

use super::judge::Bin;
use super::pace::{self, BYTES_MAX, EVENTS_MAX, ROWS_MAX};
use super::policy::RetentionPolicy;
use super::segment::{Archived, Contents, Unreadable};
use crate::committer::Chain;
use crate::settings::CommitterRuns;

/// What an item takes beside its payloads, roughly.
const ITEM_BYTES: usize = 300;

/// What leaves the record.
#[derive(Default)]
pub(super) struct Load {
    events: BTreeMap<Bin, Vec<Arc<Event>>>,
    executions: BTreeMap<Bin, Vec<Arc<Archived>>>,
    removal: Removal,
    /// The triggers of the dead letters that are removed.
    dead: Vec<TriggerId>,
    moved_events: usize,
    rows: usize,
    bytes: usize,
}

/// How much of what.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) archived_events: u64,
    pub(super) archived_executions: u64,
    pub(super) removed_events: u64,
    pub(super) removed_executions: u64,
}

/// A load ready to be written.
pub(super) struct Packed {
    pub(super) infos: Vec<SegmentInfo>,
    pub(super) write: Write,
}

impl Load {
    pub(super) fn remove_event(&mut self, id: EventId) {
        self.removal.events.push(id);
        self.moved_events += 1;
        self.rows += 1;
    }

    pub(super) fn remove_execution(&mut self, execution: &Execution, attempts: usize) {
        self.removal.executions.push(execution.id);
        self.dead.extend(execution.is_dead_letter().then_some(execution.id.trigger));
        self.rows += 1 + attempts;
    }

    pub(super) fn archive_event(&mut self, bin: Bin, event: Arc<Event>) {
        self.moved_events += 1;
        self.rows += 1;
        self.bytes += event_bytes(&event);
        self.events.entry(bin).or_default().push(event);
    }

    pub(super) fn archive_execution(&mut self, bin: Bin, archived: Archived) {
        self.rows += 1 + archived.attempts.len();
        self.bytes += attempts_bytes(&archived.attempts);
        self.bytes += archived.edited.as_ref().map_or(0, |data| data.len());
        self.executions.entry(bin).or_default().push(Arc::new(archived));
    }

    /// Whether it is as large as one commit may be.
    pub(super) fn is_full(&self) -> bool {
        self.moved_events >= EVENTS_MAX as usize || self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The triggers of the dead letters that are removed, one for each.
    pub(super) fn take_dead(&mut self) -> Vec<TriggerId> {
        std::mem::take(&mut self.dead)
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            archived_events: self.events.values().map(|events| events.len() as u64).sum(),
            archived_executions: self.executions.values().map(|some| some.len() as u64).sum(),
            removed_events: self.removal.events.len() as u64,
            removed_executions: self.removal.executions.len() as u64,
        }
    }

    /// Makes the segments, on a thread that may take its time, and the one write.
    pub(super) async fn pack(
        self,
        (policy, runs): (&RetentionPolicy, CommitterRuns),
        mut id: impl FnMut() -> SegmentId,
    ) -> Result<Packed, Rejection> {
        let events = self.events.into_iter().map(|(bin, some)| (bin, Contents::Events(some)));
        let executions = self.executions.into_iter();
        let executions = executions.map(|(bin, some)| (bin, Contents::Executions(some)));
        let parts = events.chain(executions);
        let parts: Vec<Part> = parts
            .map(|(bin, contents)| Part {
                id: id(),
                class: policy.class(bin.rule, bin.settled),
                contents,
            })
            .collect();
        let pack = move || parts.into_iter().map(Part::pack).collect::<Result<Vec<_>, _>>();
        let segments = pace::aside(runs, pack)
            .await
            .map_err(|panic| failed(&panic))?
            .map_err(|unreadable| failed(&unreadable))?;
        let infos = segments.iter().map(|segment| segment.info.clone()).collect();
        let archive = |segment| Write::from(Change::Archive(segment));
        let mut writes: Vec<Write> = segments.into_iter().map(archive).collect();
        if self.removal != Removal::default() {
            writes.push(Write::from(Change::Remove(self.removal)));
        }
        let write = match writes.pop() {
            Some(only) if writes.is_empty() => only,
            last => {
                writes.extend(last);
                Write::All(writes)
            }
        };
        Ok(Packed { infos, write })
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Rejection {
    tracing::error!(error = %Chain(error), "A segment of the archive could not be made");
    Rejection::new(Code::Internal, format!("a segment of the archive could not be made: {error}"))
}

/// A segment to be.
struct Part {
    id: SegmentId,
    class: Box<str>,
    contents: Contents,
}

impl Part {
    fn pack(self) -> Result<Segment, Unreadable> {
        let content = self.contents.encode()?;
        let mut removes = Removal::default();
        let holds = match &self.contents {
            Contents::Events(events) => {
                removes.events = events.iter().map(|event| event.id).collect();
                Holds::Events
            }
            Contents::Executions(executions) => {
                removes.executions = executions.iter().map(|one| one.execution.id).collect();
                Holds::Executions
            }
        };
        let about = removes.executions.iter().map(|id| id.event).chain(removes.events.clone());
        let (first, last) = (about.clone().min(), about.clone().max());
        let info = SegmentInfo {
            id: self.id,
            holds,
            class: self.class,
            first: first.unwrap_or(EventId::from_u64(0)),
            last: last.unwrap_or(EventId::from_u64(0)),
            items: about.count() as u32,
            bytes: content.len() as u64,
        };
        Ok(Segment { info, content, removes })
    }
}

fn event_bytes(event: &Event) -> usize {
    ITEM_BYTES + event.data.len()
}

fn attempts_bytes(attempts: &[Attempt]) -> usize {
    let each = |attempt: &Attempt| {
        let logs: usize = attempt.logs.iter().map(|line| line.message.len()).sum();
        let outcome = match &attempt.outcome {
            Outcome::Success(data) => data.len(),
            Outcome::Failure(failure) | Outcome::TimedOut(failure) => {
                failure.message.len() + failure.stack.as_ref().map_or(0, String::len)
            }
            Outcome::Cancelled => 0,
        };
        ITEM_BYTES + logs + outcome
    };
    ITEM_BYTES + attempts.iter().map(each).sum::<usize>()
}

/// What a whole takes in memory, roughly.
pub(super) fn bytes_of(whole: &Whole) -> usize {
    let event = whole.event.as_deref().map_or(0, event_bytes);
    event + whole.executions.iter().map(|(_, attempts)| attempts_bytes(attempts)).sum::<usize>()
}

//! The calls under way. Where a call has one execution and is never cancelled for another it is
//! enough to count; else each is kept until the last of its executions has ended.

use ahash::AHashMap;
use evoke_model::{EventId, ExecutionId};

use super::super::{Admitted, Entry};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallId(u64);

#[derive(Debug)]
struct Call {
    /// Those that have not ended; at least one.
    left: Vec<ExecutionId>,
    is_cancelling: bool,
}

/// What ended with an execution.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Others of its call go on.
    Part,
    /// The call.
    Call(Option<CallId>, Way),
}

/// Whether a call was being cancelled when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Cancelled,
    ByItself,
}

#[derive(Debug)]
pub(super) struct Calls {
    running: usize,
    keeps: Keeps,
    next: u64,
    calls: AHashMap<CallId, Call>,
    of: AHashMap<EventId, CallId>,
}

/// Which calls are kept, not only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Those with several executions.
    Shared,
    /// All.
    All,
}

impl Calls {
    pub(super) fn new(keeps: Keeps) -> Self {
        Self { running: 0, keeps, next: 0, calls: AHashMap::new(), of: AHashMap::new() }
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// A call begins. It has a number where it is kept.
    pub(super) fn begin<T>(&mut self, call: &Admitted<T>) -> Option<CallId> {
        self.running += 1;
        if call.more.is_empty() && self.keeps == Keeps::Shared {
            return None;
        }
        let id = CallId(self.next);
        self.next += 1;
        let left: Vec<_> = call.entries().map(|entry: &Entry<T>| entry.id).collect();
        self.of.extend(left.iter().map(|execution| (execution.event, id)));
        self.calls.insert(id, Call { left, is_cancelling: false });
        Some(id)
    }

    /// One of its executions has ended.
    pub(super) fn end(&mut self, execution: ExecutionId) -> Ended {
        let known = if self.of.is_empty() { None } else { self.of.remove(&execution.event) };
        let id = match (known, self.keeps) {
            (Some(id), _) => id,
            (None, Keeps::Shared) => {
                self.running = self.running.saturating_sub(1);
                return Ended::Call(None, Way::ByItself);
            }
            // It did not begin here.
            (None, Keeps::All) => return Ended::Part,
        };
        let Some(call) = self.calls.get_mut(&id) else { return Ended::Part };
        call.left.retain(|left| *left != execution);
        if !call.left.is_empty() {
            return Ended::Part;
        }
        let way = if call.is_cancelling { Way::Cancelled } else { Way::ByItself };
        self.calls.remove(&id);
        self.running = self.running.saturating_sub(1);
        Ended::Call(Some(id), way)
    }

    /// The newest execution of a call, unless it is being cancelled. One that came back for a retry
    /// while others of its call go on does not count any more: it competes with them.
    pub(super) fn newest(&self, id: CallId) -> Option<ExecutionId> {
        let call = self.calls.get(&id).filter(|call| !call.is_cancelling)?;
        call.left.iter().copied().max()
    }

    /// From now on the call is being cancelled. Gives those of its executions that have not ended.
    pub(super) fn cancel(&mut self, id: CallId) -> &[ExecutionId] {
        match self.calls.get_mut(&id) {
            Some(call) => {
                call.is_cancelling = true;
                &call.left
            }
            None => &[],
        }
    }
}

#[cfg(test)]
impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.of.is_empty()
    }
}

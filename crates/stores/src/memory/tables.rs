//! What the store keeps, and how one row changes. Called by the writer under the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, AuditId, Data, Event, EventId, Execution, ExecutionId, Failure, FunctionId, KeyId,
    Operation, OperationId, Redirect, SegmentId, State, Timestamp, Trigger, TriggerId,
};
use evoke_ports::store::{AuditEntry, Cursor, Finish, Key, NewExecution, Next, Segment};

use super::collections::Collections;
use crate::page::ExecutionPlace;

/// An execution and its attempts before the last.
pub(super) struct Row {
    pub execution: Execution,
    pub earlier: Vec<Attempt>,
    /// The data it gets instead of its event's.
    pub edited: Option<Data>,
}

/// Everything.
#[derive(Default)]
pub(super) struct Tables {
    pub events: BTreeMap<EventId, Arc<Event>>,
    pub executions: BTreeMap<ExecutionPlace, Row>,
    /// What waits, in the order in which a dispatcher wants it.
    pub open: BTreeSet<(TriggerId, Timestamp, EventId)>,
    /// What waits in the queue of an order key.
    pub open_by_key: BTreeSet<(TriggerId, Box<str>, EventId)>,
    pub once: BTreeMap<Box<str>, (EventId, Timestamp)>,
    pub functions: BTreeMap<FunctionId, FunctionRecord>,
    pub triggers: BTreeMap<TriggerId, Arc<Trigger>>,
    pub keys: BTreeMap<KeyId, Key>,
    pub audit: BTreeMap<AuditId, AuditEntry>,
    pub operations: BTreeMap<OperationId, Operation>,
    pub cursors: BTreeMap<TriggerId, Cursor>,
    /// By owner and key, until when it counts.
    pub spent: BTreeMap<(Box<str>, Box<str>), Timestamp>,
    /// Without what they removed.
    pub segments: BTreeMap<SegmentId, Segment>,
    pub collections: Collections,
}

/// Whether a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    Yes,
    No,
}

impl From<bool> for Changed {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl Tables {
    /// Writes an execution, as skipped where that was decided; one that is there stays as it is.
    pub fn insert(&mut self, new: &NewExecution, done: Option<&(State, Attempt)>) -> Changed {
        let place = ExecutionPlace::of(new.id);
        if self.executions.contains_key(&place) {
            return Changed::No;
        }
        let (state, last) = match done {
            Some((state, attempt)) => (*state, Some(attempt.clone())),
            None => (State::Pending, None),
        };
        let mut execution = Execution {
            id: new.id,
            state,
            due: new.due,
            attempts: last.as_ref().map_or(0, |attempt| attempt.number),
            order_key: new.order_key.clone(),
            concurrency_key: new.concurrency_key.clone(),
            last,
            is_test_run: new.is_test_run,
            is_replay: new.is_replay,
            cause: None,
            redirect: new.redirect.as_deref().cloned(),
            is_edited: false,
        };
        put_off(&mut execution, new.due);
        self.index(&execution);
        self.executions.insert(place, Row { execution, earlier: Vec::new(), edited: None });
        Changed::Yes
    }

    /// Ends an attempt of an execution that is not final.
    pub fn finish(&mut self, finish: &Finish) -> Changed {
        self.alter(finish.id, |row| {
            if row.execution.state.is_final() {
                return Changed::No;
            }
            if let Some(attempt) = &finish.attempt {
                row.end(attempt.clone());
            }
            match finish.next {
                Next::Done(state) => {
                    row.execution.state = state;
                    row.execution.cause = finish.cause;
                }
                Next::Retry { due } => {
                    row.execution.state = State::Pending;
                    put_off(&mut row.execution, due);
                }
            }
            Changed::Yes
        })
    }

    /// Opens a final execution again, unless its event is gone.
    pub fn reopen(
        &mut self,
        id: ExecutionId,
        due: Timestamp,
        redirect: Option<&Redirect>,
    ) -> Changed {
        if !self.events.contains_key(&id.event) {
            return Changed::No;
        }
        self.alter(id, |row| {
            if !row.execution.state.is_final() {
                return Changed::No;
            }
            row.earlier.extend(row.execution.last.take());
            let execution = &mut row.execution;
            execution.state = State::Pending;
            execution.attempts = 0;
            execution.cause = None;
            execution.redirect = redirect.cloned().or_else(|| execution.redirect.take());
            put_off(execution, due);
            Changed::Yes
        })
    }

    /// Gives a final execution other data.
    pub fn edit(&mut self, id: ExecutionId, data: &Data) -> Changed {
        self.alter(id, |row| {
            if !row.execution.state.is_final() {
                return Changed::No;
            }
            row.execution.is_edited = true;
            row.edited = Some(data.clone());
            Changed::Yes
        })
    }

    /// Takes a dead letter off the list.
    pub fn discard(&mut self, id: ExecutionId) -> Changed {
        self.alter(id, |row| row.execution.cause.take().is_some().into())
    }

    /// Ends an execution that is not final, with a reason.
    pub fn abandon(&mut self, id: ExecutionId, at: Timestamp, why: &Failure) -> Changed {
        self.alter(id, |row| {
            if row.execution.state.is_final() {
                return Changed::No;
            }
            row.end(Attempt::not_made(row.execution.attempts, at, why.clone()));
            row.execution.state = State::Cancelled;
            Changed::Yes
        })
    }

    fn alter(&mut self, id: ExecutionId, change: impl FnOnce(&mut Row) -> Changed) -> Changed {
        let place = ExecutionPlace::of(id);
        // Taken out while it is changed, because the indexes are changed with it.
        let Some(mut row) = self.executions.remove(&place) else {
            return Changed::No;
        };
        self.unindex(&row.execution);
        let changed = change(&mut row);
        self.index(&row.execution);
        self.executions.insert(place, row);
        changed
    }

    fn index(&mut self, execution: &Execution) {
        if execution.state.is_final() {
            return;
        }
        let ExecutionId { event, trigger } = execution.id;
        self.open.insert((trigger, queued(execution), event));
        if let Some(key) = &execution.order_key {
            self.open_by_key.insert((trigger, key.clone(), event));
        }
    }

    fn unindex(&mut self, execution: &Execution) {
        let ExecutionId { event, trigger } = execution.id;
        self.open.remove(&(trigger, queued(execution), event));
        if let Some(key) = &execution.order_key {
            self.open_by_key.remove(&(trigger, key.clone(), event));
        }
    }
}

/// Where an execution stands in the queue of its trigger: with an order key it keeps the place of
/// its event, whenever it is due.
pub(super) fn queued(execution: &Execution) -> Timestamp {
    match execution.order_key {
        Some(_) => execution.id.event.made_at(),
        None => execution.due,
    }
}

/// Sets when an execution is due. One with an order key is not due before its event came.
fn put_off(execution: &mut Execution, due: Timestamp) {
    execution.due = match execution.order_key {
        Some(_) => due.max(execution.id.event.made_at()),
        None => due,
    };
}

impl Row {
    fn end(&mut self, attempt: Attempt) {
        self.execution.attempts = attempt.number;
        self.earlier.extend(self.execution.last.replace(attempt));
    }

    /// All attempts, oldest first.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.earlier.iter().chain(&self.execution.last)
    }
}

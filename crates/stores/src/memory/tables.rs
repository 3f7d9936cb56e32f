//! What the store keeps, and how one row changes. Called by the writer under the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use evoke_model::function::FunctionRecord;
use evoke_model::{
    Attempt, Event, EventId, Execution, ExecutionId, Failure, FunctionId, KeyId, State, Timestamp,
    Trigger, TriggerId,
};
use evoke_ports::store::{Change, Finish, Key, NewExecution, Next};

use crate::attempt;
use crate::page::ExecutionPlace;

/// An execution and its attempts before the last.
pub(super) struct Row {
    pub execution: Execution,
    pub earlier: Vec<Attempt>,
}

/// Everything.
#[derive(Default)]
pub(super) struct Tables {
    pub events: BTreeMap<EventId, Arc<Event>>,
    pub executions: BTreeMap<ExecutionPlace, Row>,
    /// What waits, in the order in which a dispatcher wants it.
    pub open: BTreeSet<(TriggerId, Timestamp, EventId)>,
    pub once: BTreeMap<Box<str>, (EventId, Timestamp)>,
    pub functions: BTreeMap<FunctionId, FunctionRecord>,
    pub triggers: BTreeMap<TriggerId, Arc<Trigger>>,
    pub keys: BTreeMap<KeyId, Key>,
}

/// Whether a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    Yes,
    No,
}

impl Tables {
    /// Writes an execution; one that is there stays as it is.
    pub fn insert(&mut self, new: &NewExecution) {
        let place = ExecutionPlace::of(new.id);
        if self.executions.contains_key(&place) {
            return;
        }
        let (state, last) = match new.done.as_deref() {
            Some((state, attempt)) => (*state, Some(attempt.clone())),
            None => (State::Pending, None),
        };
        let execution = Execution {
            id: new.id,
            state,
            due: new.due,
            attempts: last.as_ref().map_or(0, |attempt| attempt.number),
            order_key: new.order_key.clone(),
            concurrency_key: new.concurrency_key.clone(),
            last,
            is_test_run: new.is_test_run,
        };
        index(&mut self.open, &execution);
        self.executions.insert(place, Row { execution, earlier: Vec::new() });
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
                Next::Done(state) => row.execution.state = state,
                Next::Retry { due } => {
                    row.execution.state = State::Pending;
                    row.execution.due = due;
                }
            }
            Changed::Yes
        })
    }

    /// Applies a change.
    pub fn change(&mut self, change: &Change) -> Changed {
        match change {
            Change::Function(function) => {
                self.functions.insert(function.id, function.clone());
                Changed::Yes
            }
            Change::Trigger(trigger) => {
                self.triggers.insert(trigger.id, Arc::clone(trigger));
                Changed::Yes
            }
            Change::Key(key) => {
                self.keys.insert(key.id, key.clone());
                Changed::Yes
            }
            Change::RemoveKey(id) => {
                if self.keys.remove(id).is_some() {
                    Changed::Yes
                } else {
                    Changed::No
                }
            }
            Change::Reopen { id, due } => self.reopen(*id, *due),
            Change::Abandon { id, at, why } => self.abandon(*id, *at, why),
        }
    }

    fn reopen(&mut self, id: ExecutionId, due: Timestamp) -> Changed {
        self.alter(id, |row| {
            if !row.execution.state.is_final() {
                return Changed::No;
            }
            row.earlier.extend(row.execution.last.take());
            row.execution.state = State::Pending;
            row.execution.due = due;
            row.execution.attempts = 0;
            Changed::Yes
        })
    }

    fn abandon(&mut self, id: ExecutionId, at: Timestamp, why: &Failure) -> Changed {
        self.alter(id, |row| {
            if row.execution.state.is_final() {
                return Changed::No;
            }
            row.end(attempt::abandoned(row.execution.attempts, at, why));
            row.execution.state = State::Cancelled;
            Changed::Yes
        })
    }

    fn alter(&mut self, id: ExecutionId, change: impl FnOnce(&mut Row) -> Changed) -> Changed {
        let Some(row) = self.executions.get_mut(&ExecutionPlace::of(id)) else {
            return Changed::No;
        };
        self.open.remove(&(id.trigger, row.execution.due, id.event));
        let changed = change(row);
        index(&mut self.open, &row.execution);
        changed
    }
}

impl Row {
    fn end(&mut self, attempt: Attempt) {
        self.execution.attempts = attempt.number;
        self.earlier.extend(self.execution.last.replace(attempt));
    }
}

fn index(open: &mut BTreeSet<(TriggerId, Timestamp, EventId)>, execution: &Execution) {
    if !execution.state.is_final() {
        open.insert((execution.id.trigger, execution.due, execution.id.event));
    }
}

//! What a redrive does next: it reopens dead letters, oldest first, and has the dispatcher look for
//! them.

use std::collections::VecDeque;

use evoke_model::{EventId, Execution, Operation, Rejection};
use evoke_ports::store::Change;

use super::BATCH_MAX;
use super::pace::Pace;
use super::request::Redrive;
use super::run::{Gathered, Sent, Task};
use crate::dead_letters::{Found, Selection, Walk};
use crate::record::unavailable;
use crate::start::Inner;

/// The work of one redrive.
pub(super) struct Job {
    request: Redrive,
    pace: Pace,
    walk: Walk<Selection>,
    /// Dead letters that fit and are next, each with how many were looked at up to it.
    ready: VecDeque<(Execution, u64)>,
    /// How many had been looked at before a restart.
    seen_before: u64,
    /// How many more may be taken.
    left: u64,
    is_read: bool,
}

impl Job {
    /// # Errors
    /// What is wrong with the request.
    pub(super) fn of(inner: &Inner, operation: &Operation) -> Result<Self, Rejection> {
        let request: Redrive = super::run::request(operation)?;
        let selection = Selection::of(inner, &request.filter)?;
        let after = operation.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        let left = request.limit.unwrap_or(u64::MAX).saturating_sub(operation.progress.taken);
        Ok(Self {
            pace: request.pace(),
            request,
            // Ids rise with time, whatever they are of.
            walk: Walk::from(selection, after, EventId::from_u64(operation.id.as_u64())),
            ready: VecDeque::new(),
            seen_before: operation.progress.seen,
            left,
            is_read: false,
        })
    }

    pub(super) fn stop_after(&self) -> Option<u32> {
        self.request.stop_after()
    }

    /// Looks for what is next. Dropped before its end it has done nothing.
    pub(super) async fn gather(&mut self, inner: &Inner) -> Result<Gathered, Rejection> {
        self.request.check(inner)?;
        let most = BATCH_MAX.min(usize::try_from(self.left).unwrap_or(BATCH_MAX));
        while !self.is_read && self.ready.len() < most {
            match self.walk.next(inner).await? {
                Found::One(found) => self.ready.push_back((found, self.walk.seen)),
                Found::Read => return Ok(Gathered::of(!self.ready.is_empty())),
                Found::End => self.is_read = true,
            }
        }
        Ok(if self.ready.is_empty() { Gathered::All } else { Gathered::Some })
    }

    /// How far it has looked without having found anything since.
    pub(super) fn looked(&self, operation: &mut Operation) {
        if self.ready.is_empty() {
            operation.progress.seen = self.seen_before + self.walk.seen;
            operation.cursor = self.walk.at.map(|id| id.to_string());
        }
    }

    /// Reopens as many as the pace allows, in one commit with the operation's new place.
    pub(super) async fn send(&mut self, task: &Task) -> Result<Sent, Rejection> {
        let inner = &task.inner;
        let granted = match self.pace.take(self.ready.len(), inner.clock.now()) {
            Ok(granted) => granted,
            Err(at) => return Ok(Sent::Wait(at)),
        };
        let _by_hand = inner.operations.by_hand().await;
        let taken = self.still_there(inner, granted).await?;
        let operation = task.operation(|operation| {
            if let Some((last, seen)) = self.ready.get(granted - 1) {
                operation.progress.seen = self.seen_before + seen;
                operation.cursor = Some(last.id.to_string());
            }
            operation.progress.taken += taken.len() as u64;
            operation.progress.executions += taken.len() as u64;
        });
        if !taken.is_empty() {
            let due = inner.clock.now();
            let redirect = || self.request.to.clone();
            let reopen =
                |found: &Execution| Change::Reopen { id: found.id, due, redirect: redirect() };
            let mut changes: Vec<_> = taken.iter().map(reopen).collect();
            changes.push(Change::Operation(operation.clone()));
            for found in &taken {
                task.watch(found.id, found.cause);
            }
            if let Err(rejection) = inner.reopen(&taken, changes).await {
                taken.iter().for_each(|found| inner.operations.unwatch(found.id));
                return Err(rejection);
            }
        }
        task.live.set(operation);
        self.left -= taken.len() as u64;
        self.ready.drain(..granted);
        Ok(Sent::Some)
    }

    /// Those of the next ones that are still dead letters that fit: they may have waited here for
    /// long. What belongs to a deleted trigger cannot run.
    async fn still_there(&self, inner: &Inner, most: usize) -> Result<Vec<Execution>, Rejection> {
        let mut there = Vec::with_capacity(most);
        for (found, _) in self.ready.iter().take(most) {
            let now = inner.store.executions().execution(found.id).await;
            let now = now.map_err(|error| unavailable(&error))?;
            let fits = |now: &Execution| self.walk.selection().takes(now) && inner.may_run(now);
            there.extend(now.filter(fits));
        }
        Ok(there)
    }
}

/// How many dead letters a redrive would reopen.
pub(super) async fn count(inner: &Inner, request: &Redrive) -> Result<u64, Rejection> {
    let selection = Selection::of(inner, &request.filter)?;
    let mut walk = Walk::from(&selection, None, inner.newest());
    let limit = request.limit.unwrap_or(u64::MAX);
    let mut count = 0;
    while count < limit {
        match walk.next(inner).await? {
            Found::One(found) => count += u64::from(inner.may_run(&found)),
            Found::Read => {}
            Found::End => break,
        }
    }
    Ok(count)
}

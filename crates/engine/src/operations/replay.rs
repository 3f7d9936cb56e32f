//! What a replay does next: it writes events of the log anew, oldest first, with the executions
//! that begin with them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use evoke_model::{
    Code, Event, EventId, Operation, OperationId, Redirect, Rejection, Trigger, TriggerId,
};
use evoke_ports::store::{Change, Ingest, OnceKey, Receipt, Write};

use super::BATCH_MAX;
use super::log::{Log, Wanted, again, is_direct};
use super::pace::Pace;
use super::request::{Replay, ReplayCount, ReplayTo};
use super::run::{Gathered, Sent, Task};
use crate::catalog::Snapshot;
use crate::dead_letters::Found;
use crate::dispatch::Planned;
use crate::feed::Notice;
use crate::ingest::Matched;
use crate::start::Inner;

/// The work of one replay.
pub(super) struct Job {
    operation: OperationId,
    request: Replay,
    pace: Pace,
    log: Log,
    /// Events that something begins with and that are next, each with how many were looked at up to
    /// it.
    ready: VecDeque<(Arc<Event>, u64)>,
    /// How many had been looked at before a restart.
    seen_before: u64,
    /// How many more may be taken.
    left: u64,
    is_read: bool,
}

impl Job {
    /// # Errors
    /// What is wrong with the request.
    pub(super) fn of(operation: &Operation) -> Result<Self, Rejection> {
        let request: Replay = super::run::request(operation)?;
        let after = operation.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
        // Ids rise with time, whatever they are of.
        let newest = EventId::from_u64(operation.id.as_u64());
        Ok(Self {
            operation: operation.id,
            pace: request.pace(),
            log: Log::from(Wanted::of(&request)?, after, newest),
            ready: VecDeque::new(),
            seen_before: operation.progress.seen,
            left: request.limit.unwrap_or(u64::MAX).saturating_sub(operation.progress.taken),
            is_read: false,
            request,
        })
    }

    /// Looks for what is next. Dropped before its end it has done nothing.
    pub(super) async fn gather(&mut self, inner: &Inner) -> Result<Gathered, Rejection> {
        self.request.check(inner)?;
        let most = BATCH_MAX.min(usize::try_from(self.left).unwrap_or(BATCH_MAX));
        while !self.is_read && self.ready.len() < most {
            match self.log.next(inner).await? {
                Found::One(event) => {
                    if !takers(inner, &self.request.to, &event).is_empty() {
                        self.ready.push_back((event, self.log.seen));
                    }
                }
                Found::Read => return Ok(Gathered::of(!self.ready.is_empty())),
                Found::End => self.is_read = true,
            }
        }
        Ok(if self.ready.is_empty() { Gathered::All } else { Gathered::Some })
    }

    /// How far it has looked without having found anything since.
    pub(super) fn looked(&self, operation: &mut Operation) {
        if self.ready.is_empty() {
            operation.progress.seen = self.seen_before + self.log.seen;
            operation.cursor = self.log.at.map(|id| id.to_string());
        }
    }

    /// Sends as many as the pace allows, in one commit with the operation's new place.
    pub(super) async fn send(&mut self, task: &Task) -> Result<Sent, Rejection> {
        let inner = &task.inner;
        let granted = match self.pace.take(self.ready.len(), inner.clock.now()) {
            Ok(granted) => granted,
            Err(at) => return Ok(Sent::Wait(at)),
        };
        let (ingest, planned) = self.plan(inner, granted)?;
        let operation = task.operation(|operation| {
            if let Some((last, seen)) = self.ready.get(granted - 1) {
                operation.progress.seen = self.seen_before + seen;
                operation.cursor = Some(last.id.to_string());
            }
            operation.progress.taken += granted as u64;
            operation.progress.executions += ingest.executions.len() as u64;
        });
        let events = ingest.events.clone();
        let ids: Vec<_> = planned.iter().map(|planned| planned.entry.id).collect();
        ids.iter().for_each(|id| task.watch(*id, None));
        let place = Write::from(Change::Operation(operation.clone()));
        let write = Write::All(vec![Write::Ingest(ingest), place]);
        match inner.committer.send(write, planned).await {
            Ok(receipt) => unwatch(inner, &receipt, &events, &ids),
            Err(rejection) => {
                ids.iter().for_each(|id| inner.operations.unwatch(*id));
                return Err(rejection);
            }
        }
        task.live.set(operation);
        self.left -= granted as u64;
        self.ready.drain(..granted);
        inner.metrics.accepted("replay", events.len() as u64);
        for event in events {
            inner.feed.tell(|| Notice::Event(event));
        }
        Ok(Sent::Some)
    }

    /// The next events as they are written, and what begins with them.
    fn plan(&self, inner: &Inner, count: usize) -> Result<(Ingest, Vec<Planned>), Rejection> {
        let now = inner.clock.now();
        let expires = now.plus(inner.settings.idempotency_window);
        let mut events = Vec::with_capacity(count);
        let mut once = Vec::with_capacity(count);
        for (place, (original, _)) in self.ready.iter().take(count).enumerate() {
            // Should the same place ever be gone through twice, nothing is sent twice.
            let key = format!("replay\0{}\0{}", self.operation, original.id).into();
            once.push(OnceKey { event: place, key, expires });
            events.push(Arc::new(again(original, inner.ids.event(now))));
        }
        let snapshot = inner.catalog.load();
        let (mut ingest, planned) = match &self.request.to {
            ReplayTo::Matching => inner.plan_events(events, once, &snapshot),
            ReplayTo::Trigger(id) => {
                let (mut ingest, mut planned) = inner.plan_events(events, once, &snapshot);
                ingest.executions.retain(|new| new.id.trigger == *id);
                planned.retain(|planned| planned.trigger.id == *id);
                (ingest, planned)
            }
            ReplayTo::Function(to) => {
                let trigger = invoke_trigger(&snapshot, to)?;
                addressed(events, once, &snapshot, (trigger, to))
            }
        };
        self.scope_keys(&mut ingest);
        Ok((ingest, planned))
    }

    /// What a trigger has taken under its key before does not count: it was asked for again. Within
    /// one replay the key counts as it always does.
    fn scope_keys(&self, ingest: &mut Ingest) {
        for once in ingest.executions.iter_mut().filter_map(|new| new.once.as_mut()) {
            once.key = format!("{}\0{}", once.key, self.operation).into();
        }
    }
}

/// What was written without beginning anything is not watched.
fn unwatch(
    inner: &Inner,
    receipt: &Receipt,
    events: &[Arc<Event>],
    ids: &[evoke_model::ExecutionId],
) {
    let Receipt::All(receipts) = receipt else { return };
    let Some(Receipt::Ingested { duplicates, skipped }) = receipts.first() else { return };
    skipped.iter().for_each(|id| inner.operations.unwatch(*id));
    for event in duplicates.iter().filter_map(|(place, _)| events.get(*place)) {
        let own = ids.iter().filter(|id| id.event == event.id);
        own.for_each(|id| inner.operations.unwatch(*id));
    }
}

fn invoke_trigger<'s>(
    snapshot: &'s Snapshot,
    to: &Redirect,
) -> Result<&'s Arc<Trigger>, Rejection> {
    snapshot.invoke.get(&*to.function).ok_or_else(|| {
        let message = format!("there is no function {:?}", to.function);
        Rejection::new(Code::FunctionNotFound, message)
    })
}

/// Events that go to one function, whatever its triggers want.
fn addressed(
    events: Vec<Arc<Event>>,
    once: Vec<OnceKey>,
    snapshot: &Snapshot,
    (trigger, to): (&Arc<Trigger>, &Redirect),
) -> (Ingest, Vec<Planned>) {
    let mut executions = Vec::with_capacity(events.len());
    let mut planned = Vec::with_capacity(events.len());
    for event in &events {
        let evoke_matching::Evaluated { keys, priority, .. } =
            snapshot.index.keys_for(trigger.id, event);
        let due = event.id.made_at();
        let matched = Matched { trigger: trigger.clone(), due, keys, priority };
        let mut new = matched.new_execution(event);
        // The trigger leads to the function already; only a version has to be told.
        new.redirect = to.version.map(|_| Box::new(to.clone()));
        planned.push(matched.planned(&new, event));
        executions.push(new);
    }
    (Ingest { events, executions, once }, planned)
}

/// The triggers that take an event of the log when it is sent again.
fn takers(inner: &Inner, to: &ReplayTo, original: &Arc<Event>) -> Vec<Arc<Trigger>> {
    let snapshot = inner.catalog.load();
    let wanted = |trigger: &Arc<Trigger>| match to {
        ReplayTo::Trigger(id) => trigger.id == *id,
        ReplayTo::Matching | ReplayTo::Function(_) => true,
    };
    match to {
        ReplayTo::Function(to) => snapshot.invoke.get(&*to.function).cloned().into_iter().collect(),
        ReplayTo::Matching | ReplayTo::Trigger(_) if is_direct(original) => Vec::new(),
        ReplayTo::Matching | ReplayTo::Trigger(_) => {
            let event = [Arc::new(again(original, original.id))];
            let now = inner.clock.now();
            let plan = evoke_matching::plan(&event, &snapshot.index, inner.plan_limits, now);
            plan.executions.into_iter().map(|one| one.trigger).filter(wanted).collect()
        }
    }
}

/// What a replay would send.
pub(super) async fn count(inner: &Inner, request: &Replay) -> Result<ReplayCount, Rejection> {
    let mut log = Log::from(Wanted::of(request)?, None, inner.newest());
    let limit = request.limit.unwrap_or(u64::MAX);
    let mut count = ReplayCount::default();
    let mut executions: HashMap<TriggerId, (String, u64)> = HashMap::new();
    while count.events < limit {
        let event = match log.next(inner).await? {
            Found::One(event) => event,
            Found::Read => continue,
            Found::End => break,
        };
        let takers = takers(inner, &request.to, &event);
        if takers.is_empty() {
            continue;
        }
        count.events += 1;
        count.first.get_or_insert(event.id);
        count.last = Some(event.id);
        for trigger in takers {
            let own = executions.entry(trigger.id).or_insert_with(|| (trigger.name.clone(), 0));
            own.1 += 1;
        }
    }
    count.seen = log.seen;
    count.executions = executions.into_iter().map(|(id, (name, n))| (id, name, n)).collect();
    count.executions.sort_by(|a, b| (b.2, &a.1, a.0).cmp(&(a.2, &b.1, b.0)));
    Ok(count)
}

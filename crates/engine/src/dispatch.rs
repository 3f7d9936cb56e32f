//! The dispatcher: one lane for each trigger, woken by commits, by ends of attempts and by its
//! timer, never by polling. A lane keeps a window of what waits in memory; the rest is in the store
//! and is looked for when there is room again.

mod explain;
mod group;
mod item;
mod known;
mod lane;
mod timer;
mod window;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use ahash::AHashMap;
use evoke_delivery::admission::{Entry, Rest};
use evoke_delivery::breaker::Signal;
use evoke_model::{EventId, ExecutionId, Timestamp, Trigger, TriggerId};
use evoke_ports::Clock;
use evoke_ports::store::{Due, Error, Spent};
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use group::{Group, Round};
pub(crate) use item::{Item, Planned};
pub(crate) use lane::{Lane, Start};
use window::Window;

use crate::catalog::Catalog;
use crate::settings::{DUE_HORIZON, LOOK_MAX};
use crate::start::Inner;
use timer::Timer;

/// How long a lane rests when the store could not be read.
const LOOK_AGAIN: evoke_model::Millis = evoke_model::Millis::from_secs(1);

/// Executions of one order key read at a time: a window, beside those that are known already.
const KEY_FEED: u32 = 2 * evoke_delivery::admission::KEY_WINDOW_DEFAULT as u32;

/// Begins calls that were admitted.
fn begin(starts: Vec<(Berth, Vec<Start>)>, inner: &Arc<Inner>, runtime: &tokio::runtime::Handle) {
    for (berth, calls) in starts {
        for call in calls {
            inner.tasks.spawn_on(inner.clone().execute(berth.clone(), call), runtime);
        }
    }
}

/// A lane, and the group whose places it takes.
#[derive(Clone)]
pub(crate) struct Berth {
    pub(crate) lane: Arc<Lane>,
    group: Arc<Group>,
}

/// All lanes.
pub(crate) struct Dispatcher {
    lanes: RwLock<AHashMap<TriggerId, Berth>>,
    groups: RwLock<AHashMap<Arc<str>, Arc<Group>>>,
    timer: Timer,
    window: Arc<Window>,
    clock: Arc<dyn Clock>,
    engine: OnceLock<(Weak<Inner>, tokio::runtime::Handle)>,
    is_open: AtomicBool,
    has_begun: AtomicBool,
    /// Executions that wait or run, wherever they are kept.
    open: AtomicI64,
    /// Executions the lanes have under way.
    running: AtomicI64,
    stop: CancellationToken,
}

impl Dispatcher {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            lanes: RwLock::default(),
            groups: RwLock::default(),
            timer: Timer::default(),
            window: Arc::default(),
            clock,
            engine: OnceLock::new(),
            is_open: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            open: AtomicI64::new(0),
            running: AtomicI64::new(0),
            stop: CancellationToken::new(),
        }
    }

    /// Opens the lanes of all triggers and takes up what was left waiting.
    pub(crate) async fn start(self: &Arc<Self>, inner: &Arc<Inner>) -> Result<(), Error> {
        let engine = (Arc::downgrade(inner), tokio::runtime::Handle::current());
        if self.engine.set(engine).is_err() {
            tracing::error!("The dispatcher was started twice");
        }
        let snapshot = inner.catalog.load();
        let there = snapshot.triggers.values().filter(|trigger| trigger.deleted_at.is_none());
        let mut there: Vec<_> = there.cloned().collect();
        drop(snapshot);
        there.sort_unstable_by_key(|trigger| trigger.id);
        for trigger in there {
            self.take(&trigger, &inner.catalog);
        }
        let executions = inner.store.executions();
        for spent in executions.spent(self.clock.now()).await? {
            self.restore(spent);
        }
        for (trigger, count, _) in executions.backlog().await? {
            self.count_open(count as i64);
            self.look(trigger);
        }
        let dispatcher = self.clone();
        inner.tasks.spawn(async move { dispatcher.keep_time().await });
        Ok(())
    }

    /// Rates go on where they stood before the restart.
    fn restore(&self, spent: Spent) {
        let Spent { owner, key, until } = spent;
        match owner.parse::<TriggerId>() {
            Ok(trigger) => {
                if let Some(berth) = self.berth(trigger) {
                    berth.lane.restore(key, until);
                }
            }
            Err(_) => {
                if let Some(group) = self.groups.read().get(&*owner) {
                    group.restore(until);
                }
            }
        }
    }

    /// Takes a trigger, new or changed.
    pub(crate) fn take(&self, trigger: &Arc<Trigger>, catalog: &Catalog) {
        let known = self.berth(trigger.id);
        if trigger.deleted_at.is_some() {
            if let Some(berth) = known {
                berth.group.leave(trigger.id);
            }
            self.lanes.write().remove(&trigger.id);
            return;
        }
        let endpoint = catalog.opened(&catalog.working(trigger).target);
        let name = endpoint.as_ref().ok().and_then(|endpoint| endpoint.group());
        let lane = match &known {
            Some(berth) => {
                berth.lane.change(trigger.clone(), endpoint);
                berth.lane.clone()
            }
            None => Arc::new(Lane::new(trigger.clone(), endpoint, &self.window)),
        };
        let stays = known.filter(|berth| berth.group.name() == name.as_ref());
        let group = match stays {
            Some(berth) => berth.group,
            None => self.group(name),
        };
        group.join(&lane);
        let berth = Berth { lane, group };
        let old = self.lanes.write().insert(trigger.id, berth.clone());
        if let Some(old) = old.filter(|old| !Arc::ptr_eq(&old.group, &berth.group)) {
            old.group.leave(trigger.id);
        }
        self.pump(&berth);
    }

    /// The group of this name, or one for a lane alone.
    fn group(&self, name: Option<Arc<str>>) -> Arc<Group> {
        match name {
            None => Arc::new(Group::new(None)),
            Some(name) => {
                let mut groups = self.groups.write();
                let new = || Arc::new(Group::new(Some(name.clone())));
                groups.entry(name.clone()).or_insert_with(new).clone()
            }
        }
    }

    fn berth(&self, trigger: TriggerId) -> Option<Berth> {
        self.lanes.read().get(&trigger).cloned()
    }

    fn lane(&self, trigger: TriggerId) -> Option<Arc<Lane>> {
        self.lanes.read().get(&trigger).map(|berth| berth.lane.clone())
    }

    /// Told of executions that are about to be committed.
    pub(crate) fn announce<'p>(&self, planned: impl Iterator<Item = &'p Planned>) {
        let mut planned = planned.peekable();
        while let Some(first) = planned.peek() {
            let trigger = first.trigger.id;
            let same = std::iter::from_fn(|| planned.next_if(|next| next.trigger.id == trigger));
            let events = same.map(|planned| planned.entry.id.event);
            match self.lane(trigger) {
                Some(lane) => lane.announce(events),
                None => events.for_each(drop),
            }
        }
    }

    /// Announced executions do not come.
    pub(crate) fn withdraw(&self, planned: &[Planned]) {
        for planned in planned {
            if let Some(lane) = self.lane(planned.trigger.id) {
                lane.withdraw(planned.entry.id.event);
            }
        }
    }

    /// Takes executions that were just committed.
    pub(crate) fn offer(&self, planned: Vec<Planned>) {
        self.count_open(planned.len() as i64);
        let mut touched: Vec<Berth> = Vec::new();
        let now = self.clock.now();
        let mut planned = planned.into_iter().peekable();
        while let Some(first) = planned.peek() {
            let trigger = first.trigger.id;
            let same = std::iter::from_fn(|| {
                let next = planned.next_if(|next| next.trigger.id == trigger)?;
                Some(next.entry)
            });
            // A lane that is gone was deleted while the event was on its way; what waits for it is
            // cancelled with it.
            let Some(berth) = self.berth(trigger) else {
                same.for_each(drop);
                continue;
            };
            if let Some(far) = berth.lane.offer(same, now) {
                self.timer.at(far.minus(DUE_HORIZON), trigger);
            }
            if !touched.iter().any(|known| Arc::ptr_eq(&known.lane, &berth.lane)) {
                touched.push(berth);
            }
        }
        self.pump_later(touched);
    }

    /// Pumps lanes on a thread of the runtime: from the committer's own thread each start would be
    /// a wake-up of its own, and the next commit would wait for all of them.
    fn pump_later(&self, berths: Vec<Berth>) {
        let Some((engine, runtime)) = self.engine.get() else { return };
        let Some(inner) = engine.upgrade() else { return };
        runtime.spawn(async move {
            for berth in berths {
                inner.dispatcher.pump(&berth);
            }
        });
    }

    /// Starts whatever a lane, and those it shares a target with, may start now.
    pub(crate) fn pump(&self, berth: &Berth) {
        if !self.is_open() {
            return;
        }
        let Some((engine, runtime)) = self.engine.get() else { return };
        let Some(inner) = engine.upgrade() else { return };
        berth.group.wants(berth.lane.id(), self.clock.now());
        self.start_all(berth, &inner, runtime);
    }

    /// Starts whatever the lanes of a group may start now.
    fn start_all(&self, berth: &Berth, inner: &Arc<Inner>, runtime: &tokio::runtime::Handle) {
        loop {
            let round = berth.group.round(self.clock.now());
            let has_more = round.has_more;
            self.carry_out(round, berth, inner, runtime);
            if !has_more {
                return;
            }
        }
    }

    fn carry_out(
        &self,
        round: Round,
        berth: &Berth,
        inner: &Arc<Inner>,
        runtime: &tokio::runtime::Handle,
    ) {
        if let Some((wake, lane)) = round.wake {
            self.timer.at(wake, lane);
        }
        let mut starts: Vec<(Berth, Vec<Start>)> = Vec::with_capacity(round.turns.len());
        let mut spent: Vec<Spent> = round.spent.into_iter().collect();
        for (lane, turn) in round.turns {
            if let Some(wake) = turn.wake {
                self.timer.at(wake, lane.id());
            }
            if !turn.dropped.is_empty() {
                inner.tasks.spawn_on(inner.clone().drop_waiting(turn.dropped), runtime);
            }
            for id in turn.cancel {
                inner.make_room(id);
            }
            if turn.look {
                self.look_into(&lane, inner);
            }
            for key in turn.hungry {
                self.feed(&lane, key, inner);
            }
            spent.extend(turn.spent);
            let running: usize = turn.start.iter().map(|start| start.call.len()).sum();
            self.running.fetch_add(running as i64, Ordering::Relaxed);
            if running > 0 {
                starts.push((Berth { lane, group: berth.group.clone() }, turn.start));
            }
        }
        if spent.is_empty() {
            return begin(starts, inner, runtime);
        }
        let (inner, handle) = (inner.clone(), runtime.clone());
        runtime.spawn(async move {
            inner.spend(spent).await;
            begin(starts, &inner, &handle);
        });
    }

    /// A call ended: its place is free, and its executions are forgotten or wait again.
    pub(crate) fn finished(
        &self,
        berth: &Berth,
        ends: impl ExactSizeIterator<Item = (Entry<Item>, Option<Timestamp>)>,
        signal: Signal,
    ) {
        let now = self.clock.now();
        self.running.fetch_sub(ends.len() as i64, Ordering::Relaxed);
        if let Some(far) = berth.lane.finished(ends, now) {
            self.timer.at(far.minus(DUE_HORIZON), berth.lane.id());
        }
        berth.group.ended(berth.lane.id(), signal, now);
        if !self.is_open() {
            return;
        }
        let Some((engine, runtime)) = self.engine.get() else { return };
        if let Some(inner) = engine.upgrade() {
            self.start_all(berth, &inner, runtime);
        }
    }

    /// When a lane is to be looked at next.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.timer.first()
    }

    /// So many more executions wait or run than before.
    pub(crate) fn count_open(&self, more: i64) {
        self.open.fetch_add(more, Ordering::Relaxed);
    }

    /// Executions that wait or run.
    pub(crate) fn open(&self) -> i64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Executions the lanes have under way.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed).max(0) as usize
    }

    /// These are in the record now.
    pub(crate) fn settled(&self, ids: &[ExecutionId]) {
        for same in ids.chunk_by(|a, b| a.trigger == b.trigger) {
            if let Some(lane) = same.first().and_then(|first| self.lane(first.trigger)) {
                lane.settled(same.iter().map(|id| id.event));
            }
        }
    }

    /// Looks into the store for a trigger's waiting executions.
    pub(crate) fn look(&self, trigger: TriggerId) {
        if let Some(berth) = self.berth(trigger) {
            berth.lane.want_look();
            self.pump(&berth);
        }
    }

    /// Starts whatever the lane of a trigger may start now.
    pub(crate) fn pump_lane(&self, trigger: TriggerId) {
        if let Some(berth) = self.berth(trigger) {
            self.pump(&berth);
        }
    }

    fn look_into(&self, lane: &Arc<Lane>, inner: &Arc<Inner>) {
        let Some((_, runtime)) = self.engine.get() else { return };
        let (lane, inner) = (lane.clone(), inner.clone());
        runtime.spawn(async move {
            let dispatcher = &inner.dispatcher;
            match dispatcher.refill(&lane, &inner).await {
                Ok(rest) => {
                    lane.look_ended(rest);
                    dispatcher.pump_lane(lane.id());
                }
                Err(error) => {
                    dispatcher.unreadable(&lane, &error);
                    lane.look_ended(Rest::More);
                }
            }
        });
    }

    fn unreadable(&self, lane: &Lane, error: &Error) {
        let error = crate::committer::Chain(error);
        tracing::error!(trigger.id = %lane.id(), %error, "What waits could not be read, trying again");
        self.timer.at(self.clock.now().plus(LOOK_AGAIN), lane.id());
    }

    /// Reads what waits in the store and is not yet in memory, as far as there is room.
    async fn refill(&self, lane: &Lane, inner: &Inner) -> Result<Rest, Error> {
        let executions = inner.store.executions();
        let until = lane.look_until(self.clock.now());
        let mut after = None;
        loop {
            let limit = LOOK_MAX;
            let query = Due { trigger: lane.id(), after, until, order_key: None, limit };
            let found = executions.due(query).await?;
            let is_all = found.len() < LOOK_MAX as usize;
            after = found.last().map(|waiting| (waiting.queued, waiting.id.event));
            if !lane.looked(found, &inner.catalog.load().index, self.clock.now()) {
                return Ok(Rest::More);
            }
            if is_all {
                break;
            }
        }
        if until == Timestamp::from_micros(i64::MAX) {
            return Ok(Rest::None);
        }
        let after = Some((until, EventId::from_u64(i64::MAX as u64)));
        let until = Timestamp::from_micros(i64::MAX);
        let query = Due { trigger: lane.id(), after, until, order_key: None, limit: 1 };
        if let Some(next) = executions.due(query).await?.first() {
            lane.far(next.due);
            self.timer.at(next.due.minus(DUE_HORIZON), lane.id());
        }
        Ok(Rest::None)
    }

    /// Reads more of an order key.
    fn feed(&self, lane: &Arc<Lane>, key: Box<str>, inner: &Arc<Inner>) {
        let Some((_, runtime)) = self.engine.get() else { return };
        let (lane, inner) = (lane.clone(), inner.clone());
        runtime.spawn(async move {
            let dispatcher = &inner.dispatcher;
            let query = Due {
                trigger: lane.id(),
                after: None,
                until: Timestamp::from_micros(i64::MAX),
                order_key: Some(key.clone()),
                limit: KEY_FEED,
            };
            match inner.store.executions().due(query).await {
                Ok(found) => {
                    let rest =
                        if found.len() < KEY_FEED as usize { Rest::None } else { Rest::More };
                    lane.fed(&key, found, rest, &inner.catalog.load().index);
                    dispatcher.pump_lane(lane.id());
                }
                Err(error) => {
                    dispatcher.unreadable(&lane, &error);
                    lane.fed(&key, Vec::new(), Rest::More, &inner.catalog.load().index);
                }
            }
        });
    }

    /// Wakes lanes when the time they wait for has come.
    async fn keep_time(self: Arc<Self>) {
        loop {
            // Listen before looking, so that an earlier time set meanwhile is not missed.
            let nudge = self.timer.nudged();
            let (due, next) = self.timer.take(self.clock.now());
            for trigger in due {
                if let Some(berth) = self.berth(trigger) {
                    berth.lane.reach(self.clock.now().plus(DUE_HORIZON));
                    self.pump(&berth);
                }
            }
            let sleep = async {
                match next {
                    Some(instant) => self.clock.sleep_until(instant).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = nudge => {}
                () = sleep => {}
            }
        }
    }

    /// A function can be called again, or differently: its lanes have new room.
    pub(crate) fn wake_function(&self, name: &str) {
        for berth in self.berths() {
            if berth.lane.trigger().target.function_name() == Some(name) {
                self.pump(&berth);
            }
        }
    }

    /// Takes a waiting execution out of memory.
    pub(crate) fn forget(&self, id: ExecutionId) {
        if let Some(lane) = self.lane(id.trigger) {
            lane.forget(id);
        }
    }

    /// Something about an execution is on its way to the record.
    pub(crate) fn settling(&self, id: ExecutionId) {
        if let Some(lane) = self.lane(id.trigger) {
            lane.settling(id.event);
        }
    }

    /// Calls off an execution that was admitted and may not have begun yet.
    pub(crate) fn call_off(&self, id: ExecutionId) -> bool {
        self.lane(id.trigger).is_some_and(|lane| lane.call_off(id.event))
    }

    /// All lanes, in the order of their triggers.
    fn berths(&self) -> Vec<Berth> {
        let mut berths: Vec<_> = self.lanes.read().values().cloned().collect();
        berths.sort_by_key(|berth| berth.lane.id());
        berths
    }

    /// Executions that wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.read().values().map(|berth| berth.lane.waiting()).sum()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether it was opened. What ends may still make changes then.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Begins to start what waits.
    pub(crate) fn admit(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        self.has_begun.store(true, Ordering::Release);
        for berth in self.berths() {
            self.pump(&berth);
        }
    }

    /// Starts nothing more; says how many wait.
    pub(crate) fn close(&self) -> usize {
        self.is_open.store(false, Ordering::Relaxed);
        self.stop.cancel();
        self.waiting()
    }
}

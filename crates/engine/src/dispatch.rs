//! The dispatcher: one lane for each trigger, woken by commits, by ends of attempts and by its
//! timer, never by polling. A lane keeps a window of what waits in memory; the rest is in the store
//! and is looked for when there is room again.

mod lane;
mod timer;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use ahash::AHashMap;
use evoke_delivery::admission::Rest;
use evoke_model::{EventId, Execution, ExecutionId, Timestamp, Trigger, TriggerId};
use evoke_ports::Clock;
use evoke_ports::store::{Due, Error, Waiting};
use parking_lot::RwLock;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(crate) use lane::{Item, Lane};

use crate::catalog::Catalog;
use crate::settings::{DUE_HORIZON, LANE_WINDOW_MAX};
use crate::start::Inner;
use timer::Timer;

/// How long a lane rests when the store could not be read.
const LOOK_AGAIN: evoke_model::Millis = evoke_model::Millis::from_secs(1);

/// Executions of one order key read at a time: a window, beside those that are known already.
const KEY_FEED: u32 = 2 * evoke_delivery::admission::KEY_WINDOW_DEFAULT as u32;

/// An execution on its way to its lane.
pub(crate) struct Planned {
    pub(crate) waiting: Waiting,
    pub(crate) trigger: Arc<Trigger>,
}

/// All lanes.
pub(crate) struct Dispatcher {
    lanes: RwLock<AHashMap<TriggerId, Arc<Lane>>>,
    timer: Timer,
    clock: Arc<dyn Clock>,
    engine: OnceLock<(Weak<Inner>, tokio::runtime::Handle)>,
    is_open: AtomicBool,
    /// Executions that wait or run, wherever they are kept.
    open: AtomicI64,
    stop: CancellationToken,
}

impl Dispatcher {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            lanes: RwLock::default(),
            timer: Timer::default(),
            clock,
            engine: OnceLock::new(),
            is_open: AtomicBool::new(false),
            open: AtomicI64::new(0),
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
        for trigger in snapshot.triggers.values().filter(|t| t.deleted_at.is_none()) {
            self.take(trigger, &inner.catalog);
        }
        drop(snapshot);
        for (trigger, count, _) in inner.store.executions().backlog().await? {
            self.count_open(count as i64);
            self.look(trigger);
        }
        let dispatcher = self.clone();
        inner.tasks.spawn(async move { dispatcher.keep_time().await });
        Ok(())
    }

    /// Takes a trigger, new or changed.
    pub(crate) fn take(&self, trigger: &Arc<Trigger>, catalog: &Catalog) {
        if trigger.deleted_at.is_some() {
            self.lanes.write().remove(&trigger.id);
            return;
        }
        let endpoint = catalog.open(&trigger.target).map_err(|problems| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        });
        let known = self.lanes.read().get(&trigger.id).cloned();
        let lane = match known {
            Some(lane) => {
                lane.change(trigger.clone(), endpoint);
                lane
            }
            None => {
                let lane = Arc::new(Lane::new(trigger.clone(), endpoint));
                self.lanes.write().insert(trigger.id, lane.clone());
                lane
            }
        };
        self.pump(&lane);
    }

    fn lane(&self, trigger: TriggerId) -> Option<Arc<Lane>> {
        self.lanes.read().get(&trigger).cloned()
    }

    /// Told of executions that are about to be committed.
    pub(crate) fn announce(&self, planned: &[Planned]) {
        for same in planned.chunk_by(|a, b| a.trigger.id == b.trigger.id) {
            if let Some(lane) = same.first().and_then(|first| self.lane(first.trigger.id)) {
                lane.announce(same.iter().map(|planned| &planned.waiting));
            }
        }
    }

    /// Announced executions do not come.
    pub(crate) fn withdraw(&self, planned: &[Planned]) {
        for planned in planned {
            if let Some(lane) = self.lane(planned.trigger.id) {
                lane.withdraw(planned.waiting.id.event);
            }
        }
    }

    /// Takes executions that were just committed.
    pub(crate) fn offer(&self, planned: Vec<Planned>) {
        self.count_open(planned.len() as i64);
        let mut touched: Vec<Arc<Lane>> = Vec::new();
        let now = self.clock.now();
        let mut planned = planned.into_iter().peekable();
        while let Some(first) = planned.next() {
            let trigger = first.trigger.id;
            // A lane that is gone was deleted while the event was on its way; what waits for it is
            // cancelled with it.
            let Some(lane) = self.lane(trigger) else { continue };
            let mut same = vec![first.waiting];
            while let Some(next) = planned.next_if(|next| next.trigger.id == trigger) {
                same.push(next.waiting);
            }
            if let Some(far) = lane.offer(same, now) {
                self.timer.at(far.minus(DUE_HORIZON), trigger);
            }
            if !touched.iter().any(|known| Arc::ptr_eq(known, &lane)) {
                touched.push(lane);
            }
        }
        self.pump_later(touched);
    }

    /// Pumps lanes on a thread of the runtime: from the committer's own thread each start would be
    /// a wake-up of its own, and the next commit would wait for all of them.
    fn pump_later(&self, lanes: Vec<Arc<Lane>>) {
        let Some((engine, runtime)) = self.engine.get() else { return };
        let Some(inner) = engine.upgrade() else { return };
        runtime.spawn(async move {
            for lane in lanes {
                inner.dispatcher.pump(&lane);
            }
        });
    }

    /// Starts whatever a lane may start now.
    pub(crate) fn pump(&self, lane: &Arc<Lane>) {
        if !self.is_open() {
            return;
        }
        let Some((engine, runtime)) = self.engine.get() else { return };
        let Some(inner) = engine.upgrade() else { return };
        loop {
            let turn = lane.turn(self.clock.now());
            let is_last = turn.start.len() < lane::STARTS_PER_TURN_MAX;
            for item in turn.start {
                runtime.spawn(inner.clone().execute(lane.clone(), item));
            }
            if turn.look {
                self.look_into(lane, &inner);
            }
            for key in turn.hungry {
                self.feed(lane, key, &inner);
            }
            if is_last {
                if let Some(wake) = turn.wake {
                    self.timer.at(wake, lane.id());
                }
                return;
            }
        }
    }

    /// An attempt ended: its place is free, and the execution is forgotten or waits again.
    pub(crate) fn finished(&self, lane: &Arc<Lane>, item: Item, again: Option<Timestamp>) {
        if let Some(far) = lane.finished(item, again, self.clock.now()) {
            self.timer.at(far.minus(DUE_HORIZON), lane.id());
        }
        self.pump(lane);
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
        self.lanes.read().values().map(|lane| lane.running()).sum()
    }

    /// These are in the record now.
    pub(crate) fn settled(&self, ids: &[ExecutionId]) {
        for id in ids {
            if let Some(lane) = self.lane(id.trigger) {
                lane.settled(id.event);
            }
        }
    }

    /// Looks into the store for a trigger's waiting executions.
    pub(crate) fn look(&self, trigger: TriggerId) {
        if let Some(lane) = self.lane(trigger) {
            lane.want_look();
            self.pump(&lane);
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
                    dispatcher.pump(&lane);
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
            let limit = LANE_WINDOW_MAX as u32;
            let query = Due { trigger: lane.id(), after, until, order_key: None, limit };
            let found = executions.due(query).await?;
            let is_all = found.len() < LANE_WINDOW_MAX;
            after = found.last().map(|waiting| (waiting.due, waiting.id.event));
            if !lane.looked(found, self.clock.now()) {
                return Ok(Rest::More);
            }
            if is_all {
                break;
            }
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
                    lane.fed(&key, found, rest);
                    dispatcher.pump(&lane);
                }
                Err(error) => {
                    dispatcher.unreadable(&lane, &error);
                    lane.fed(&key, Vec::new(), Rest::More);
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
                if let Some(lane) = self.lane(trigger) {
                    lane.reach(self.clock.now().plus(DUE_HORIZON));
                    self.pump(&lane);
                }
            }
            let sleep = async {
                match next {
                    Some(instant) => self.clock.sleep_until(instant).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = nudge => {}
                () = sleep => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// A function can be called again, or differently: its lanes have new room.
    pub(crate) fn wake_function(&self, name: &str) {
        let lanes: Vec<_> = self.lanes.read().values().cloned().collect();
        for lane in lanes {
            if lane.trigger().target.function_name() == Some(name) {
                self.pump(&lane);
            }
        }
    }

    /// Takes a waiting execution out of memory.
    pub(crate) fn forget(&self, id: ExecutionId) {
        if let Some(lane) = self.lane(id.trigger) {
            lane.forget(id);
        }
    }

    /// Why a pending execution does not run, by admission's own verdict.
    pub(crate) fn explain(&self, execution: &Execution) -> (String, serde_json::Value) {
        match self.lane(execution.id.trigger) {
            Some(lane) => lane.explain(execution, self.clock.now()),
            None => ("its trigger has no lane".into(), json!({ "why": "no_lane" })),
        }
    }

    /// Executions that wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.read().values().map(|lane| lane.waiting()).sum()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Begins to start what waits.
    pub(crate) fn admit(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        let lanes: Vec<_> = self.lanes.read().values().cloned().collect();
        for lane in lanes {
            self.pump(&lane);
        }
    }

    /// Starts nothing more; says how many wait.
    pub(crate) fn close(&self) -> usize {
        self.is_open.store(false, Ordering::Relaxed);
        self.stop.cancel();
        self.waiting()
    }
}

//! What may happen in a life, one step at a time.

use evoke_engine::{Redrive, Replay, ReplayTo};
use evoke_model::operation::OperationStatus;
use evoke_model::policy::Rate;
use evoke_model::{Data, Execution, ExecutionId, Millis, State, Timestamp};
use evoke_ports::Clock;
use evoke_ports::store::{Events, ExecutionQuery, Executions};
use fastrand::Rng;
use serde_json::json;

use crate::answer::{self, Mood};
use crate::book::Drafted;
use crate::ops::Client;
use crate::plan::{self, one_in};
use crate::world::{Crash, World, now};

/// Types of events that are sent.
const KINDS: [&str; 4] = ["a.x", "a.y", "b.x", "c"];

/// The dice of a run, and how far it is.
pub(crate) struct Script {
    pub(crate) rng: Rng,
    /// Steps that are left.
    pub(crate) left: u32,
    /// The number of the last event.
    pub(crate) number: u64,
}

/// What follows a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// The next one.
    Go,
    /// Time passes.
    Pass(Millis),
    /// The process dies after so many polls.
    Die(u32),
}

impl Script {
    /// One step.
    pub(crate) fn step(&mut self, client: &Client) -> Then {
        let rng = &mut self.rng;
        match rng.u32(..1_000) {
            0..330 => self.send(client),
            330..640 => client.world.answer_one(rng, Mood::Any),
            640..800 => return Then::Pass(self.pause()),
            800..830 => self.on_one(client, &[State::Pending], Client::cancel),
            830..860 => self.on_one(client, &[State::Failed, State::TimedOut], Client::retry),
            860..865 => self.on_one(client, &[State::Success, State::Cancelled], Client::retry),
            865..880 => self.edit(client),
            880..900 => self.on_trigger(client, |client, id, _| client.toggle(id)),
            900..920 => self.on_trigger(client, |client, id, rng| {
                let book = client.world.book.lock();
                let policy = book.triggers.get(&id).map(|known| known.plan.policy.clone());
                drop(book);
                client.change(id, plan::changed(&policy.unwrap_or_default(), rng));
            }),
            920..925 => self.on_trigger(client, |client, id, _| client.purge(id)),
            925..935 => client.redrive(redrive(rng)),
            935..945 => client.replay(replay(rng, client.world.clock.now())),
            945..950 => call_off(client, rng),
            950..965 => client.world.faults.lock().commits = rng.u32(1..4),
            965..975 => client.world.faults.lock().reads = rng.u32(1..3),
            975..985 => return Then::Die(rng.u32(..40)),
            985..1_000 => {
                let crash = [Crash::Before, Crash::After][rng.usize(..2)];
                client.world.say(format!("the next commit dies: {crash:?}"));
                client.world.faults.lock().crash = Some(crash);
            }
            _ => {}
        }
        Then::Go
    }

    fn pause(&mut self) -> Millis {
        let rng = &mut self.rng;
        Millis::new(match rng.u32(..20) {
            0..8 => rng.u64(1..200),
            8..16 => rng.u64(200..5_000),
            16..19 => rng.u64(5_000..40_000),
            _ => rng.u64(40_000..200_000),
        })
    }

    fn send(&mut self, client: &Client) {
        let count = if one_in(&mut self.rng, 3) { self.rng.usize(2..6) } else { 1 };
        let now = client.world.clock.now();
        let drafts = (0..count).map(|_| self.draft(now)).collect();
        client.send(drafts);
    }

    fn draft(&mut self, now: Timestamp) -> Drafted {
        self.number += 1;
        let rng = &mut self.rng;
        let mut data = json!({
            "n": self.number,
            "j": format!("j{}", rng.u32(..2)),
            "f": rng.bool(),
            "p": rng.i32(-30..30),
            "i": format!("i{}", rng.u32(..12)),
        });
        if !one_in(rng, 8) {
            data["k"] = json!(format!("k{}", rng.u32(..3)));
        }
        let mut once = Vec::new();
        if one_in(rng, 8) {
            once.push(format!("id:s{}", rng.u32(..12)));
        }
        if one_in(rng, 12) {
            once.push(format!("key:q{}", rng.u32(..8)));
        }
        let kind = KINDS[rng.usize(..KINDS.len())];
        let due = one_in(rng, 8).then(|| now.plus(Millis::new(rng.u64(..120_000))));
        Drafted { number: self.number, kind, data, due, once }
    }

    /// Does something to one execution in one of these states.
    fn on_one(
        &mut self,
        client: &Client,
        states: &[State],
        act: impl FnOnce(&Client, ExecutionId, String),
    ) {
        let found = client.world.in_states(states);
        if let Some(place) = self.pick(found.len()) {
            let id = found[place].id;
            act(client, id, client.world.label_of(id));
        }
    }

    fn edit(&mut self, client: &Client) {
        let found = client.world.in_states(&[State::Failed, State::TimedOut]);
        let Some(place) = self.pick(found.len()) else { return };
        let id = found[place].id;
        let Some(event) = now(client.world.record.event(id.event)) else { return };
        let mut data = event.data.to_value();
        data["edited"] = json!(true);
        client.edit(id, client.world.label_of(id), Data::from_value(&data));
    }

    fn on_trigger(
        &mut self,
        client: &Client,
        act: impl FnOnce(&Client, evoke_model::TriggerId, &mut Rng),
    ) {
        let ids: Vec<_> = client.world.book.lock().triggers.keys().copied().collect();
        if let Some(place) = self.pick(ids.len()) {
            act(client, ids[place], &mut self.rng);
        }
    }

    fn pick(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.rng.usize(..count))
    }
}

fn some_rate(rng: &mut Rng) -> Option<Rate> {
    let rate = Rate { limit: rng.u32(1..20), per: Millis::new(1_000), key: None, burst: None };
    rng.bool().then_some(rate)
}

fn redrive(rng: &mut Rng) -> Redrive {
    Redrive {
        rate: some_rate(rng),
        stop_after: rng.bool().then(|| rng.u32(..4)),
        limit: one_in(rng, 3).then(|| rng.u64(1..5)),
        ..Redrive::default()
    }
}

fn replay(rng: &mut Rng, now: Timestamp) -> Replay {
    Replay {
        kind: rng.bool().then(|| "a.*".to_owned()),
        since: Some(now.minus(Millis::new(rng.u64(1..60_000)))),
        to: ReplayTo::Matching,
        rate: some_rate(rng),
        limit: Some(rng.u64(1..10)),
        ..Replay::default()
    }
}

fn call_off(client: &Client, rng: &mut Rng) {
    let operations = client.engine.operations();
    let under_way: Vec<_> = operations
        .iter()
        .filter(|operation| operation.status == OperationStatus::Running)
        .map(|operation| operation.id)
        .collect();
    if !under_way.is_empty() {
        client.call_off(under_way[rng.usize(..under_way.len())]);
    }
}

impl World {
    /// Ends one of the calls under way.
    pub(crate) fn answer_one(&self, rng: &mut Rng, mood: Mood) {
        let mut calls = self.calls.lock();
        let waiting = calls.waiting();
        if waiting.is_empty() {
            return;
        }
        let number = waiting[rng.usize(..waiting.len())];
        let Some(call) = calls.open.get(&number) else { return };
        let outcome = answer::outcome(rng, mood, &call.events, call.is_list);
        calls.answer(number, outcome);
    }

    /// The executions of the calls under way.
    pub(crate) fn under_way(&self) -> Vec<ExecutionId> {
        self.calls.lock().open.values().flat_map(|call| call.ids.clone()).collect()
    }

    /// The executions of the record in these states, oldest first.
    pub(crate) fn in_states(&self, states: &[State]) -> Vec<Execution> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let query = ExecutionQuery {
                states: states.to_vec(),
                order: evoke_ports::store::Order::OldestFirst,
                limit: 1_000,
                cursor,
                ..ExecutionQuery::default()
            };
            let page = now(self.record.executions(query));
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    /// A short name for an execution of the record.
    pub(crate) fn label_of(&self, id: ExecutionId) -> String {
        match now(self.record.event(id.event)) {
            Some(event) => self.label(&event, id.trigger),
            None => id.to_string(),
        }
    }
}

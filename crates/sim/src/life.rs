//! One life of the process: the engine starts on what is in the store, things happen, and it ends
//! without a word or comes to rest.

use std::sync::Arc;

use evoke_engine::{Actor, CommitterRuns, Engine, Parts, Registry, RetentionPolicy, Settings};
use evoke_model::{Millis, State, Timestamp};
use evoke_ports::{Clock, NoTracer};

use crate::answer::Mood;
use crate::book::Known;
use crate::ops::Client;
use crate::plan::{TriggerPlan, one_in};
use crate::source::{self, descriptor};
use crate::step::{Script, Then};
use crate::store::SimStore;
use crate::target;
use crate::world::World;

/// Longer than any run: what is looked at in the end must still be in the record.
const KEPT: Millis = Millis::from_secs(10 * 365 * 86_400);

/// When everything is let run to its end, something must happen within this time: no wait of the
/// plan is longer.
const STUCK_AFTER: Millis = Millis::from_secs(900);

/// How a life ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The process died.
    Died,
    /// All steps were made, and what was begun has come to its end.
    Rest,
    /// Something was wrong.
    Wrong,
}

/// A life that did not go on.
struct Ended(End);

/// What the lives of a run share.
pub(crate) struct Lives {
    pub(crate) world: Arc<World>,
    pub(crate) store: SimStore,
    pub(crate) script: Script,
}

/// One life.
pub(crate) async fn live(lives: &mut Lives, plans: &[TriggerPlan]) -> End {
    let world = lives.world.clone();
    let engine = match Engine::start(parts(&world, &lives.store)).await {
        Ok(engine) => engine,
        Err(error) => {
            world.wrong(format!("the engine does not start: {error}"));
            return End::Wrong;
        }
    };
    let mut life = Life { client: Client { world, engine }, script: &mut lives.script };
    match life.go(plans).await {
        Ok(()) => End::Rest,
        Err(Ended(end)) => end,
    }
}

struct Life<'l> {
    client: Client,
    script: &'l mut Script,
}

impl Life<'_> {
    async fn go(&mut self, plans: &[TriggerPlan]) -> Result<(), Ended> {
        self.know(plans).await?;
        let admit_after =
            if one_in(&mut self.script.rng, 3) { self.script.rng.u32(..8) } else { 0 };
        for _ in 0..admit_after.min(self.script.left) {
            self.step().await?;
        }
        self.world().say("admit");
        self.client.engine.admit();
        while self.script.left > 0 {
            self.step().await?;
            if one_in(&mut self.script.rng, 3) {
                self.idle().await?;
                self.look_at_rest().await?;
            }
        }
        self.finish().await
    }

    fn world(&self) -> &World {
        &self.client.world
    }

    /// In the first life the triggers are made; in later ones they are as they were left.
    async fn know(&mut self, plans: &[TriggerPlan]) -> Result<(), Ended> {
        let world = self.client.world.clone();
        if world.book.lock().triggers.is_empty() {
            for plan in plans {
                match self.client.engine.create_trigger(plan.new_trigger(), &Actor::local()).await {
                    Ok(trigger) => {
                        world.say(format!("trigger {} {:?}", trigger.name, plan));
                        world.book.lock().triggers.insert(trigger.id, Known::new(plan.clone()));
                    }
                    Err(rejection) => world.wrong(format!("{} is refused: {rejection}", plan.name)),
                }
            }
            return self.go_on();
        }
        for trigger in self.client.engine.triggers() {
            let mut book = world.book.lock();
            let Some(known) = book.triggers.get_mut(&trigger.id) else { continue };
            let is_same = known.enabled == trigger.enabled && known.plan.policy == trigger.policy;
            let was_unsure = known.is_unsure;
            known.settle(&trigger.policy, trigger.enabled);
            known.is_still = !trigger.enabled;
            drop(book);
            if !is_same && !was_unsure {
                world.wrong(format!("trigger {} is not as it was left", trigger.name));
            }
        }
        self.go_on()
    }

    async fn step(&mut self) -> Result<(), Ended> {
        self.script.left -= 1;
        match self.script.step(&self.client) {
            Then::Go => {}
            Then::Pass(time) => {
                let until = self.world().clock.now().plus(time);
                self.pass(until).await?;
            }
            Then::Die(polls) => {
                self.world().say(format!("dies after {polls} polls"));
                self.polls(polls).await?;
                return Err(Ended(End::Died));
            }
        }
        match self.script.rng.u32(..10) {
            0..5 => self.idle().await,
            5..9 => {
                let polls = self.script.rng.u32(..20);
                self.polls(polls).await
            }
            _ => Ok(()),
        }
    }

    /// Lets time pass: whoever waits for an instant on the way is woken at it and goes on as far as
    /// it can.
    async fn pass(&self, until: Timestamp) -> Result<(), Ended> {
        self.idle().await?;
        let clock = self.world().clock.clone();
        while let Some(next) = clock.next_wake().filter(|next| *next <= until) {
            clock.advance_to(next);
            self.idle().await?;
        }
        clock.advance_to(until);
        Ok(())
    }

    /// Lets so many polls of tasks go by.
    async fn polls(&self, count: u32) -> Result<(), Ended> {
        for _ in 0..count {
            tokio::task::yield_now().await;
            self.go_on()?;
        }
        Ok(())
    }

    /// Lets all tasks go on as far as they can.
    async fn idle(&self) -> Result<(), Ended> {
        self.world().idle.reached().await;
        self.go_on()?;
        let mut book = self.world().book.lock();
        // What was admitted before begins once it is durable what its rate has spent.
        let is_well = self.world().clock.now() > book.trouble;
        for known in book.triggers.values_mut() {
            known.is_still = is_well && !known.enabled && !known.is_unsure;
            known.is_changing &= !is_well;
        }
        Ok(())
    }

    fn go_on(&self) -> Result<(), Ended> {
        match (self.world().verdict(), self.world().is_dead()) {
            (Some(_), _) => Err(Ended(End::Wrong)),
            (None, true) => Err(Ended(End::Died)),
            (None, false) => Ok(()),
        }
    }

    async fn look_at_rest(&mut self) -> Result<(), Ended> {
        if self.world().clock.now() > self.world().book.lock().trouble {
            self.client.check_rest(&mut self.script.rng).await;
        }
        self.go_on()
    }

    /// Nothing goes wrong any more, all triggers are on, and everything runs to its end.
    async fn finish(&mut self) -> Result<(), Ended> {
        self.world().say("let everything run to its end");
        {
            let mut faults = self.world().faults.lock();
            (faults.commits, faults.reads, faults.crash) = (0, 0, None);
        }
        let mut stuck_at = self.world().clock.now().plus(STUCK_AFTER);
        loop {
            self.idle().await?;
            self.client.enable_all();
            self.idle().await?;
            let is_answering = !self.world().calls.lock().waiting().is_empty();
            if is_answering {
                self.client.world.answer_one(&mut self.script.rng, Mood::Good);
                stuck_at = self.world().clock.now().plus(STUCK_AFTER);
                continue;
            }
            if one_in(&mut self.script.rng, 4) {
                self.look_at_rest().await?;
            }
            if self.client.is_over() {
                break;
            }
            let now = self.world().clock.now();
            match self.world().clock.next_wake().filter(|_| now < stuck_at) {
                Some(next) => self.world().clock.advance_to(next.max(now)),
                None => {
                    self.client.tell_stuck().await;
                    return self.go_on();
                }
            }
        }
        // Long enough for all faults to be forgotten.
        let later = self.world().clock.now().plus(Millis::from_secs(30));
        self.pass(later).await?;
        self.idle().await?;
        self.look_at_rest().await?;
        self.client.world.check_record();
        self.go_on()
    }
}

impl Client {
    /// Switches on whatever is off.
    fn enable_all(&self) {
        let off = |known: &Known| !known.enabled && !known.is_unsure;
        let book = self.world.book.lock();
        let off: Vec<_> = book.triggers.iter().filter(|(_, known)| off(known)).collect();
        let off: Vec<_> = off.into_iter().map(|(id, _)| *id).collect();
        drop(book);
        off.into_iter().for_each(|id| self.toggle(id));
    }

    /// Whether nothing waits, runs or goes on.
    fn is_over(&self) -> bool {
        self.world.in_states(&[State::Pending]).is_empty()
            && self.world.calls.lock().open.is_empty()
            && self.engine.operations().iter().all(|operation| operation.ended_at.is_some())
    }

    /// Nothing goes on, and yet not everything is over.
    async fn tell_stuck(&self) {
        for execution in self.world.in_states(&[State::Pending]) {
            let why = self.engine.explain(execution.id).await;
            let why = why.map_or_else(|error| error.to_string(), |why| why.reason);
            let label = self.world.label_of(execution.id);
            self.world.say(format!("{label} still waits: {why}"));
        }
        for operation in self.engine.operations().iter().filter(|one| one.ended_at.is_none()) {
            self.world.say(format!("{:?} goes on: {:?}", operation.id, operation.progress));
        }
        self.world.wrong("something never comes to its end");
    }
}

fn parts(world: &Arc<World>, store: &SimStore) -> Parts {
    let retention = RetentionPolicy {
        archive_after: None,
        events: KEPT,
        executions: KEPT,
        dead_letters: KEPT,
        ..RetentionPolicy::default()
    };
    Parts {
        store: Arc::new(store.clone()),
        sources: vec![Arc::new(source::Simulated(descriptor()))],
        targets: vec![Arc::new(target::Simulated {
            descriptor: descriptor(),
            world: world.clone(),
        })],
        runtimes: Vec::new(),
        clock: world.clock.clone(),
        registry: Registry::new(),
        tracer: Arc::new(NoTracer),
        settings: Settings { retention, committer: CommitterRuns::Task, ..Settings::default() },
    }
}

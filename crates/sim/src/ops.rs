//! What somebody asks of the engine. Each is a task of its own, so that the process may die while
//! it is under way; what is answered goes into the book.

use std::sync::Arc;

use evoke_engine::triggers::Enabled;
use evoke_engine::{Actor, DeadLetterFilter, Draft, Engine, Redrive, Replay};
use evoke_model::{Data, ExecutionId, OperationId, Policy, Rejection, TriggerId};
use evoke_ports::Clock;
use serde_json::json;

use crate::book::{Drafted, Sending, Told};
use crate::world::World;

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) engine: Engine,
}

impl Client {
    /// Sends events.
    pub(crate) fn send(&self, drafts: Vec<Drafted>) {
        let Self { world, engine } = self.clone();
        let numbers: Vec<_> = drafts.iter().map(|draft| format!("e{}", draft.number)).collect();
        world.say(format!("send {}", numbers.join(" ")));
        for Drafted { number, kind, data, due, once } in &drafts {
            let due = due.map(|due| format!(" due in {:?}", due.since(world.clock.now())));
            world.say(format!("  e{number} {kind}{} {once:?} {data}", due.unwrap_or_default()));
        }
        let wanted = drafts.iter().map(draft).collect();
        let place = {
            let mut book = world.book.lock();
            let saw = book.see();
            let sent_at = world.clock.now();
            book.sent.push(Sending { drafts, sent_at, saw, answer: Told::Nothing });
            book.sent.len() - 1
        };
        tokio::spawn(async move {
            let told = match engine.emit(wanted).await {
                Ok(emitted) => {
                    Told::Taken(emitted.iter().map(|one| (one.id, one.is_duplicate)).collect())
                }
                Err(rejection) => {
                    world.say(format!("refused {}: {rejection}", numbers.join(" ")));
                    Told::Refused
                }
            };
            world.book.lock().told(place, told);
        });
    }

    /// Switches a trigger on or off.
    pub(crate) fn toggle(&self, id: TriggerId) {
        let Self { world, engine } = self.clone();
        let Some((name, is_on, policy)) = world.ask(id) else { return };
        world.say(format!("{} {name}", if is_on { "disable" } else { "enable" }));
        let wanted = if is_on { Enabled::No } else { Enabled::Yes };
        tokio::spawn(async move {
            let done = engine.set_trigger_enabled(id, wanted, &Actor::local()).await;
            let is_on = if done.is_ok() { !is_on } else { is_on };
            world.answered(id, &policy, is_on, &format!("{name} is on: {is_on}"));
        });
    }

    /// Gives a trigger another policy.
    pub(crate) fn change(&self, id: TriggerId, policy: Policy) {
        let Self { world, engine } = self.clone();
        let Some((name, is_on, old)) = world.ask(id) else { return };
        let wanted = {
            let mut book = world.book.lock();
            book.buckets.forget(id);
            let Some(known) = book.triggers.get_mut(&id) else { return };
            known.allow(&policy);
            let mut plan = known.plan.clone();
            plan.policy = policy.clone();
            evoke_engine::NewTrigger { enabled: is_on, ..plan.new_trigger() }
        };
        world.say(format!("change {name} to {}", json!(policy)));
        tokio::spawn(async move {
            let done = engine.update_trigger(id, wanted, &Actor::local()).await;
            let policy = if done.is_ok() { policy } else { old };
            world.book.lock().buckets.forget(id);
            world.answered(id, &policy, is_on, &format!("{name} is changed: {}", done.is_ok()));
        });
    }

    /// Stops an execution.
    pub(crate) fn cancel(&self, id: ExecutionId, label: String) {
        let Self { world, engine } = self.clone();
        world.say(format!("cancel {label}"));
        world.book.lock().cancels.insert(id);
        tokio::spawn(async move {
            let done = engine.cancel(id).await;
            world.tell(&format!("cancel {label}"), done);
        });
    }

    /// Runs an execution that is over again.
    pub(crate) fn retry(&self, id: ExecutionId, label: String) {
        let Self { world, engine } = self.clone();
        world.say(format!("retry {label}"));
        tokio::spawn(async move {
            let done = engine.retry(id).await;
            world.tell(&format!("retry {label}"), done);
        });
    }

    /// Gives a dead letter other data, with the same keys.
    pub(crate) fn edit(&self, id: ExecutionId, label: String, data: Data) {
        let Self { world, engine } = self.clone();
        world.say(format!("edit {label}"));
        tokio::spawn(async move {
            let done = engine.edit_dead_letter(id, data, &Actor::local()).await;
            world.tell(&format!("edit {label}"), done);
        });
    }

    /// Takes the dead letters of a trigger off the list.
    pub(crate) fn purge(&self, trigger: TriggerId) {
        let Self { world, engine } = self.clone();
        world.say("purge dead letters of a trigger");
        let filter = DeadLetterFilter { trigger: Some(trigger), ..DeadLetterFilter::default() };
        tokio::spawn(async move {
            let done = engine.purge_dead_letters(filter, &Actor::local()).await;
            world.tell("purge", done);
        });
    }

    /// Runs all dead letters again.
    pub(crate) fn redrive(&self, request: Redrive) {
        let Self { world, engine } = self.clone();
        world.say(format!("redrive {}", json!(request)));
        tokio::spawn(async move {
            let done = engine.redrive(request, &Actor::local()).await;
            world.tell("redrive", done.map(|operation| operation.id));
        });
    }

    /// Sends a part of the log again.
    pub(crate) fn replay(&self, request: Replay) {
        let Self { world, engine } = self.clone();
        world.say(format!("replay {}", json!(request)));
        tokio::spawn(async move {
            let done = engine.replay(request, &Actor::local()).await;
            world.tell("replay", done.map(|operation| operation.id));
        });
    }

    /// Ends an operation.
    pub(crate) fn call_off(&self, id: OperationId) {
        let Self { world, engine } = self.clone();
        world.say(format!("call off {id}"));
        tokio::spawn(async move {
            let done = engine.cancel_operation(id, &Actor::local()).await;
            world.tell("call off", done.map(|operation| operation.status));
        });
    }
}

impl World {
    /// A change of a trigger is asked for: its name and what holds until then. `None` while another
    /// change is under way.
    fn ask(&self, id: TriggerId) -> Option<(String, bool, Policy)> {
        let mut book = self.book.lock();
        let known = book.triggers.get_mut(&id).filter(|known| !known.is_unsure)?;
        known.asked();
        Some((known.plan.name.clone(), known.enabled, known.plan.policy.clone()))
    }

    fn answered(&self, id: TriggerId, policy: &Policy, is_on: bool, text: &str) {
        if let Some(known) = self.book.lock().triggers.get_mut(&id) {
            known.settle(policy, is_on);
        }
        self.say(text);
    }

    fn tell<T: std::fmt::Debug>(&self, what: &str, done: Result<T, Rejection>) {
        match done {
            Ok(answer) => self.say(format!("{what}: {answer:?}")),
            Err(rejection) => self.say(format!("{what} refused: {rejection}")),
        }
    }
}

fn draft(drafted: &Drafted) -> Draft {
    let of = |prefix: &str| {
        let key = drafted.once.iter().find_map(|key| key.strip_prefix(prefix));
        key.map(Into::into)
    };
    Draft {
        kind: drafted.kind.into(),
        data: Data::from_value(&drafted.data),
        id: of("id:"),
        idempotency_key: of("key:"),
        due: drafted.due,
        ..Draft::default()
    }
}

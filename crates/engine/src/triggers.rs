//! Triggers: checked whole, stored, then put to work.

use std::sync::Arc;

use evoke_model::policy::Mode;
use evoke_model::trigger::Owner;
use evoke_model::{Code, Policy, Problem, Rejection, Target, Trigger, TriggerId, suggest};
use evoke_ports::store::Change;
use evoke_ports::{Source, Timing};
use serde_json::{Value, json};

use crate::audit::{Actor, action};
use crate::catalog::{Filled, under};
use crate::schedules;
use crate::start::{Engine, Inner};

/// A trigger as somebody wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrigger {
    /// The name, unique among the triggers of one owner.
    pub name: String,
    /// The kind of source.
    pub kind: String,
    /// The kind's configuration, as given.
    pub config: Value,
    /// Where executions go.
    pub target: Target,
    /// How they are carried out.
    pub policy: Policy,
    /// Whether it fires.
    pub enabled: bool,
}

/// A trigger as a project declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The trigger, with references to secrets filled in.
    pub new: NewTrigger,
    /// Its configuration and target as they were written, where something was filled in: only this
    /// is stored and shown.
    pub written: Option<(Value, Target)>,
}

impl From<NewTrigger> for Declared {
    fn from(new: NewTrigger) -> Self {
        Self { new, written: None }
    }
}

/// A trigger that was checked.
pub(crate) struct Made {
    pub(crate) trigger: Trigger,
    /// What it works with, where that is not what is stored.
    pub(crate) filled: Option<Filled>,
}

/// Whether a trigger fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enabled {
    /// It fires.
    Yes,
    /// It does not, and what waits keeps waiting.
    No,
}

impl Engine {
    /// All triggers that were not deleted, by name.
    pub fn triggers(&self) -> Vec<Arc<Trigger>> {
        let snapshot = self.inner.catalog.load();
        let mut triggers: Vec<_> = snapshot
            .triggers
            .values()
            .filter(|trigger| trigger.deleted_at.is_none())
            .cloned()
            .collect();
        triggers.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        triggers
    }

    /// One trigger, by id or name.
    ///
    /// # Errors
    /// TR_001.
    pub fn trigger(&self, id_or_name: &str) -> Result<Arc<Trigger>, Rejection> {
        let snapshot = self.inner.catalog.load();
        let here = || snapshot.triggers.values().filter(|trigger| trigger.deleted_at.is_none());
        let by_id = id_or_name.parse().ok().and_then(|id| snapshot.triggers.get(&id));
        let found = by_id.filter(|trigger| trigger.deleted_at.is_none()).or_else(|| {
            here().filter(|trigger| trigger.name == id_or_name).min_by_key(|trigger| trigger.id)
        });
        found.cloned().ok_or_else(|| {
            let mut names: Vec<_> = here().map(|trigger| trigger.name.as_str()).collect();
            names.sort_unstable();
            let hint = suggest::nearest(id_or_name, names)
                .map(|name| format!(", did you mean {name:?}?"))
                .unwrap_or_default();
            Rejection::new(
                Code::TriggerNotFound,
                format!("there is no trigger {id_or_name:?}{hint}"),
            )
        })
    }

    /// A trigger's configuration as it may be shown: secrets are replaced, references to them are
    /// not.
    pub fn shown(&self, trigger: &Trigger) -> Value {
        self.inner.catalog.shown(trigger)
    }

    /// Creates a trigger.
    ///
    /// # Errors
    /// TR_002 with all problems, TR_003 when the name or what it listens to is taken.
    pub async fn create_trigger(
        &self,
        new: NewTrigger,
        actor: &Actor,
    ) -> Result<Arc<Trigger>, Rejection> {
        let inner = &self.inner;
        let _gate = inner.catalog.gate.lock().await;
        let taken = inner.catalog.load().triggers.values().any(|trigger| {
            trigger.deleted_at.is_none() && trigger.owner == Owner::Api && trigger.name == new.name
        });
        if taken {
            let message = format!("there is a trigger called {:?} already", new.name);
            return Err(Rejection::new(Code::TriggerConflict, message));
        }
        let trigger = inner.make(new, Owner::Api, None)?.trigger;
        inner.must_be_free(&trigger)?;
        inner.put_by_hand(trigger, action::CREATE_TRIGGER, actor).await
    }

    /// Changes a trigger that was created through the API. What comes back as it was shown keeps
    /// the secret it stands for.
    ///
    /// # Errors
    /// TR_001, TR_002, TR_003 for one that a manifest declares and where the name or what it
    /// listens to is taken.
    pub async fn update_trigger(
        &self,
        id: TriggerId,
        mut new: NewTrigger,
        actor: &Actor,
    ) -> Result<Arc<Trigger>, Rejection> {
        let inner = &self.inner;
        let _gate = inner.catalog.gate.lock().await;
        let old = self.trigger(&id.to_string())?;
        must_be_ours(&old)?;
        if new.kind == old.kind {
            keep_hidden(&mut new.config, &inner.catalog.shown(&old), &old.config);
        }
        let trigger = inner.make(new, Owner::Api, Some(&old))?.trigger;
        inner.must_be_free(&trigger)?;
        inner.put_by_hand(trigger, action::UPDATE_TRIGGER, actor).await
    }

    /// Lets a trigger fire or not. What waits is kept.
    ///
    /// # Errors
    /// TR_001.
    pub async fn set_trigger_enabled(
        &self,
        id: TriggerId,
        enabled: Enabled,
        actor: &Actor,
    ) -> Result<Arc<Trigger>, Rejection> {
        let _gate = self.inner.catalog.gate.lock().await;
        let old = self.trigger(&id.to_string())?;
        let enabled = enabled == Enabled::Yes;
        let now = self.inner.clock.now();
        let trigger = Trigger { enabled, updated_at: now, ..Trigger::clone(&old) };
        let action = if enabled { action::ENABLE_TRIGGER } else { action::DISABLE_TRIGGER };
        self.inner.put_by_hand(trigger, action, actor).await
    }

    /// Deletes a trigger that was created through the API: what waits is cancelled, the history
    /// stays.
    ///
    /// # Errors
    /// TR_001, TR_003 for one that a manifest declares.
    pub async fn delete_trigger(&self, id: TriggerId, actor: &Actor) -> Result<(), Rejection> {
        let inner = &self.inner;
        let _gate = inner.catalog.gate.lock().await;
        let old = self.trigger(&id.to_string())?;
        must_be_ours(&old)?;
        let now = inner.clock.now();
        let trigger = Trigger { deleted_at: Some(now), updated_at: now, ..Trigger::clone(&old) };
        let trigger = inner.put_by_hand(trigger, action::DELETE_TRIGGER, actor).await?;
        inner.abandon_all(&trigger).await
    }
}

/// Puts what is secret back where a new configuration has only what was shown of the old one.
/// Configurations were read from JSON, whose depth is bounded, so this may recurse.
fn keep_hidden(new: &mut Value, shown: &Value, old: &Value) {
    if shown == old {
        return;
    }
    match (new, shown, old) {
        (Value::Object(new), Value::Object(shown), Value::Object(old)) => {
            for (name, value) in new {
                if let (Some(shown), Some(old)) = (shown.get(name), old.get(name)) {
                    keep_hidden(value, shown, old);
                }
            }
        }
        (Value::Array(new), Value::Array(shown), Value::Array(old)) => {
            for ((value, shown), old) in new.iter_mut().zip(shown).zip(old) {
                keep_hidden(value, shown, old);
            }
        }
        (new, shown, old) if new == shown => new.clone_from(old),
        _ => {}
    }
}

/// Policies that make no sense where a caller waits for the answer: better refused than silently
/// ignored.
fn not_for_requests(policy: &Policy) -> Vec<Problem> {
    let refuse = |field| {
        Problem::new(field, "does not apply to requests: their caller waits for the answer")
            .suggest("send an event from the handler and give its trigger this policy")
    };
    for_later(policy).map(refuse).collect()
}

/// The same for hooks.
fn not_for_hooks(policy: &Policy) -> Vec<Problem> {
    let refuse = |field| {
        Problem::new(field, "does not apply to hooks: the change waits for the answer")
            .suggest("leave it out, or use a second trigger with `mode: async`")
    };
    for_later(policy).chain(policy.rate.is_some().then_some("rate")).map(refuse).collect()
}

/// The parts of a policy that only make sense where nobody waits.
fn for_later(policy: &Policy) -> impl Iterator<Item = &'static str> {
    let asked = [
        ("batch", policy.batch.is_some()),
        ("debounce", policy.debounce.is_some()),
        ("order_by", policy.order_by.is_some()),
        ("concurrency", policy.concurrency.is_some()),
        ("transform", policy.transform.is_some()),
        ("idempotency", policy.idempotency.is_some()),
        ("dead_letter", policy.dead_letter.is_some()),
        ("retry", policy.retry.is_some()),
    ];
    asked.into_iter().filter_map(|(field, is_asked)| is_asked.then_some(field))
}

/// Problems of a kind's configuration where its author wrote it: the API takes it as `config`, in
/// declarations its fields stand beside the others.
fn placed(owner: &Owner, problems: Vec<Problem>) -> Vec<Problem> {
    if *owner == Owner::Api { under("config", problems) } else { problems }
}

/// The same for a problem of a policy or of a pattern.
fn in_policy(owner: &Owner, problem: Problem) -> Vec<Problem> {
    const PATTERNS: [&str; 3] = ["match", "source", "subject"];
    match owner {
        Owner::Api if PATTERNS.contains(&problem.field.as_str()) => under("config", vec![problem]),
        Owner::Api => under("policy", vec![problem]),
        _ => vec![problem],
    }
}

fn must_be_ours(trigger: &Trigger) -> Result<(), Rejection> {
    let place = match &trigger.owner {
        Owner::Api => return Ok(()),
        Owner::Manifest(function) | Owner::Function(function) => {
            format!("by function {function:?}: change its manifest")
        }
        Owner::Project => "in the project: change it there".to_owned(),
    };
    let message = format!("trigger {:?} is declared {place}", trigger.name);
    Err(Rejection::new(Code::TriggerConflict, message))
}

impl Inner {
    /// Checks a wished trigger whole and makes it, new or in the place of `old`.
    pub(crate) fn make(
        &self,
        declared: impl Into<Declared>,
        owner: Owner,
        old: Option<&Trigger>,
    ) -> Result<Made, Rejection> {
        let Declared { new, written } = declared.into();
        let mut problems = Vec::new();
        if new.name.is_empty() || new.name.len() > 200 {
            problems.push(Problem::new("name", "must have 1 to 200 characters"));
        }
        let source = self.catalog.source(&new.kind).map_err(|problem| problems.push(problem)).ok();
        let config = source.map_or(Ok(Value::Null), |source| source.check(&new.config));
        let config = config.unwrap_or_else(|found| {
            problems.extend(placed(&owner, found));
            Value::Null
        });
        problems.extend(self.no_future((source, &config), (&owner, &new.name), old));
        if let Err(found) = self.catalog.open(&new.target) {
            problems.extend(found);
        }
        let subscription = source.and_then(|source| source.subscription(&config));
        let mut found = evoke_matching::check(&new.policy, subscription.as_ref());
        if self.is_answered(&new.kind, &new.policy) {
            found.extend(not_for_requests(&new.policy));
            if new.policy.mode == Some(Mode::Sync) && new.target.function_name().is_none() {
                let problem = Problem::new("mode", "only a function can answer a request");
                found.push(problem.suggest("`mode: async`, or a target of type function"));
            }
        }
        if self.catalog.is_hook(&new.kind, &new.policy) {
            found.extend(not_for_hooks(&new.policy));
            if new.target.function_name().is_none() {
                let problem = Problem::new("mode", "only a function can be asked before a change");
                found.push(problem.suggest("`mode: async`, or a target of type function"));
            }
        } else if new.policy.allow_modify.is_some() {
            let message = "only a hook can change what it is asked about";
            let problem = Problem::new("allow_modify", message);
            found.push(problem.suggest("`mode: sync` on a trigger of type database"));
        }
        problems.extend(found.into_iter().flat_map(|problem| in_policy(&owner, problem)));
        if !problems.is_empty() {
            return Err(Rejection::of(Code::InvalidTrigger, problems));
        }
        let now = self.clock.now();
        let (stored, filled) = match written {
            None => ((config, new.target), None),
            Some(written) => (written, Some(Filled { config, target: new.target })),
        };
        let trigger = Trigger {
            id: old.map_or_else(|| self.ids.trigger(now), |old| old.id),
            name: new.name,
            kind: new.kind,
            config: stored.0,
            target: stored.1,
            policy: new.policy,
            enabled: new.enabled,
            owner,
            created_at: old.map_or(now, |old| old.created_at),
            updated_at: now,
            updated_by: None,
            deleted_at: None,
        };
        Ok(Made { trigger, filled })
    }

    /// Whether callers wait for the answer of triggers of this kind and policy.
    fn is_answered(&self, kind: &str, policy: &Policy) -> bool {
        self.catalog.passes_requests(kind)
            || (self.catalog.intake(kind).is_some() && policy.mode == Some(Mode::Sync))
    }

    /// Refuses a trigger made by hand that wants the same requests as another one.
    fn must_be_free(&self, trigger: &Trigger) -> Result<(), Rejection> {
        let intake = self.catalog.intake(&trigger.kind);
        let rival = intake.and_then(|intake| intake.rival(&trigger.config, Some(trigger.id)));
        let rival = rival.and_then(|id| self.catalog.load().triggers.get(&id).cloned());
        match rival {
            None => Ok(()),
            Some(rival) => {
                let message = format!("trigger {:?} takes these requests already", rival.name);
                Err(Rejection::new(Code::TriggerConflict, message))
            }
        }
    }

    /// A new timetable that is over before it begins is a slip of who makes it by hand. A project
    /// keeps what it declares when its time is over.
    fn no_future(
        &self,
        (source, config): (Option<&Arc<dyn Source>>, &Value),
        (owner, name): (&Owner, &str),
        old: Option<&Trigger>,
    ) -> Vec<Problem> {
        let recurring = |config: &Value| match source?.timing(config) {
            Some(Timing::Schedule(recurring)) => Some(recurring),
            _ => None,
        };
        let before = old.filter(|old| old.kind == Trigger::SCHEDULE);
        let before = before.and_then(|old| recurring(&old.config));
        let problem = recurring(config).and_then(|recurring| {
            schedules::no_future(&recurring, before.as_deref(), self.clock.now())
        });
        match problem {
            Some(problem) if *owner == Owner::Api => placed(owner, vec![problem]),
            Some(problem) => {
                tracing::warn!("Schedule {name:?} has ended: {problem}");
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Stores a trigger and puts it to work. The caller holds the gate.
    pub(crate) async fn put(&self, trigger: Trigger) -> Result<Arc<Trigger>, Rejection> {
        self.keep(Arc::new(trigger), None).await
    }

    /// Writes a trigger, where it stands if it fires by itself, and what the trail tells of it.
    async fn keep(
        &self,
        trigger: Arc<Trigger>,
        entry: Option<Change>,
    ) -> Result<Arc<Trigger>, Rejection> {
        let _turn = self.timed.turn.write().await;
        let place = self.place(&trigger);
        let change = Change::Trigger(trigger.clone());
        let more = place.change(&trigger).into_iter().chain(entry);
        self.change_all(std::iter::once(change).chain(more)).await?;
        self.stand(&trigger, place);
        Ok(self.put_to_work(trigger))
    }

    /// The same for what somebody does by hand: with an entry in the audit trail.
    async fn put_by_hand(
        &self,
        mut trigger: Trigger,
        action: &str,
        actor: &Actor,
    ) -> Result<Arc<Trigger>, Rejection> {
        trigger.updated_by = Some(actor.0.to_string());
        let trigger = Arc::new(trigger);
        let detail = json!({
            "name": trigger.name,
            "type": trigger.kind,
            "enabled": trigger.enabled,
            "policy": trigger.policy,
        });
        let entry = self.audit_entry(actor, action, trigger.id.to_string(), detail);
        self.keep(trigger, Some(entry)).await
    }

    fn put_to_work(&self, trigger: Arc<Trigger>) -> Arc<Trigger> {
        let snapshot = self.catalog.load();
        let mut triggers = snapshot.triggers.clone();
        triggers.insert(trigger.id, trigger.clone());
        self.catalog.replace(triggers, snapshot.functions.clone());
        self.dispatcher.take(&trigger, &self.catalog);
        trigger
    }

    /// Puts a declared trigger in the place of `old`, if it changed. One that somebody switched off
    /// stays off until its declaration changes. The caller holds the gate.
    pub(crate) async fn put_declared(
        &self,
        old: Option<Arc<Trigger>>,
        made: Made,
    ) -> Result<(), Rejection> {
        let Made { mut trigger, filled } = made;
        let is_refilled = self.catalog.fill(trigger.id, filled);
        if let Some(old) = &old {
            let unchanged = Trigger {
                enabled: old.enabled,
                updated_at: old.updated_at,
                updated_by: old.updated_by.clone(),
                ..trigger.clone()
            };
            if unchanged == **old {
                if is_refilled {
                    let _turn = self.timed.turn.write().await;
                    let place = self.place(old);
                    self.stand(old, place);
                    self.put_to_work(old.clone());
                } else {
                    self.dispatcher.take(old, &self.catalog);
                }
                return Ok(());
            }
            trigger.enabled &= old.enabled;
        }
        self.put(trigger).await.map(|_| ())
    }

    /// Deletes a trigger. The caller holds the gate.
    pub(crate) async fn delete(&self, old: &Trigger) -> Result<(), Rejection> {
        let now = self.clock.now();
        let trigger = Trigger { deleted_at: Some(now), updated_at: now, ..old.clone() };
        let trigger = self.put(trigger).await?;
        self.abandon_all(&trigger).await
    }
}

//! Which function is tested, and as if which trigger fired.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use evoke_cli::args::TestSubject;
use evoke_cli::{Failure, Outcome};
use evoke_client::Class;
use evoke_model::suggest::did_you_mean;
use evoke_model::trigger::Owner;
use evoke_model::{Code, IdSource, Policy, Target, Timestamp, Trigger};
use evoke_ports::{Source, Timing};
use evoke_project::{Desired, DesiredFunction, DesiredTrigger, FileProblem};
use serde_json::json;

use super::samples;
use crate::app;

/// The kinds of triggers of this version.
pub(super) struct Sources(BTreeMap<String, Arc<dyn Source>>);

impl Sources {
    pub(super) fn new() -> Self {
        Self(app::sources())
    }

    pub(super) fn get(&self, kind: &str) -> Option<&Arc<dyn Source>> {
        self.0.get(kind)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(super) fn by_kind(&self) -> BTreeMap<String, Arc<dyn Source>> {
        self.0.clone()
    }

    /// Whether functions get the requests of this kind as they are. One that makes events of them
    /// has an origin.
    pub(super) fn takes_requests(&self, kind: &str) -> bool {
        self.get(kind).is_some_and(|source| source.intake().is_some() && source.origin().is_none())
    }
}

/// A function and what may cause its runs.
pub(super) struct Subject {
    pub(super) function: DesiredFunction,
    /// Its own triggers in their order, then those of others that run it.
    pub(super) triggers: Vec<Arc<Trigger>>,
    pub(super) sources: Sources,
    pub(super) ids: IdSource,
    now: Timestamp,
}

impl Subject {
    /// The function that is named, or the only one.
    pub(super) fn find(
        desired: &Desired,
        sources: Sources,
        name: Option<&str>,
        now: Timestamp,
    ) -> Outcome<Self> {
        let function = match name {
            Some(name) => named(desired, name)?,
            None => only(desired)?,
        };
        let own = &function.spec.name;
        let others = desired.functions.iter().filter(|other| other.spec.name != *own);
        let others = others.flat_map(|other| &other.triggers).chain(&desired.triggers);
        let others = others.filter(|trigger| calls(trigger, own, &sources));
        let ids = IdSource::new(0, 0);
        let made = function.triggers.iter().chain(others).map(|trigger| made(trigger, &ids, now));
        let triggers = made.map(Arc::new).collect();
        Ok(Self { function: function.clone(), triggers, sources, ids, now })
    }

    /// The trigger that is asked for; `None` when none is.
    pub(super) fn wished(&self, wish: &TestSubject) -> Outcome<Option<Arc<Trigger>>> {
        if let Some(name) = &wish.trigger {
            return self.trigger(name).map(Some);
        }
        let Some(kind) = &wish.kind else { return Ok(None) };
        if let Some(own) = self.triggers.iter().find(|trigger| trigger.kind == *kind) {
            return Ok(Some(own.clone()));
        }
        samples::of_kind(kind, &self.sources)?;
        Ok(Some(Arc::new(self.stand_in(kind))))
    }

    fn trigger(&self, name: &str) -> Outcome<Arc<Trigger>> {
        if let Some(trigger) = self.triggers.iter().find(|trigger| trigger.name == name) {
            return Ok(trigger.clone());
        }
        let function = &self.function.spec.name;
        let mut failure =
            Failure::new(Class::NotFound, format!("function {function:?} has no trigger {name:?}"));
        failure.code = Some(Code::TriggerNotFound.as_str().into());
        let known = self.triggers.iter().map(|trigger| trigger.name.as_str());
        Err(match self.triggers.is_empty() {
            true => failure.hint("it has none; --kind makes up an event of any kind"),
            false => failure.hint(did_you_mean(name, known)),
        })
    }

    /// Direct invocation, which every function has.
    pub(super) fn invocation(&self) -> Arc<Trigger> {
        let name = format!("{}/{}", self.function.spec.name, Trigger::INVOKE);
        Arc::new(Trigger { name, ..self.stand_in(Trigger::INVOKE) })
    }

    /// A trigger of a kind of which the function has none.
    fn stand_in(&self, kind: &str) -> Trigger {
        let example = self.sources.get(kind).map(|source| source.descriptor().example.clone());
        let name = &self.function.spec.name;
        Trigger {
            id: self.ids.trigger(self.now),
            name: "sample".to_owned(),
            kind: kind.to_owned(),
            config: example.unwrap_or_else(|| json!({})),
            target: Target::function(name),
            policy: Policy::default(),
            enabled: true,
            owner: Owner::Function(name.clone()),
            created_at: self.now,
            updated_at: self.now,
            updated_by: None,
            deleted_at: None,
        }
    }

    /// Whether the trigger asks the function whether something happened.
    pub(super) fn is_asked(&self, trigger: &Trigger) -> bool {
        asks(&trigger.kind, &trigger.config, &self.sources)
            .is_some_and(|function| function == self.function.spec.name)
    }

    /// The triggers whose requests the function gets as they are.
    pub(super) fn routes(&self) -> Vec<Arc<Trigger>> {
        let takes = |trigger: &&Arc<Trigger>| self.sources.takes_requests(&trigger.kind);
        self.triggers.iter().filter(takes).cloned().collect()
    }
}

/// The function a trigger asks, if it asks one.
fn asks(kind: &str, config: &serde_json::Value, sources: &Sources) -> Option<String> {
    match sources.get(kind)?.timing(config)? {
        Timing::Poll(poll) => Some(poll.function.clone()),
        Timing::Schedule(_) => None,
    }
}

fn calls(trigger: &DesiredTrigger, function: &str, sources: &Sources) -> bool {
    trigger.target.function_name() == Some(function)
        || asks(&trigger.kind, &trigger.config, sources).is_some_and(|asked| asked == function)
}

fn made(trigger: &DesiredTrigger, ids: &IdSource, now: Timestamp) -> Trigger {
    let function = trigger.target.function_name().unwrap_or_default().to_owned();
    Trigger {
        id: ids.trigger(now),
        name: trigger.name.clone(),
        kind: trigger.kind.clone(),
        config: trigger.config.clone(),
        target: trigger.target.clone(),
        policy: trigger.policy.clone(),
        // A trigger that is switched off can be tried all the same.
        enabled: true,
        owner: Owner::Manifest(function),
        created_at: now,
        updated_at: now,
        updated_by: None,
        deleted_at: None,
    }
}

fn named<'d>(desired: &'d Desired, name: &str) -> Outcome<&'d DesiredFunction> {
    if let Some(function) = desired.function(name) {
        return Ok(function);
    }
    if desired.broken.contains(name) {
        let own = |problem: &&FileProblem| is_of(&problem.path, name);
        let (mut found, mut message) = (problems(desired, own), "it cannot be run");
        if found.is_empty() {
            // A manifest may give another name than its folder has.
            (found, message) = (problems(desired, |_| true), "the project has problems");
        }
        let mut failure = Failure::mistake(format!("function {name:?}: {message}"));
        failure.code = Some(Code::InvalidConfiguration.as_str().into());
        return Err(failure.problems(found));
    }
    let message = format!("there is no function {name:?}");
    let mut failure = Failure::new(Class::NotFound, message);
    failure.code = Some(Code::FunctionNotFound.as_str().into());
    let known: Vec<&str> =
        desired.functions.iter().map(|function| function.spec.name.as_str()).collect();
    Err(match known.is_empty() {
        true => failure.hint("the project has none; --dir names another project"),
        false => failure.hint(did_you_mean(name, known)),
    })
}

fn only(desired: &Desired) -> Outcome<&DesiredFunction> {
    match desired.functions.as_slice() {
        [only] => Ok(only),
        [] => Err(Failure::mistake("the project has no function that can be run")
            .problems(problems(desired, |_| true))
            .hint("--dir names another project")),
        several => {
            let names: Vec<&str> =
                several.iter().map(|function| function.spec.name.as_str()).collect();
            Err(Failure::mistake("say which function")
                .hint(format!("one of: {}", names.join(", "))))
        }
    }
}

fn is_of(path: &Path, function: &str) -> bool {
    path.components().any(|part| part.as_os_str() == function)
}

/// Problems with their files in the place of their fields.
fn problems(
    desired: &Desired,
    is_meant: impl Fn(&&FileProblem) -> bool,
) -> Vec<evoke_model::Problem> {
    let in_file = |found: &FileProblem| {
        let field = match found.problem.field.as_str() {
            "" => found.path.display().to_string(),
            field => format!("{}: {field}", found.path.display()),
        };
        evoke_model::Problem { field, ..found.problem.clone() }
    };
    desired.problems.iter().filter(is_meant).map(in_file).collect()
}

/// What will not do what it says of this function.
pub(super) fn warnings(desired: &Desired, function: &str) -> Vec<String> {
    let own = desired.warnings.iter().filter(|warning| is_of(&warning.path, function));
    own.map(|warning| format!("warning: {warning}")).collect()
}

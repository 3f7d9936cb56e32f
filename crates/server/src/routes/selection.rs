//! Which triggers and which executions: what all lists of them have in common, from the words of a
//! query to a page of the record.

use std::str::FromStr;
use std::sync::Arc;

use evoke_engine::{Engine, ExecutionView};
use evoke_model::suggest::{did_you_mean, nearest};
use evoke_model::{Cause, Code, ExecutionId, Problem, State, Trigger, TriggerId};
use evoke_ports::store::{ExecutionQuery, Page};
use utoipa::IntoParams;

use crate::query::{FromQuery, Paging, Query, Span, Tier};
use crate::refusal::Refusal;

/// Whose executions.
#[derive(IntoParams, Clone, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// Of this function, by name or id.
    pub(crate) function: Option<String>,
    /// Of this trigger, by name or id.
    pub(crate) trigger: Option<String>,
}

impl FromQuery for Whose {
    fn read(query: &mut Query) -> Self {
        Self { function: query.text("function"), trigger: query.text("trigger") }
    }
}

/// A cause as it is written in a query.
#[derive(Clone, Copy)]
struct CauseText(Cause);

impl FromStr for CauseText {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let cause = text.parse().ok().filter(|_| text.len() == 16);
        cause.map(Self).ok_or(())
    }
}

/// The cause a caller asks for.
pub(crate) fn cause(query: &mut Query) -> Option<Cause> {
    let cause: Option<CauseText> = query.parsed("cause", "16 hexadecimal digits");
    cause.map(|cause| cause.0)
}

/// The states a caller asks for.
pub(crate) fn states(query: &mut Query) -> Vec<State> {
    let Some(text) = query.text("status") else { return Vec::new() };
    let mut states = Vec::new();
    for word in text.split(',') {
        match word.trim().parse() {
            Ok(state) => states.push(state),
            Err(()) => {
                let shown: String = word.chars().take(64).collect();
                let hint = did_you_mean(word, State::ALL.map(State::as_str));
                let problem = Problem::new("status", format!("{shown:?} is not a state"));
                query.problem(problem.suggest(hint));
            }
        }
    }
    states
}

/// Reads an id; what is not one cannot be found.
pub(crate) fn id_of(text: &str) -> Result<ExecutionId, Refusal> {
    text.parse().map_err(|error| {
        Refusal::new(Code::ExecutionNotFound, format!("there is no execution {text:?}: {error}"))
    })
}

/// The name of a function that is given by name or id.
pub(crate) fn function_name(engine: &Engine, given: &str) -> Result<String, Refusal> {
    Ok(engine.function(given)?.record.spec.name)
}

/// Tells the triggers that run a function, which is given by name or id; all do where none is.
pub(crate) fn running(
    engine: &Engine,
    function: Option<&str>,
) -> Result<impl Fn(&Trigger) -> bool + use<>, Refusal> {
    let name = function.map(|given| function_name(engine, given)).transpose()?;
    Ok(move |trigger: &Trigger| name.is_none() || trigger.target.function_name() == name.as_deref())
}

/// All triggers of a kind, by name.
pub(crate) fn of_kind(engine: &Engine, kind: &str) -> Vec<Arc<Trigger>> {
    let mut triggers = engine.triggers();
    triggers.retain(|trigger| trigger.kind == kind);
    triggers
}

/// A trigger of a kind by its id or name. One of another kind may have the same name.
pub(crate) fn find(engine: &Engine, kind: &str, id_or_name: &str) -> Result<Arc<Trigger>, Refusal> {
    let triggers = of_kind(engine, kind);
    let found = triggers
        .iter()
        .find(|trigger| trigger.name == id_or_name || trigger.id.to_string() == id_or_name);
    found.cloned().ok_or_else(|| {
        let names = triggers.iter().map(|trigger| trigger.name.as_str());
        let hint = nearest(id_or_name, names).map(|name| format!(", did you mean {name:?}?"));
        let message = format!("there is no {kind} {id_or_name:?}{}", hint.unwrap_or_default());
        Refusal::new(Code::TriggerNotFound, message)
    })
}

/// The id of a trigger that is given by name or id. A deleted one is found by its id alone, so that
/// its history stays within reach.
pub(crate) fn trigger_id(engine: &Engine, given: &str) -> Result<TriggerId, Refusal> {
    match given.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(engine.trigger(given)?.id),
    }
}

/// Everything that narrows a list of executions.
#[derive(Default)]
pub(crate) struct Selection {
    pub(crate) whose: Whose,
    pub(crate) trigger_type: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) span: Span,
    pub(crate) paging: Paging,
    pub(crate) tier: Tier,
    /// The rest, as the record is asked.
    pub(crate) rest: ExecutionQuery,
}

impl Selection {
    /// A page of the record, or of its archive.
    pub(crate) async fn page(&self, engine: &Engine) -> Result<Page<ExecutionView>, Refusal> {
        let triggers = match self.triggers(engine)? {
            Some(triggers) if triggers.is_empty() => {
                return Ok(Page { items: Vec::new(), next: None });
            }
            triggers => triggers.unwrap_or_default(),
        };
        let event = match &self.event {
            Some(id) => Some(engine.event(id).await?.id),
            None => None,
        };
        let query = ExecutionQuery {
            triggers,
            event,
            since: self.span.since,
            until: self.span.until,
            limit: self.paging.limit,
            cursor: self.paging.cursor.clone(),
            ..self.rest.clone()
        };
        Ok(match self.tier {
            Tier::Active => engine.executions(query).await?,
            Tier::Archived => engine.archived_executions(query).await?,
        })
    }

    /// The triggers that function, trigger and kind leave; `None` when none of them is asked for.
    pub(crate) fn triggers(&self, engine: &Engine) -> Result<Option<Vec<TriggerId>>, Refusal> {
        let Whose { function, trigger } = &self.whose;
        if function.is_none() && trigger.is_none() && self.trigger_type.is_none() {
            return Ok(None);
        }
        let trigger = match trigger {
            Some(given) => Some(trigger_id(engine, given)?),
            None => None,
        };
        if let (None, Some(id), None) = (function, trigger, &self.trigger_type) {
            return Ok(Some(vec![id]));
        }
        let runs_it = running(engine, function.as_deref())?;
        let triggers = engine.triggers();
        let left = triggers.iter().filter(|known| {
            let is_kind = self.trigger_type.as_ref().is_none_or(|kind| *kind == known.kind);
            runs_it(known) && is_kind && trigger.is_none_or(|id| id == known.id)
        });
        Ok(Some(left.map(|trigger| trigger.id).collect()))
    }
}

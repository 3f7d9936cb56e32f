//! What may be asked for. As JSON these are the words of the API, and what is kept of a request.

use evoke_model::operation::OperationKind;
use evoke_model::policy::Rate;
use evoke_model::{
    Code, EventId, Failure, Operation, Problem, Redirect, Rejection, Timestamp, TriggerId,
};
use evoke_ports::Functions;
use serde::{Deserialize, Serialize};

use super::pace;
use crate::dead_letters::DeadLetterFilter;
use crate::start::Inner;

/// Dead letters reopened in a second, if the request does not say.
const REDRIVE_PER_SECOND: u32 = 50;

/// Events sent in a second, if the request does not say.
const REPLAY_PER_SECOND: u32 = 100;

/// Repetitions of a cause after which a redrive stops, if the request does not say.
const STOP_AFTER: u32 = 5;

/// Dead letters to be run again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redrive {
    /// Which ones.
    pub filter: DeadLetterFilter,
    /// The function they go to instead of their trigger's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Redirect>,
    /// How fast; 50 a second if not given. Has no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Stops when so many of them died again of the cause they had; 5 if not given, 0 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<u32>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Events of the log to be sent again. Test runs and events that are repetitions themselves are
/// never among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replay {
    /// Pattern over the type, as in triggers: `order.*`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Pattern over the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Pattern over the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Accepted at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Accepted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// CEL condition over the event. One without an answer does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Who gets them.
    pub to: ReplayTo,
    /// How fast; 100 events a second if not given. Has no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// At most so many events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Who gets the events of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayTo {
    /// All triggers that want them. Requests and direct calls are wanted by none: they went to one
    /// function.
    #[default]
    Matching,
    /// This trigger, as far as it wants them.
    Trigger(TriggerId),
    /// This function, whatever its triggers want.
    Function(Redirect),
}

/// What a replay would send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayCount {
    /// Events that were looked at.
    pub seen: u64,
    /// Events that would be sent.
    pub events: u64,
    /// The executions that would begin with them: by trigger, with its name, largest first.
    pub executions: Vec<(TriggerId, String, u64)>,
    /// The oldest event that would be sent.
    pub first: Option<EventId>,
    /// The newest event that would be sent.
    pub last: Option<EventId>,
}

impl Redrive {
    pub(super) fn pace(&self) -> pace::Pace {
        let rate = self.rate.clone().unwrap_or_else(|| pace::per_second(REDRIVE_PER_SECOND));
        pace::Pace::new(&rate)
    }

    /// After how many repetitions it stops; `None` is never.
    pub(super) fn stop_after(&self) -> Option<u32> {
        Some(self.stop_after.unwrap_or(STOP_AFTER)).filter(|count| *count > 0)
    }

    /// # Errors
    /// API_001 with everything that is wrong, FN_001 when there is no such function.
    pub(super) fn check(&self, inner: &Inner) -> Result<(), Rejection> {
        check_problems(pace::check(self.rate.as_ref()))?;
        self.to.as_ref().map_or(Ok(()), |to| check_redirect(inner, to))
    }
}

impl Replay {
    pub(super) fn pace(&self) -> pace::Pace {
        let rate = self.rate.clone().unwrap_or_else(|| pace::per_second(REPLAY_PER_SECOND));
        pace::Pace::new(&rate)
    }

    /// # Errors
    /// API_001 with everything that is wrong; FN_001, TR_001 when who gets them is not there.
    pub(super) fn check(&self, inner: &Inner) -> Result<(), Rejection> {
        check_problems(pace::check(self.rate.as_ref()))?;
        match &self.to {
            ReplayTo::Matching => Ok(()),
            ReplayTo::Function(to) => check_redirect(inner, to),
            ReplayTo::Trigger(id) => check_trigger(inner, *id),
        }
    }
}

fn check_problems(problems: Vec<Problem>) -> Result<(), Rejection> {
    if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::InvalidRequest, problems)) }
}

fn check_trigger(inner: &Inner, id: TriggerId) -> Result<(), Rejection> {
    let snapshot = inner.catalog.load();
    let trigger = snapshot.triggers.get(&id).filter(|trigger| trigger.deleted_at.is_none());
    let Some(trigger) = trigger else {
        let message = format!("there is no trigger {id}");
        return Err(Rejection::new(Code::TriggerNotFound, message));
    };
    if !trigger.enabled {
        let message = format!("trigger {:?} is disabled, it would take nothing", trigger.name);
        let problem = Problem::new("to.trigger", message).suggest("enable it first");
        return Err(Rejection::of(Code::InvalidRequest, vec![problem]));
    }
    Ok(())
}

/// Where an operation sends things, where it names a function.
pub(super) fn redirect(operation: &Operation) -> Option<Redirect> {
    let request = operation.request.clone();
    match operation.kind {
        OperationKind::Redrive => serde_json::from_value::<Redrive>(request).ok()?.to,
        OperationKind::Replay => match serde_json::from_value::<Replay>(request).ok()?.to {
            ReplayTo::Function(to) => Some(to),
            ReplayTo::Matching | ReplayTo::Trigger(_) => None,
        },
    }
}

/// A version that is named must be one that can be run.
fn check_redirect(inner: &Inner, to: &Redirect) -> Result<(), Rejection> {
    let current = inner.registry.current(&to.function);
    let record = inner.catalog.load().functions.get(&*to.function).cloned();
    let Some((number, record)) = to.version.zip(record) else {
        let refused = |failure: Failure| Rejection::new(failure.code, failure.message);
        return current.map(drop).map_err(refused);
    };
    let is_there = current.is_ok_and(|current| current.version.number == number);
    if is_there || record.kept(number).is_some() {
        return Ok(());
    }
    let problem = Problem::new("to.version", inner.not_kept(&to.function, number))
        .suggest("evoke functions versions NAME lists them");
    Err(Rejection::of(Code::InvalidRequest, vec![problem]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Millis;
    use serde_json::json;

    #[test]
    fn requests_come_back_from_the_words_of_the_api() {
        let to = Redirect { function: "resize".into(), version: Some(3) };
        let rate = Rate { limit: 5, per: Millis::from_secs(60), key: None, burst: Some(1) };
        for replay in [
            Replay::default(),
            Replay { to: ReplayTo::Trigger(TriggerId::from_u64(4)), ..Replay::default() },
            Replay {
                kind: Some("order.*".into()),
                to: ReplayTo::Function(to.clone()),
                rate: Some(rate.clone()),
                limit: Some(9),
                ..Replay::default()
            },
        ] {
            let value = serde_json::to_value(&replay).expect("a value");
            assert_eq!(serde_json::from_value::<Replay>(value).expect("a replay"), replay);
        }
        let redrive =
            Redrive { to: Some(to), rate: Some(rate), stop_after: Some(0), ..Redrive::default() };
        let value = serde_json::to_value(&redrive).expect("a value");
        assert_eq!(serde_json::from_value::<Redrive>(value).expect("a redrive"), redrive);
    }

    #[test]
    fn what_is_not_given_is_left_out() {
        let redrive = serde_json::to_value(Redrive::default()).expect("a value");
        assert_eq!(redrive, json!({ "filter": {} }));
        let replay = serde_json::to_value(Replay::default()).expect("a value");
        assert_eq!(replay, json!({ "to": "matching" }));
    }

    #[test]
    fn a_redrive_stops_after_five_repetitions_unless_it_says_otherwise() {
        let stops = |stop_after| Redrive { stop_after, ..Redrive::default() }.stop_after();
        assert_eq!([stops(None), stops(Some(0)), stops(Some(2))], [Some(5), None, Some(2)]);
    }
}

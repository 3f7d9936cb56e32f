//! Why a pending execution does not run: admission's own verdict in words and for machines.

use evoke_delivery::admission::Verdict;
use evoke_model::{Execution, Policy, Timestamp};
use serde_json::{Value, json};

use super::Dispatcher;
use super::group::Closed;
use super::lane::Standing;

/// One sentence, and the same for machines.
pub(crate) type Why = (String, Value);

impl Dispatcher {
    /// Why a pending execution does not run.
    pub(crate) fn explain(&self, execution: &Execution, policy: &Policy) -> Why {
        let Some(berth) = self.berth(execution.id.trigger) else {
            return ("its trigger has no lane".into(), json!({ "why": "no_lane" }));
        };
        let now = self.clock.now();
        let (closed, room) = berth.group.standing(&berth.lane, now);
        match berth.lane.standing(execution, now, room) {
            Standing::Unusable(problem) => (
                format!("its target cannot be used: {problem}"),
                json!({ "why": "target_unusable", "problem": problem }),
            ),
            Standing::Here(verdict) => match (&verdict, closed) {
                (Verdict::Ready | Verdict::NoCapacity { .. }, Some(closed)) => say_closed(closed),
                // As long as the target is closed, lanes do not look whose time has come.
                (verdict, Some(closed)) if has_come(verdict, now) => say_closed(closed),
                _ => say(&verdict, execution, policy),
            },
            Standing::InStore { ahead } => (
                format!("it waits in the store, behind {ahead} others of its trigger"),
                json!({ "why": "behind_window", "waiting_before_at_least": ahead }),
            ),
        }
    }
}

/// Whether the time an execution waits for has come.
fn has_come(verdict: &Verdict, now: Timestamp) -> bool {
    match verdict {
        Verdict::NotDue { at: until }
        | Verdict::Debounced { until, .. }
        | Verdict::Gathering { until, .. }
        | Verdict::RateLimited { until, .. } => *until <= now,
        _ => false,
    }
}

fn say_closed(closed: Closed) -> Why {
    match closed {
        Closed::Down(at) => (
            format!("its target does not answer; the next try is at {at}"),
            json!({ "why": "target_down", "until": at }),
        ),
        Closed::Rate(at) => (
            format!("its target may not be called more often; the next call is at {at}"),
            json!({ "why": "target_rate", "until": at }),
        ),
    }
}

/// It waits for another attempt.
fn say_retry(execution: &Execution, policy: &Policy, at: Timestamp) -> Why {
    let next = execution.attempts + 1;
    let of = policy.retry.clone().unwrap_or_default().attempts;
    let failure = execution.last.as_ref().and_then(|attempt| attempt.outcome.failure());
    let because = failure
        .map(|failure| format!(" because {}: {}", failure.code, failure.message))
        .unwrap_or_default();
    (
        format!("attempt {next} of {of} follows at {at}{because}"),
        json!({ "why": "retry_wait", "attempt": next, "of": of, "until": at, "error": failure }),
    )
}

fn with_key(key: Option<&str>) -> String {
    key.filter(|key| !key.is_empty())
        .map(|key| format!(" with the key {key:?}"))
        .unwrap_or_default()
}

fn before(position: usize) -> String {
    match position {
        0 => "it is the first in line".to_owned(),
        1 => "one is before it".to_owned(),
        more => format!("{more} are before it"),
    }
}

fn say(verdict: &Verdict, execution: &Execution, policy: &Policy) -> Why {
    match verdict {
        Verdict::Ready => ("it is about to begin".into(), json!({ "why": "ready" })),
        Verdict::NotDue { at } if execution.attempts > 0 => say_retry(execution, policy, *at),
        Verdict::NotDue { at } => {
            (format!("it is due at {at}"), json!({ "why": "not_due", "until": at }))
        }
        Verdict::BehindKey { key, position, of } => (
            format!("{position} of {of} with the key {key:?} are before it"),
            json!({ "why": "behind_key", "key": key, "position": position, "of": of }),
        ),
        Verdict::ConcurrencyFull { limit, key, running } => (
            format!("{running}{} run, the limit is {limit}", with_key(key.as_deref())),
            json!({ "why": "concurrency", "limit": limit, "key": key, "running": running }),
        ),
        Verdict::NoCapacity { running } => (
            format!("the target takes no more: {running} of this trigger run"),
            json!({ "why": "no_capacity", "running": running }),
        ),
        Verdict::Paused { until, why } => {
            (format!("its trigger stands still: {why}"), json!({ "why": "paused", "until": until }))
        }
        Verdict::Debounced { until, key, last } => (
            format!(
                "it waits until no event{} comes any more, at {until}",
                with_key(key.as_deref())
            ),
            json!({ "why": "debounced", "until": until, "key": key, "last": last }),
        ),
        Verdict::Gathering { until, have, size } => (
            format!(
                "it waits for others to be called with: {have} of {size}, at {until} at the latest"
            ),
            json!({ "why": "gathering", "until": until, "have": have, "size": size }),
        ),
        Verdict::RateLimited { until, key, position } => (
            format!(
                "its trigger{} may not run more often; {}, and the next one goes at {until}",
                with_key(key.as_deref()),
                before(*position)
            ),
            json!({ "why": "rate", "until": until, "key": key, "position": position }),
        ),
        Verdict::Outranked { position } => (
            format!("{position} of its trigger are before it"),
            json!({ "why": "outranked", "position": position }),
        ),
    }
}

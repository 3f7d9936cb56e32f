//! How a target answers a call.

use evoke_model::execution::RetryHint;
use evoke_model::{Code, Data, Event, Failure, Millis, Outcome};
use fastrand::Rng;
use serde_json::json;
use std::sync::Arc;

/// How well targets do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    /// Anything may happen.
    Any,
    /// Most calls go well: the run is to come to its end.
    Good,
}

/// An outcome for a call of these events.
pub(crate) fn outcome(rng: &mut Rng, mood: Mood, events: &[Arc<Event>], is_list: bool) -> Outcome {
    let bad = match mood {
        Mood::Any => rng.u32(..100),
        Mood::Good => rng.u32(..500),
    };
    let function = |message: &str| Failure::new(Code::FunctionError, message);
    match bad {
        0..12 => Outcome::Failure(function("boom")),
        12..20 => Outcome::Failure(function("out of paper")),
        20..24 => Outcome::Failure(function("never again").for_good()),
        24..28 => {
            let retry = RetryHint::After(Millis::new(rng.u64(0..20_000)));
            Outcome::Failure(Failure { retry, ..function("busy") })
        }
        28..32 => Outcome::TimedOut(Failure::new(Code::FunctionTimeout, "too slow")),
        32..35 => {
            let retry = RetryHint::Elsewhere;
            Outcome::Failure(Failure { retry, ..function("the worker went down") })
        }
        35..40 => Outcome::Failure(Failure::new(Code::TargetUnreachable, "nobody is there")),
        40..52 if is_list => partial(rng, events),
        _ => Outcome::Success(Data::from_value(&json!({ "ok": true }))),
    }
}

/// Some of a batch failed.
fn partial(rng: &mut Rng, events: &[Arc<Event>]) -> Outcome {
    let failed: Vec<_> =
        events.iter().filter(|_| rng.bool()).map(|event| event.public_id()).collect();
    Outcome::Success(Data::from_value(&json!({ "failed": failed })))
}

//! Calls that carry a key under which they are made only once: the one that comes again gets what
//! the first one came to, from the record.

use evoke_model::{Code, ExecutionId, Failure, Millis, Outcome, Rejection};
use evoke_ports::store::OnceKey;

use super::reply::answer;
use super::{InvokeOutcome, Invoked};
use crate::draft::Emitted;
use crate::record::unavailable;
use crate::start::{Engine, Inner};
use crate::turns::Turn;

/// How often a call is looked at that is made without anybody waiting for it.
const LOOK_PERIOD: Millis = Millis::new(50);

/// Whether an event is the first one with its keys.
pub(super) enum Arrival {
    /// It is, and others with them wait until this turn is over.
    First(Option<Turn>),
    /// This one was.
    Again(Emitted),
}

impl Inner {
    /// Waits for those with the same keys that are under way.
    pub(super) async fn arrival(&self, once: &[OnceKey]) -> Result<Arrival, Rejection> {
        let turn = match once.first() {
            Some(key) => Some(self.deliveries.of(&key.key).await),
            None => None,
        };
        for key in once {
            let standing = self.store.events().by_key(&key.key).await;
            if let Some(id) = standing.map_err(|error| unavailable(&error))? {
                return Ok(Arrival::Again(Emitted { id, is_duplicate: true }));
            }
        }
        Ok(Arrival::First(turn))
    }
}

/// Who answers a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    /// A handler of events, with a value.
    OfEvents,
    /// A handler of requests, with a response.
    OfRequests,
}

impl Engine {
    /// What a call came to that was made before. One nobody waited for may be under way still, or
    /// wait for its next attempt.
    pub(super) async fn made_before(
        &self,
        execution: ExecutionId,
        handler: Handler,
        patience: Millis,
    ) -> Result<Invoked, Rejection> {
        let clock = &self.inner.clock;
        let until = clock.now().plus(patience);
        loop {
            let found = self.execution(execution).await?.execution;
            if let Some(last) = found.last.filter(|_| found.state.is_final()) {
                return Ok(Invoked { execution, outcome: recorded(last.outcome, handler) });
            }
            if clock.now() >= until {
                let message = "the call with this key was made before and is not over yet";
                let failure = Failure::new(Code::FunctionTimeout, message);
                return Ok(Invoked { execution, outcome: InvokeOutcome::Failed(failure) });
            }
            clock.sleep_until(clock.now().plus(LOOK_PERIOD)).await;
        }
    }
}

/// An outcome as the answer it was. Of a response the record has the status and the body.
fn recorded(outcome: Outcome, handler: Handler) -> InvokeOutcome {
    match outcome {
        Outcome::Success(data) if handler == Handler::OfRequests => {
            InvokeOutcome::Http(answer(&data))
        }
        Outcome::Success(data) => InvokeOutcome::Value(data),
        Outcome::Failure(failure) | Outcome::TimedOut(failure) => InvokeOutcome::Failed(failure),
        Outcome::Cancelled => InvokeOutcome::Failed(Failure::new(
            Code::ExecutionCancelled,
            "the call with this key was cancelled",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Data;
    use serde_json::json;

    #[test]
    fn a_recorded_response_is_one_again() {
        let data = Data::from_value(&json!({ "status": 201, "body": { "id": 7 } }));
        let made = recorded(Outcome::Success(data.clone()), Handler::OfRequests);
        let InvokeOutcome::Http(reply) = made else { panic!("{made:?}") };
        assert_eq!(reply.status.as_u16(), 201);
        let made = recorded(Outcome::Success(data.clone()), Handler::OfEvents);
        let InvokeOutcome::Value(value) = made else { panic!("{made:?}") };
        assert_eq!(value, data);
    }
}

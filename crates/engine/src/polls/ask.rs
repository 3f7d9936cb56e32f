//! One question: the function is called at once, beside everything that waits for it, and the call
//! is not recorded as an execution.

use std::sync::Arc;

use evoke_model::{Code, Data, Event, ExecutionId, Failure, Millis, Timestamp};
use evoke_ports::{Call, Functions, Input, Reply};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Question;
use super::fire::ORIGIN;
use crate::draft::Draft;
use crate::execute::{Beginning, Running};
use crate::start::Inner;

/// The type of the event a function is asked with.
const KIND: &str = "evoke.poll";

/// How long after its deadline a question is given up by us: the pool says more of a late call.
const GRACE: Millis = Millis::from_secs(1);

/// A question under way; it is no longer when this is dropped.
struct UnderWay<'i> {
    inner: &'i Inner,
    running: Arc<Running>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.inner.running.remove(self.running.id);
        self.inner.timed.polls.counters.ends();
    }
}

impl Inner {
    /// Asks. `None` when the engine stops before there is an answer.
    pub(super) async fn ask(&self, question: &Question) -> Option<Result<Reply, Failure>> {
        let deployed = match self.registry.current(&question.poll.function) {
            Ok(deployed) => deployed,
            Err(failure) => return Some(Err(failure)),
        };
        let under_way = self.begin_question(question);
        let running = &under_way.running;
        let own = deployed.version.spec.timeout;
        let deadline = running.started_at.plus(question.poll.timeout.min(own));
        let call = deployed.pool.call(call(running, deadline));
        tokio::select! {
            biased;
            () = self.timed.stop.cancelled() => None,
            reply = call => Some(reply),
            () = self.clock.sleep_until(deadline.plus(GRACE)) => {
                let message = format!("it has not answered within {}", question.poll.timeout);
                Some(Err(Failure::new(Code::FunctionTimeout, message)))
            }
        }
    }

    fn begin_question(&self, question: &Question) -> UnderWay<'_> {
        let trigger = question.trigger.clone();
        let event = Arc::new(self.accept(draft(question)));
        let running = self.begin(Beginning {
            id: ExecutionId { event: event.id, trigger: trigger.id },
            event,
            trigger,
            attempt: 1,
            cancel: CancellationToken::new(),
        });
        self.timed.polls.counters.begins();
        UnderWay { inner: self, running }
    }
}

/// What the function gets. It is no event of the log.
fn draft(question: &Question) -> Draft {
    let data = json!({
        "poll": question.trigger.name,
        "scheduled_at": question.scheduled,
        "last_poll_at": question.last_poll,
        "last_fired_at": question.last_fired,
        "state": question.state,
    });
    Draft {
        source: Some(format!("{ORIGIN}/{}", question.trigger.id).into()),
        kind: KIND.into(),
        time: Some(question.scheduled),
        data: Data::from_value(&data),
        ..Draft::default()
    }
}

fn call(running: &Running, deadline: Timestamp) -> Call {
    let event: Arc<Event> = running.event.clone();
    Call {
        execution: running.id,
        attempt: 1,
        deadline,
        trigger_kind: running.kind.clone(),
        trigger_name: running.name.clone(),
        traceparent: None,
        request_id: None,
        input: Input::Event(event),
        logs: running.lines.clone(),
        cancel: running.cancel.clone(),
        token: running.token.clone(),
    }
}

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use evoke_model::execution::RetryHint;
use evoke_model::{Code, Event, Failure, Outcome, Problem, Timestamp};
use evoke_ports::runtime::Deployed;
use evoke_ports::{
    Body, Call, Clock, Delivered, Descriptor, Endpoint, Functions, HttpReply, Input, Job, Reply,
    Target,
};
use serde_json::Value;

use crate::answer;

/// Bytes of an answer that is read whole: the limit of responses that do not stream.
const ANSWER_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Functions of this server.
pub(crate) struct FunctionTarget {
    descriptor: Descriptor,
    clock: Arc<dyn Clock>,
    functions: Arc<dyn Functions>,
}

impl FunctionTarget {
    pub(crate) fn new(clock: Arc<dyn Clock>, functions: Arc<dyn Functions>) -> Self {
        Self { descriptor: super::descriptor(), clock, functions }
    }
}

impl Target for FunctionTarget {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let name = super::config::name(config)?;
        let group = format!("{}:{name}", self.descriptor.kind).into();
        let (clock, functions) = (self.clock.clone(), self.functions.clone());
        Ok(Arc::new(FunctionEndpoint { name, group, clock, functions }))
    }
}

/// One function, whatever its current version.
struct FunctionEndpoint {
    name: Box<str>,
    group: Arc<str>,
    clock: Arc<dyn Clock>,
    functions: Arc<dyn Functions>,
}

#[async_trait]
impl Endpoint for FunctionEndpoint {
    /// What bounds it is the function's own capacity, which all its triggers share.
    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn group(&self) -> Option<Arc<str>> {
        Some(Arc::clone(&self.group))
    }

    /// The workers are those of the function, whichever trigger calls it. A function that cannot be
    /// called takes one at a time, so that its executions fail with its own error, under the retry
    /// policy, and do not wait without a word.
    fn group_capacity(&self) -> Option<usize> {
        let deployed = self.functions.current(&self.name);
        Some(deployed.map_or(1, |deployed| deployed.pool.capacity().max(1)))
    }

    // Written out, so that the call is boxed as it is and not once more within another future.
    fn deliver<'s, 'async_trait>(
        &'s self,
        job: Job,
    ) -> Pin<Box<dyn Future<Output = Delivered> + Send + 'async_trait>>
    where
        's: 'async_trait,
        Self: 'async_trait,
    {
        let input = Input::Event(Arc::clone(&job.event));
        Box::pin(self.call(job, input))
    }

    /// The handler is called once with all events; what it answers of them is handed on as it is.
    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        self.call(job, Input::Batch(events.to_vec())).await
    }
}

impl FunctionEndpoint {
    async fn call(&self, mut job: Job, input: Input) -> Delivered {
        let wanted = job.version.take().map_or_else(|| self.functions.current(&self.name), Ok);
        let Deployed { version, pool } = match wanted {
            Ok(deployed) => deployed,
            Err(failure) => return Delivered { outcome: Outcome::Failure(failure), version: 0 },
        };
        let own_deadline = self.clock.now().plus(version.spec.timeout);
        let deadline = job.deadline.map_or(own_deadline, |deadline| deadline.min(own_deadline));
        let cancel = job.cancel.clone();
        let answer = match pool.call(call(job, input, deadline)).await {
            Ok(Reply::Value(data)) => Ok(Outcome::Success(data)),
            Ok(Reply::Http(reply)) => self.take(reply).await,
            Err(failure) => Err(failure),
        };
        let outcome = answer.unwrap_or_else(|failure| match failure.code {
            _ if cancel.is_cancelled() => Outcome::Cancelled,
            Code::ExecutionCancelled => Outcome::Cancelled,
            Code::FunctionTimeout => Outcome::TimedOut(failure),
            _ => Outcome::Failure(failure),
        });
        Delivered { outcome, version: version.number }
    }

    /// An event handler may answer with a response: its body is the output, and a status from 500
    /// on says that it failed.
    async fn take(&self, reply: HttpReply) -> Result<Outcome, Failure> {
        let body = collect(reply.body).await?;
        if !reply.status.is_server_error() {
            return Ok(Outcome::Success(answer::data(&reply.headers, body)));
        }
        let message = format!("the function {}", answer::describe(reply.status, &body));
        let mut failure = Failure::new(Code::FunctionError, message);
        if let Some(wait) = answer::retry_after(&reply.headers, self.clock.now()) {
            failure.retry = RetryHint::After(wait);
        }
        Err(failure)
    }
}

fn call(job: Job, input: Input, deadline: Timestamp) -> Call {
    Call {
        execution: job.execution,
        attempt: job.attempt,
        deadline,
        trigger_kind: job.trigger_kind,
        trigger_name: job.trigger_name,
        traceparent: job.event.traceparent.as_deref().map(Arc::from),
        request_id: None,
        input,
        logs: job.logs,
        cancel: job.cancel,
        token: job.token,
    }
}

/// Reads a body that may be long but not endless.
async fn collect(body: Body) -> Result<Bytes, Failure> {
    let mut pieces = match body {
        Body::Full(bytes) => return Ok(bytes),
        Body::Stream(pieces) => pieces,
    };
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.recv().await {
        all.extend_from_slice(&piece?);
        if all.len() > ANSWER_BYTES_MAX {
            let message = "an answer to an event may not be larger than 10 MB";
            return Err(Failure::new(Code::ResponseTooLarge, message).for_good());
        }
    }
    Ok(all.freeze())
}

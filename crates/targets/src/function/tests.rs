use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::execution::RetryHint;
use evoke_model::function::{FunctionSpec, FunctionVersion};
use evoke_model::{
    Code, Data, Event, EventId, Failure, FunctionId, Millis, Outcome, Scaling, Timestamp,
};
use evoke_ports::runtime::Deployed;
use evoke_ports::{
    Body, Call, Delivered, Endpoint, Functions, HttpReply, Input, Pool, PoolStatus, Reply, Target,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use serde_json::json;

use super::FunctionTarget;
use crate::testing::{clock, job};

/// A pool that gives the answers it was told to give and keeps the calls.
struct FakePool {
    answers: Mutex<Vec<Result<Reply, Failure>>>,
    calls: Mutex<Vec<Call>>,
}

#[async_trait]
impl Pool for FakePool {
    fn capacity(&self) -> usize {
        40
    }

    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        self.calls.lock().push(call);
        self.answers.lock().remove(0)
    }

    async fn drain(&self, _grace: Millis) {}

    fn status(&self) -> PoolStatus {
        PoolStatus::default()
    }
}

struct OneFunction(Result<Arc<FakePool>, Failure>);

impl Functions for OneFunction {
    fn current(&self, name: &str) -> Result<Deployed, Failure> {
        let pool = self.0.clone()?;
        let spec = FunctionSpec {
            name: name.to_owned(),
            runtime: "node".to_owned(),
            handler: None,
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: Millis::from_secs(30),
            environment: Default::default(),
            scaling: Scaling::default(),
        };
        let version = FunctionVersion {
            function: FunctionId::from_u64(1),
            number: 3,
            spec,
            environment: Default::default(),
            code: PathBuf::new(),
            hash: String::new(),
            created_at: Timestamp::EPOCH,
        };
        Ok(Deployed { version: Arc::new(version), pool })
    }
}

fn pool(answer: Result<Reply, Failure>) -> Arc<FakePool> {
    Arc::new(FakePool { answers: Mutex::new(vec![answer]), calls: Mutex::default() })
}

fn open(function: Result<Arc<FakePool>, Failure>) -> Arc<dyn Endpoint> {
    let target = FunctionTarget::new(clock(), Arc::new(OneFunction(function)));
    target.open(&json!({ "name": "resize" })).unwrap()
}

fn reply(status: u16, media_type: &'static str, body: Body) -> Result<Reply, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    Ok(Reply::Http(HttpReply { status: StatusCode::from_u16(status).unwrap(), headers, body }))
}

async fn outcome(answer: Result<Reply, Failure>) -> Outcome {
    open(Ok(pool(answer))).deliver(job("{}")).await.outcome
}

#[tokio::test]
async fn the_call_says_all_the_function_needs() {
    let pool = pool(Ok(Reply::Value(Data::Json("1".into()))));
    let endpoint = open(Ok(pool.clone()));
    assert_eq!(endpoint.group_capacity(), Some(40));
    let delivered = endpoint.deliver(job("{}")).await;
    assert_eq!(delivered.outcome, Outcome::Success(Data::Json("1".into())));
    assert_eq!(delivered.version, 3);
    let calls = pool.calls.lock();
    assert_eq!((&*calls[0].trigger_kind, &*calls[0].trigger_name), ("event", "orders"));
    assert!(calls[0].traceparent.is_some());
    assert!(matches!(&calls[0].input, Input::Event(event) if &*event.kind == "order.created"));
}

#[tokio::test]
async fn several_events_are_one_call_and_its_answer_is_handed_on() {
    let told = Data::Json(r#"{"failed":[1]}"#.into());
    let pool = pool(Ok(Reply::Value(told.clone())));
    let endpoint = open(Ok(pool.clone()));
    let job = job("1");
    let second = Event { id: EventId::from_u64(8), ..(*job.event).clone() };
    let events = [job.event.clone(), Arc::new(second)];
    let delivered = endpoint.deliver_batch(job, &events).await;
    assert_eq!(delivered, Delivered { outcome: Outcome::Success(told), version: 3 });
    let calls = pool.calls.lock();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].execution.event, events[0].id);
    let Input::Batch(sent) = &calls[0].input else { panic!("not a batch") };
    let ids: Vec<EventId> = sent.iter().map(|event| event.id).collect();
    assert_eq!(ids, [events[0].id, events[1].id]);
}

#[tokio::test]
async fn a_batch_fails_and_is_cancelled_as_a_whole() {
    let failure = Failure::new(Code::FunctionTimeout, "x");
    let late = job("1");
    let events = [late.event.clone()];
    let endpoint = open(Ok(pool(Err(failure.clone()))));
    let delivered = endpoint.deliver_batch(late, &events).await;
    assert_eq!(delivered.outcome, Outcome::TimedOut(failure.clone()));
    let stopped = job("1");
    stopped.cancel.cancel();
    let delivered = open(Ok(pool(Err(failure)))).deliver_batch(stopped, &events).await;
    assert_eq!(delivered.outcome, Outcome::Cancelled);
}

#[test]
fn triggers_of_one_function_share_its_places() {
    let endpoint = open(Ok(pool(Ok(Reply::Value(Data::None)))));
    assert_eq!(endpoint.group().as_deref(), Some("function:resize"));
    assert_eq!(endpoint.group_capacity(), Some(40));
}

#[tokio::test]
async fn the_earlier_deadline_counts() {
    let now = clock().now();
    for (policy, expected) in [(5, 5), (90, 30)] {
        let pool = pool(Ok(Reply::Value(Data::None)));
        let mut job = job("{}");
        job.deadline = Some(now.plus(Millis::from_secs(policy)));
        open(Ok(pool.clone())).deliver(job).await;
        let secs = pool.calls.lock()[0].deadline.since(now).as_secs();
        assert!((expected..expected + 3).contains(&secs), "{secs}");
    }
}

#[tokio::test]
async fn a_function_that_cannot_be_called_fails_with_its_own_error() {
    let broken = Failure::new(Code::DeploymentFailed, "no such package: left-pad");
    let endpoint = open(Err(broken.clone()));
    assert_eq!(endpoint.group_capacity(), Some(1));
    assert_eq!(endpoint.deliver(job("{}")).await.outcome, Outcome::Failure(broken));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let failure = |code| Failure::new(code, "x");
    let failed = outcome(Err(failure(Code::FunctionError))).await;
    assert_eq!(failed, Outcome::Failure(failure(Code::FunctionError)));
    let late = outcome(Err(failure(Code::FunctionTimeout))).await;
    assert_eq!(late, Outcome::TimedOut(failure(Code::FunctionTimeout)));
    let job = job("{}");
    job.cancel.cancel();
    let stopped = open(Ok(pool(Err(failure(Code::FunctionError))))).deliver(job).await;
    assert_eq!(stopped.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_response_is_an_output_or_a_failure() {
    let answer = reply(200, "application/json", Body::Full("[1]".into()));
    assert_eq!(outcome(answer).await, Outcome::Success(Data::Json("[1]".into())));
    let answer = reply(404, "text/plain", Body::Full("none".into()));
    assert_eq!(outcome(answer).await, Outcome::Success(Data::Text("none".into())));
    let answer = reply(503, "text/plain", Body::Full("busy".into()));
    let Outcome::Failure(failure) = outcome(answer).await else { panic!("a success") };
    assert_eq!(failure.retry, RetryHint::After(Millis::from_secs(7)));
    assert_eq!(failure.message, "the function answered 503 Service Unavailable: busy");
}

#[tokio::test]
async fn a_streamed_body_is_read_up_to_its_limit() {
    let streamed = |pieces: usize| {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..pieces {
                if sender.send(Ok(vec![b'x'; 1024 * 1024].into())).await.is_err() {
                    break;
                }
            }
        });
        reply(200, "text/plain", Body::Stream(receiver))
    };
    let Outcome::Success(data) = outcome(streamed(2)).await else { panic!("a failure") };
    assert_eq!(data.len(), 2 * 1024 * 1024);
    let Outcome::Failure(failure) = outcome(streamed(1_000)).await else { panic!("a success") };
    assert_eq!((failure.code, failure.retry), (Code::ResponseTooLarge, RetryHint::Never));
}

#[test]
fn a_name_is_needed_and_nothing_else() {
    let target =
        FunctionTarget::new(clock(), Arc::new(OneFunction(Ok(pool(Ok(Reply::Value(Data::None)))))));
    for (config, field) in
        [(json!({}), "name"), (json!({ "name": "" }), "name"), (json!({ "nam": "a" }), "nam")]
    {
        let problems = target.open(&config).map(drop).unwrap_err();
        assert_eq!(problems[0].field, field, "{config}");
    }
    assert!(target.open(&target.descriptor().example).is_ok());
}

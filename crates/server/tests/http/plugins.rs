//! A language whose functions are written in this file.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use evoke_model::execution::Level;
use evoke_model::{
    Code, Data, Event, Failure, FunctionVersion, LogLine, Millis, Outcome, Problem, Timestamp,
};
use evoke_ports::runtime::{DeployError, Host};
use evoke_ports::{
    Body, Call, Delivered, Descriptor, Endpoint, Found, Functions, HttpReply, Input, Job, Pool,
    PoolStatus, Reply, Runs, Runtime, Target,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

pub fn descriptor(kind: &'static str) -> Descriptor {
    Descriptor {
        kind,
        title: kind,
        summary: "for tests",
        schema: json!({ "type": "object" }),
        example: json!({}),
        docs: "",
        runs: Runs::EveryNode,
    }
}

/// What tests learn of functions.
#[derive(Default)]
pub struct Seen {
    /// Told when a call was dropped before its end.
    pub cancelled: Notify,
    /// Told when the function `held` was called.
    pub called: Notify,
    /// Lets the function `held` go on.
    pub release: Notify,
    /// The token of the last call.
    pub token: parking_lot::Mutex<Option<Arc<str>>>,
}

pub struct Fake {
    pub descriptor: Descriptor,
    pub seen: Arc<Seen>,
}

#[async_trait]
impl Runtime for Fake {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn names(&self) -> &[&'static str] {
        &["fake"]
    }
    fn handler_default(&self) -> &'static str {
        "index.handler"
    }
    async fn probe(&self) -> Vec<Found> {
        vec![Found {
            name: "fake".into(),
            path: None,
            version: None,
            hint: Some("nothing to install".into()),
        }]
    }
    async fn open(
        &self,
        version: Arc<FunctionVersion>,
        _: Host,
    ) -> Result<Arc<dyn Pool>, DeployError> {
        Ok(Arc::new(FakePool { name: version.spec.name.clone(), seen: self.seen.clone() }))
    }
    async fn close(&self) {}
}

struct FakePool {
    name: String,
    seen: Arc<Seen>,
}

/// Tells that a call was dropped.
struct Dropped(Option<Arc<Seen>>);

impl Dropped {
    /// It was not dropped but came to its end.
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(seen) = &self.0 {
            seen.cancelled.notify_one();
        }
    }
}

#[async_trait]
impl Pool for FakePool {
    fn capacity(&self) -> usize {
        16
    }

    async fn call(&self, call: Call) -> Result<Reply, Failure> {
        *self.seen.token.lock() = Some(call.token.clone());
        call.logs.log(LogLine {
            time: Timestamp::EPOCH,
            level: if self.name == "fails" { Level::Error } else { Level::Info },
            message: format!("{} was called", self.name),
        });
        match self.name.as_str() {
            "echo" => Ok(echo(&call)),
            "nothing" => Ok(Reply::Value(Data::None)),
            "text" => Ok(Reply::Value(Data::Text(Bytes::from_static(b"plain")))),
            "bytes" => Ok(Reply::Value(Data::Binary(Bytes::from_static(b"\xff\x00")))),
            "fails" => {
                let mut failure = Failure::new(Code::FunctionError, "it broke");
                failure.stack = Some("at index.js:7".into());
                Err(failure)
            }
            "picky" => match &call.input {
                Input::Event(event) if event.data.to_value()["ok"] == true => Ok(echo(&call)),
                _ => Err(Failure::new(Code::FunctionError, "that is not ok").for_good()),
            },
            "times-out" => Err(Failure::new(Code::FunctionTimeout, "took longer than 30s")),
            "switches" => Ok(reply(StatusCode::SWITCHING_PROTOCOLS, Body::empty())),
            "panics" => panic!("a bug of ours"),
            "streams" => Ok(reply(StatusCode::OK, pieces(3, &self.seen))),
            "never-ends" => Ok(reply(StatusCode::OK, pieces(usize::MAX, &self.seen))),
            "cut" => Ok(reply(StatusCode::OK, cut(&self.seen))),
            "held" => {
                let dropped = Dropped(Some(self.seen.clone()));
                self.seen.called.notify_one();
                self.seen.release.notified().await;
                dropped.done();
                Ok(echo(&call))
            }
            other => Err(Failure::new(Code::FunctionError, format!("what is {other}?"))),
        }
    }

    async fn drain(&self, _: Millis) {}

    fn status(&self) -> PoolStatus {
        PoolStatus { workers: 1, ..PoolStatus::default() }
    }
}

fn reply(status: StatusCode, body: Body) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    headers.insert("connection", HeaderValue::from_static("x-private"));
    headers.insert("x-private", HeaderValue::from_static("1"));
    headers.insert("content-length", HeaderValue::from_static("9999"));
    Reply::Http(HttpReply { status, headers, body })
}

fn pieces(count: usize, seen: &Arc<Seen>) -> Body {
    let (send, receive) = mpsc::channel(1);
    let dropped = Dropped(Some(seen.clone()));
    tokio::spawn(async move {
        for index in 0..count {
            if send.send(Ok(Bytes::from(format!("piece {index}\n")))).await.is_err() {
                return;
            }
        }
        dropped.done();
    });
    Body::Stream(receive)
}

fn cut(seen: &Arc<Seen>) -> Body {
    let (send, receive) = mpsc::channel(2);
    let seen = seen.clone();
    tokio::spawn(async move {
        let failure = Failure::new(Code::FunctionError, "the worker went down");
        if send.send(Ok(Bytes::from_static(b"half of"))).await.is_ok() {
            seen.release.notified().await;
            send.send(Err(failure)).await.expect("the server still reads");
        }
    });
    Body::Stream(receive)
}

fn echo(call: &Call) -> Reply {
    match &call.input {
        Input::Event(event) => {
            let mut text = Vec::new();
            event.write_json(&mut text);
            Reply::Value(Data::Json(Bytes::from(text)))
        }
        Input::Batch(events) => Reply::Value(Data::from_value(&json!(events.len()))),
        Input::Http(request) => {
            let headers: Vec<Value> = request
                .headers
                .iter()
                .map(|(name, value)| json!([name.as_str(), value.to_str().unwrap_or("?")]))
                .collect();
            let seen = json!({
                "method": request.method.as_str(),
                "target": request.target,
                "origin": request.origin,
                "params": request.params,
                "headers": headers,
                "body": String::from_utf8_lossy(&request.body),
                "request_id": call.request_id,
                "traceparent": call.traceparent,
            });
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            let body = Body::Full(Bytes::from(seen.to_string()));
            Reply::Http(HttpReply { status: StatusCode::OK, headers, body })
        }
    }
}

/// The target that runs functions, as simply as can be.
pub struct Runs1 {
    pub descriptor: Descriptor,
    pub functions: Arc<dyn Functions>,
}

impl Target for Runs1 {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        match config["name"].as_str() {
            Some(name) => {
                let functions = self.functions.clone();
                Ok(Arc::new(Runner { name: name.to_owned(), functions }))
            }
            None => Err(vec![Problem::new("name", "is required")]),
        }
    }
}

struct Runner {
    name: String,
    functions: Arc<dyn Functions>,
}

#[async_trait]
impl Endpoint for Runner {
    fn capacity(&self) -> usize {
        16
    }
    async fn deliver(&self, job: Job) -> Delivered {
        let input = Input::Event(job.event.clone());
        self.run(job, input).await
    }
    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        self.run(job, Input::Batch(events.to_vec())).await
    }
}

impl Runner {
    async fn run(&self, job: Job, input: Input) -> Delivered {
        let result = match self.functions.current(&self.name) {
            Err(failure) => Err(failure),
            Ok(deployed) => {
                let call = Call {
                    execution: job.execution,
                    attempt: job.attempt,
                    deadline: Timestamp::from_micros(i64::MAX),
                    trigger_kind: job.trigger.kind.as_str().into(),
                    trigger_name: job.trigger.name.as_str().into(),
                    traceparent: None,
                    request_id: None,
                    input,
                    logs: job.logs.clone(),
                    cancel: job.cancel.clone(),
                    token: job.token.clone(),
                };
                tokio::select! {
                    result = deployed.pool.call(call) => result,
                    () = job.cancel.cancelled() => {
                        return Delivered { outcome: Outcome::Cancelled, version: 1 };
                    }
                }
            }
        };
        let outcome = match result {
            Ok(Reply::Value(data)) => Outcome::Success(data),
            Ok(Reply::Http(_)) => Outcome::Success(Data::None),
            Err(failure) => Outcome::Failure(failure),
        };
        Delivered { outcome, version: 1 }
    }
}

//! A function from a text, opened on a real interpreter, and calls of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evoke_model::{
    ByteSize, Data, Event, EventId, ExecutionId, Failure, FunctionId, FunctionSpec,
    FunctionVersion, LogLine, Millis, Scaling, Timestamp, TriggerId,
};
use evoke_ports::runtime::{DeployError, Host};
use evoke_ports::{Call, Clock, HttpCall, Input, LogSink, Pool, Reply, Runtime, SystemClock};
use evoke_runtimes::{Options, builtin};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Lines that were printed.
#[derive(Default)]
pub struct Lines(pub Mutex<Vec<LogLine>>);

impl LogSink for Lines {
    fn log(&self, line: LogLine) {
        self.0.lock().push(line);
    }
}

impl Lines {
    pub fn messages(&self) -> Vec<String> {
        self.0.lock().iter().map(|line| line.message.clone()).collect()
    }
}

/// Options that find the tools of the test machine.
pub fn options() -> Options {
    let tools = std::env::var_os("EVOKE_TOOLS");
    Options {
        tools: tools.iter().flat_map(std::env::split_paths).collect(),
        ..Options::from_environment()
    }
}

/// A house for functions.
pub struct House {
    pub folder: tempfile::TempDir,
    pub runtimes: Vec<Arc<dyn Runtime>>,
    pub stray: Arc<Lines>,
}

/// What a test says of a function beyond its code.
#[derive(Clone)]
pub struct Function {
    pub runtime: &'static str,
    pub handler: Option<&'static str>,
    pub files: Vec<(&'static str, String)>,
    pub memory: ByteSize,
    pub timeout: Millis,
    pub scaling: Scaling,
    pub environment: Vec<(&'static str, &'static str)>,
}

impl Function {
    /// A function of one file.
    pub fn new(runtime: &'static str, file: &'static str, text: &str) -> Self {
        Self {
            runtime,
            handler: None,
            files: vec![(file, text.to_owned())],
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: Millis::from_secs(30),
            scaling: Scaling { min_instances: 0, max_instances: 4, target_concurrency: 10 },
            environment: Vec::new(),
        }
    }

    /// A function for Node as found on PATH.
    pub fn node(text: &str) -> Self {
        Self::new("nodejs20", "index.mjs", text)
    }

    pub fn scaled(mut self, min: u32, max: u32, concurrency: u32) -> Self {
        self.scaling =
            Scaling { min_instances: min, max_instances: max, target_concurrency: concurrency };
        self
    }

    pub fn timeout_ms(mut self, ms: u64) -> Self {
        self.timeout = Millis::new(ms);
        self
    }

    pub fn memory_mb(mut self, mb: u64) -> Self {
        self.memory = ByteSize::from_mb(mb);
        self
    }

    pub fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.push((name, text.to_owned()));
        self
    }
}

impl House {
    pub fn new(options: Options) -> Self {
        let runtimes = builtin(options).expect("runtimes");
        let folder = tempfile::tempdir().expect("folder");
        Self { folder, runtimes, stray: Arc::default() }
    }

    pub fn host(&self) -> Host {
        Host {
            url: "http://127.0.0.1:8090".into(),
            scratch: Arc::from(self.folder.path().join("scratch").as_path()),
            progress: Arc::new(|_| ()),
            stray_logs: Arc::clone(&self.stray) as Arc<dyn LogSink>,
            cold_start: Arc::new(|_| ()),
        }
    }

    pub fn version(&self, function: &Function) -> FunctionVersion {
        let name = format!("f{}", std::fs::read_dir(self.folder.path()).unwrap().count());
        let code = self.folder.path().join(&name);
        for (file, text) in &function.files {
            let path = code.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let variables = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        FunctionVersion {
            function: FunctionId::from_u64(1),
            number: 1,
            spec: FunctionSpec {
                name,
                runtime: function.runtime.to_owned(),
                handler: function.handler.map(str::to_owned),
                memory: function.memory,
                timeout: function.timeout,
                environment: BTreeMap::new(),
                scaling: function.scaling.clone(),
            },
            environment: function.environment.iter().map(variables).collect(),
            code,
            hash: "0123abcd".to_owned(),
            created_at: Timestamp::EPOCH,
        }
    }

    pub fn runtime(&self, name: &str) -> &Arc<dyn Runtime> {
        self.runtimes.iter().find(|it| it.names().contains(&name)).expect("a runtime of that name")
    }

    pub async fn try_open(&self, function: &Function) -> Result<Arc<dyn Pool>, DeployError> {
        let version = Arc::new(self.version(function));
        self.runtime(function.runtime).open(version, self.host()).await
    }

    pub async fn open(&self, function: &Function) -> Arc<dyn Pool> {
        self.try_open(function).await.expect("the function opens")
    }
}

/// A call with an event and what is kept of it.
pub struct Sent {
    pub call: Call,
    pub lines: Arc<Lines>,
    pub cancel: CancellationToken,
}

pub fn deadline(ms: u64) -> Timestamp {
    SystemClock.now().plus(Millis::new(ms))
}

fn sent(input: Input, kind: &str, ms: u64) -> Sent {
    let (lines, cancel) = (Arc::new(Lines::default()), CancellationToken::new());
    let call = Call {
        execution: ExecutionId { event: EventId::from_u64(7), trigger: TriggerId::from_u64(8) },
        attempt: 1,
        deadline: deadline(ms),
        trigger_kind: kind.into(),
        trigger_name: "test".into(),
        traceparent: None,
        request_id: None,
        input,
        logs: Arc::clone(&lines) as Arc<dyn LogSink>,
        cancel: cancel.clone(),
        token: "token".into(),
    };
    Sent { call, lines, cancel }
}

/// An event with this data.
pub fn data_event(data: &Value) -> Event {
    Event {
        id: EventId::from_u64(7),
        sender_id: None,
        source: "test".into(),
        kind: "thing.done".into(),
        subject: None,
        time: Timestamp::from_micros(1_795_000_000_000_000),
        content_type: None,
        data_schema: None,
        data: Data::from_value(data),
        extensions: None,
        lineage: None,
        traceparent: None,
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    }
}

/// An event call with this data and a deadline so far away.
pub fn event_within(data: &Value, ms: u64) -> Sent {
    sent(Input::Event(Arc::new(data_event(data))), "event", ms)
}

/// A call with this event.
pub fn event_of(event: Event) -> Sent {
    sent(Input::Event(Arc::new(event)), "event", 30_000)
}

/// A call with these events.
pub fn batch(events: Vec<Arc<Event>>) -> Sent {
    sent(Input::Batch(events), "event", 30_000)
}

pub fn event(data: &Value) -> Sent {
    event_within(data, 30_000)
}

/// A request for a path.
pub fn request(target: &str, body: &str) -> Sent {
    let http = HttpCall {
        method: http::Method::POST,
        target: target.to_owned(),
        origin: "http://localhost:8090".to_owned(),
        headers: [(http::header::CONTENT_TYPE, "text/plain".parse().unwrap())]
            .into_iter()
            .collect(),
        params: vec![("id".to_owned(), "7".to_owned())],
        body: Bytes::from(body.to_owned()),
        user: None,
    };
    sent(Input::Http(Box::new(http)), "http", 30_000)
}

/// The value an event call gave.
pub async fn value(pool: &Arc<dyn Pool>, data: Value) -> Result<Value, Failure> {
    match pool.call(event(&data).call).await? {
        Reply::Value(data) => Ok(data.to_value()),
        Reply::Http(reply) => panic!("a response to an event: {reply:?}"),
    }
}

/// Waits until something holds; tests that wait for the world outside have no other way.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came that {what}");
}

/// Whether a process is there and not a zombie.
pub fn is_alive(process: i64) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

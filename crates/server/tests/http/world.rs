//! A server with an engine behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use evoke_engine::{Deployment, Engine, NewTrigger, Parts, Registry, Settings};
use evoke_model::function::FunctionSpec;
use evoke_model::{Millis, Policy, Scaling, Target};
use evoke_ports::SystemClock;
use evoke_server::{AuthMode, BoundServer, Doors, Limits, ServerOptions, Stacks, serve};
use evoke_stores::memory::MemoryStore;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::plugins::{Fake, Runs1, Seen, descriptor};
use crate::wire::{Answer, Wire};

pub struct World {
    pub engine: Engine,
    pub seen: Arc<Seen>,
    pub wire: Wire,
    pub server: BoundServer,
    pub stop: CancellationToken,
}

/// Options of a server on this machine, with limits a test can reach.
pub fn open() -> ServerOptions {
    ServerOptions {
        auth: AuthMode::Open { hosts: vec!["dev.test".into()] },
        stacks: Stacks::Shown,
        function_schema: json!({ "title": "Function" }),
        error_page: |code| (code.as_str() == "EV_001").then_some("# EV_001\n\nAn event is wrong."),
        limits: Limits { grace: Millis::new(500), ..Limits::default() },
        ..ServerOptions::default()
    }
}

pub fn keyed() -> ServerOptions {
    ServerOptions { auth: AuthMode::Keys, ..open() }
}

impl World {
    pub async fn new() -> Self {
        Self::with(open()).await
    }

    pub async fn with(options: ServerOptions) -> Self {
        let seen = Arc::new(Seen::default());
        let registry = Registry::new();
        let target = Runs1 { descriptor: descriptor("function"), functions: registry.clone() };
        let runtime = Fake { descriptor: descriptor("fake"), seen: seen.clone() };
        let engine = Engine::start(Parts {
            store: Arc::new(MemoryStore::new()),
            sources: evoke_sources::builtin(),
            targets: vec![Arc::new(target)],
            runtimes: vec![Arc::new(runtime)],
            clock: Arc::new(SystemClock),
            registry,
            tracer: Arc::new(evoke_ports::NoTracer),
            settings: Settings {
                url: "http://127.0.0.1:1".into(),
                scratch: Path::new("/nowhere").into(),
                ..Settings::default()
            },
        })
        .await
        .expect("the engine starts");
        engine.admit();
        let doors = Doors::open(&[([127, 0, 0, 1], 0).into()]).await.expect("a free port");
        let stop = CancellationToken::new();
        let server = serve(engine.clone(), doors, options, stop.clone()).expect("on loopback");
        let wire = Wire { address: server.addresses()[0] };
        Self { engine, seen, wire, server, stop }
    }

    /// Deploys a function of [`crate::plugins`] with these triggers.
    pub async fn deploy(&self, name: &str, triggers: Vec<NewTrigger>) {
        let spec = FunctionSpec {
            name: name.into(),
            runtime: "fake".into(),
            handler: None,
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: [("SECRET".to_owned(), "hidden".to_owned())].into(),
            scaling: Scaling::default(),
        };
        let deployment = Deployment {
            spec,
            code: PathBuf::from("/nowhere"),
            hash: "0".into(),
            environment: [].into(),
            triggers: triggers.into_iter().map(Into::into).collect(),
        };
        self.engine.deploy(deployment).await.expect("it deploys");
    }

    /// Deploys a function under a route.
    pub async fn route(&self, name: &str, path: &str, methods: &[&str]) {
        let mut config = json!({ "path": path });
        if !methods.is_empty() {
            config["methods"] = json!(methods);
        }
        self.deploy(name, vec![trigger(name, "http", config)]).await;
    }

    /// Deploys a function for a pattern of events.
    pub async fn on(&self, name: &str, pattern: &str) {
        let mut trigger = trigger(name, "event", json!({ "match": pattern }));
        trigger.policy = serde_json::from_value(json!({ "retry": { "attempts": 1 } })).expect("ok");
        self.deploy(name, vec![trigger]).await;
    }

    /// Waits until an execution of the function is over and gives it as the API shows it.
    pub async fn ended(&self, function: &str) -> Value {
        let states = "success,failed,timed_out,cancelled";
        let path = format!("/api/executions?function={function}&status={states}");
        for _ in 0..500 {
            let page = self.wire.get(&path).await;
            if let Some(execution) = page.json()["data"].get(0) {
                return execution.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no execution of {function} ended");
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.wire.get(path).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.wire.send("POST", path, &[], body.to_string().as_bytes()).await
    }
}

pub fn trigger(function: &str, kind: &str, config: Value) -> NewTrigger {
    NewTrigger {
        name: format!("{function} by {kind}"),
        kind: kind.into(),
        config,
        target: Target::function(function),
        policy: Policy::default(),
        enabled: true,
    }
}

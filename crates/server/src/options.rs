//! What the server is told once, when it starts.

use std::sync::Arc;

use evoke_model::{Code, Millis};
use evoke_ports::{Clock, SystemClock};
use http::HeaderName;
use serde_json::Value;

use crate::services::Services;

/// What the server is told.
#[derive(Clone)]
pub struct ServerOptions {
    /// Who may call the management API.
    pub auth: AuthMode,
    /// Whether errors carry the stack of a failed function.
    pub stacks: Stacks,
    /// The JSON Schema of the manifest, served at `/schemas/function.json`.
    pub function_schema: Value,
    /// The page of an error code in Markdown, shown at `/docs/errors/{code}`.
    pub error_page: fn(Code) -> Option<&'static str>,
    /// The limits.
    pub limits: Limits,
    /// The time a `delay` counts from.
    pub clock: Arc<dyn Clock>,
    /// The data services.
    pub services: Services,
    /// The header in which a proxy in front of the server says where a request came from.
    pub client_address: Option<HeaderName>,
    /// Where the server is reached from outside, for links that are handed on; where it is not
    /// said, it is where their caller reached it.
    pub public_url: Option<String>,
}

/// Who may call the management API. Routes of functions and `/health` are public in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Everybody on this machine: only for a server that listens on loopback. Requests that a
    /// browser sends for a foreign page are refused.
    Open {
        /// Names beside `localhost` under which the server may be addressed.
        hosts: Vec<String>,
    },
    /// Who presents an API key.
    Keys,
}

/// Whether errors carry the stack of a failed function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stacks {
    /// In development.
    Shown,
    /// Elsewhere: a stack tells strangers about the code.
    Hidden,
}

/// The limits of the server, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; default 10 MiB, as the contract says.
    pub body_bytes: usize,
    /// How long a client may take for the head of a request, the wait for the next request on a
    /// kept connection included; default 60s, the pause after which clients drop idle connections.
    pub head_wait: Millis,
    /// How long a client may pause within a body; default 10s.
    pub body_pause: Millis,
    /// How long a body may take in all; default 2m, which is 10 MiB at 90 kB/s.
    pub body_wait: Millis,
    /// Open connections; default 10,000, half of the files a process may usually have open.
    pub connections: usize,
    /// How long requests under way may take when the server stops; default 15s.
    pub grace: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 10 << 20,
            head_wait: Millis::from_secs(60),
            body_pause: Millis::from_secs(10),
            body_wait: Millis::from_secs(120),
            connections: 10_000,
            grace: Millis::from_secs(15),
        }
    }
}

impl Default for ServerOptions {
    /// The strict choice everywhere: keys are needed and stacks stay here.
    fn default() -> Self {
        Self {
            auth: AuthMode::Keys,
            stacks: Stacks::Hidden,
            function_schema: Value::Bool(true),
            error_page: |_| None,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            services: Services::default(),
            client_address: None,
            public_url: None,
        }
    }
}

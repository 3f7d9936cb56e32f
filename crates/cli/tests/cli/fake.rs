//! A server that remembers what it is sent and answers what a test says, and the command line that
//! talks to it.

use std::process::Output;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

/// The answer to a request of this method and path, with this body; none is 404.
pub type Answer = fn(&str, &str, &Value) -> Option<Response>;

/// What was sent: method and path with its query, and the body.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

pub struct Fake {
    pub url: String,
    seen: Seen,
    _runtime: tokio::runtime::Runtime,
}

async fn remembered(State((answer, seen)): State<(Answer, Seen)>, request: Request) -> Response {
    let method = request.method().clone();
    let place = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    seen.lock().unwrap().push((format!("{method} {place}"), body.clone()));
    let answer = answer(method.as_str(), &path, &body);
    answer.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// A list that is given whole.
pub fn page(items: Value) -> Response {
    Json(json!({ "data": items, "next_cursor": null })).into_response()
}

/// What was printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command line, with nothing around it.
pub fn evoke(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evoke-cli-test"));
    command.args(args).env_clear();
    command
}

impl Fake {
    /// One that answers like this, and remembers what it was sent.
    pub fn new(answer: Answer) -> Self {
        let seen = Seen::default();
        let router = Router::new().fallback(remembered).with_state((answer, seen.clone()));
        Self { seen, ..Self::serving(router) }
    }

    /// One with these routes, which remembers nothing.
    pub fn serving(router: Router) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, seen: Seen::default(), _runtime: runtime }
    }

    pub fn evoke(&self, args: &[&str]) -> Output {
        evoke(args).env("EVOKE_URL", &self.url).output().unwrap()
    }

    /// What a command that works prints on stdout.
    pub fn prints(&self, args: &[&str]) -> String {
        let output = self.evoke(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The last request that came.
    pub fn last(&self) -> (String, Value) {
        self.seen.lock().unwrap().pop().unwrap()
    }

    /// The last request a command made.
    pub fn sent(&self, args: &[&str]) -> (String, Value) {
        self.prints(args);
        self.last()
    }
}

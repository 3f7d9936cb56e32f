//! What these tests need: the target, the tools that `cargo xtask setup` installs, and a server
//! that keeps what it gets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use evoke_model::{Code, Failure, Outcome};
use evoke_ports::runtime::Deployed;
use evoke_ports::{Functions, Job, Target};
use evoke_targets::TargetOptions;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::testing::clock;

/// Secrets that are exchanged: the one before and the one after.
pub const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One that was never given to anybody.
pub const FOREIGN: &str = "whsec_Zm9yZWlnbmZvcmVpZ25mb3JlaWduZm9yZWlnbg==";

struct NoFunctions;

impl Functions for NoFunctions {
    fn current(&self, name: &str) -> Result<Deployed, Failure> {
        Err(Failure::new(Code::FunctionNotFound, format!("there is no function {name}")))
    }
}

/// HTTP targets as a server in development has them.
pub fn target() -> Arc<dyn Target> {
    let options = TargetOptions { clock: clock(), allow_private: true };
    let all = evoke_targets::builtin(&options, Arc::new(NoFunctions));
    all.into_iter().find(|target| target.descriptor().kind == "http").expect("HTTP targets")
}

/// What becomes of one attempt.
pub async fn deliver(target: &Arc<dyn Target>, config: &Value, job: Job) -> Outcome {
    target.open(config).expect("a valid configuration").deliver(job).await.outcome
}

/// A request as it arrived.
pub type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A router that keeps what it gets.
pub fn keeper(seen: Seen) -> Router {
    async fn keep(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> StatusCode {
        seen.lock().push((headers, body));
        StatusCode::NO_CONTENT
    }
    Router::new().fallback(keep).with_state(seen)
}

/// Starts a server that keeps what it gets.
pub async fn serve(seen: Seen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = listener.local_addr().expect("the address");
    tokio::spawn(async move { axum::serve(listener, keeper(seen)).await.expect("serve") });
    address
}

/// A file of the tools that `cargo xtask setup` installs.
fn tool(path: &str) -> PathBuf {
    let folders = std::env::var_os("EVOKE_TOOLS").unwrap_or_default();
    let first = std::env::split_paths(&folders).next().unwrap_or_default();
    let tool = first.join(path);
    let hint = "run cargo xtask setup and name its folder in EVOKE_TOOLS";
    assert!(first.is_absolute() && tool.exists(), "{path} is missing: {hint}");
    tool
}

/// A program in the language of a script, and the folder it needs.
pub struct Script {
    /// To be started with more arguments.
    pub command: Command,
    _folder: TempDir,
}

/// A program for Node with the packages of the tests.
pub fn node(text: &str) -> Script {
    tool("node_modules/standardwebhooks");
    tool("node_modules/svix");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(tool("node_modules"), folder.path().join("node_modules"))
        .expect("link the packages");
    script(&tool("bin/node22"), "script.mjs", text, folder)
}

/// A program for Python with the packages of the tests.
pub fn python(text: &str) -> Script {
    let folder = tempfile::tempdir().expect("a folder");
    script(&tool("venv/bin/python"), "script.py", text, folder)
}

fn script(program: &PathBuf, name: &str, text: &str, folder: TempDir) -> Script {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("write the script");
    let mut command = Command::new(program);
    command.arg(path);
    Script { command, _folder: folder }
}

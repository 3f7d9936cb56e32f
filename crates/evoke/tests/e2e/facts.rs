//! Waiting for facts, and processes as the system sees them.

use std::time::Instant;

use evoke_testkit::server::PATIENCE;
use evoke_testkit::{Answer, TestServer};
use serde_json::Value;

/// Looks again and again until there is something to see.
pub async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Waits until the server has printed a text.
pub async fn printed(server: &TestServer, text: &str) {
    let what = format!("{text:?} is printed");
    until(&what, async || server.output().contains(text).then_some(())).await;
}

/// Waits until a file has content, and gives it.
pub async fn content(path: &std::path::Path) -> String {
    until(&format!("{} is written", path.display()), async || {
        std::fs::read_to_string(path).ok().filter(|text| !text.is_empty())
    })
    .await
}

/// Calls a function and waits for its answer.
pub async fn invoke(server: &TestServer, function: &str, data: Value) -> Answer {
    server.post(&format!("/api/functions/{function}/invoke"), data).await
}

/// What the server says of why an execution is where it is.
pub async fn explained(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/api/executions/{id}/explain")).await.expect(200).json()
}

/// Whether a process is there and not merely waiting to be buried.
pub fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

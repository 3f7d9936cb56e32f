//! Projects that several tests use.

use std::path::PathBuf;

use evoke_testkit::TestServer;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_evoke");

/// A function in Node that gives back what it got.
pub const ECHO: [(&str, &str); 2] = [
    (
        "functions/echo/function.json",
        r#"{"runtime": "node", "triggers": [{"type": "event", "match": "echo.*"}]}"#,
    ),
    (
        "functions/echo/index.mjs",
        "export function handler(event, context) {\n  console.log('got', event.type);\n  \
         return { got: event.data, attempt: context.attempt };\n}\n",
    ),
];

/// A server in dev mode on these files.
pub async fn dev(files: &[(&str, &str)]) -> TestServer {
    TestServer::dev(BINARY, files).await
}

/// A file of the tools that `cargo xtask setup` installs.
pub fn tool(path: &str) -> PathBuf {
    let folders = std::env::var_os("EVOKE_TOOLS").unwrap_or_default();
    let first = std::env::split_paths(&folders).next().unwrap_or_default();
    let tool = first.join(path);
    let hint = "run cargo xtask setup and name its folder in EVOKE_TOOLS";
    assert!(first.is_absolute() && tool.exists(), "{path} is missing: {hint}");
    tool
}

//! Projects that several tests use.

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

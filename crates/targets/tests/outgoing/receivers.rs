//! The receivers that the documentation shows, run as they stand there.

use std::process::Stdio;
use std::time::Duration;

use evoke_model::Outcome;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{FOREIGN, NEW, OLD, Script, deliver, node, python, target};
use crate::testing::job;

/// Long for a test that works, short for one that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first block of this language on the page.
fn example(language: &str) -> &'static str {
    let page = include_str!("../../../../docs/targets/http.md");
    let (_, from) = page.split_once(&format!("```{language}\n")).expect("an example");
    from.split_once("```").expect("its end").0
}

struct Receiver {
    url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _script: Script,
    _child: Child,
}

impl Receiver {
    async fn start(mut script: Script, secret: &str) -> Self {
        script.command.env("WEBHOOK_SECRET", secret).env("PORT", "0");
        let command = std::mem::replace(&mut script.command, std::process::Command::new("true"));
        let mut child = Command::from(command)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("start the receiver");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = next(&mut lines).await;
        let port = line.strip_prefix("listening on ").expect("the port");
        let url = format!("http://127.0.0.1:{port}/");
        Self { url, lines, _script: script, _child: child }
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    line.expect("a line in time").expect("a line").expect("the receiver is up")
}

async fn is_believed_by(start: fn(&str) -> Script, language: &str) {
    let text = example(language);
    let mut receiver = Receiver::start(start(text), OLD).await;
    let target = target();
    let config =
        |secrets: &[&str]| json!({ "url": receiver.url, "signing": { "secrets": secrets } });
    let good = deliver(&target, &config(&[NEW, OLD]), job("{}")).await;
    let Outcome::Success(record) = good else { panic!("refused: {good:?}") };
    assert_eq!(record.to_value()["status"], 204);
    let bad = deliver(&target, &config(&[FOREIGN]), job("{}")).await;
    let Outcome::Failure(failure) = bad else { panic!("believed: {bad:?}") };
    assert!(failure.message.contains("401"), "{failure:?}");
    let unsigned = deliver(&target, &json!({ "url": receiver.url }), job("{}")).await;
    assert!(matches!(unsigned, Outcome::Failure(_)), "{unsigned:?}");
    let told = next(&mut receiver.lines).await;
    assert_eq!(told, format!("order.created {}", job("{}").execution));
}

#[tokio::test]
async fn the_receiver_in_javascript_believes_only_what_is_signed() {
    is_believed_by(node, "js").await;
}

#[tokio::test]
async fn the_receiver_in_python_believes_only_what_is_signed() {
    is_believed_by(python, "python").await;
}

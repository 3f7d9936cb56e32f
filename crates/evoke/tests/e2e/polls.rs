//! Functions that are asked whether something happened, against the built binary.

use std::path::Path;

use evoke_model::Timestamp;
use evoke_testkit::TestServer;
use serde_json::{Value, json};

use crate::facts::{printed, until};
use crate::ordering::open;
use crate::pages::{steps, walk};
use crate::support::dev;

/// A target that notes that it began and ends when a file is there.
const GATED: &str = "import { existsSync } from 'node:fs';\n\
     const gate = process.cwd() + '/../../gate';\n\
     export const handler = async (event) => {\n  \
     while (!existsSync(gate)) await new Promise((done) => setTimeout(done, 10));\n  \
     return event.data;\n};\n";

const QUICK: &str = "export const handler = (event) => event.data;\n";

const ALWAYS: &str = "export const handler = () => ({ fire: true, context: {} });\n";

/// A manifest with one poll.
fn polling(poll: &Value) -> String {
    let mut trigger = json!({ "type": "poll", "name": "watch", "every": "1s" });
    let fields = trigger.as_object_mut().expect("an object");
    fields.extend(poll.as_object().expect("an object").clone());
    json!({ "runtime": "node", "triggers": [trigger] }).to_string()
}

/// What the answer says of a poll.
async fn poll_of(server: &TestServer, trigger: &str) -> Value {
    let found = server.get(&format!("/api/triggers/{trigger}")).await.expect(200).json();
    found["poll"].clone()
}

/// Waits until a poll looks as wanted.
async fn poll_until(server: &TestServer, trigger: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{trigger} looks as wanted"), async || {
        let found = poll_of(server, trigger).await;
        wanted(&found).then_some(found)
    })
    .await
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"))
}

/// The data of the events of a type, oldest first.
async fn contexts(server: &TestServer, kind: &str) -> Vec<Value> {
    let page = server.get(&format!("/api/events?type={kind}&limit=1000")).await.expect(200).json();
    let mut events = page["data"].as_array().expect("a list").clone();
    events.reverse();
    events.into_iter().map(|event| event["data"].clone()).collect()
}

#[tokio::test]
async fn one_that_always_fires_runs_once_per_completion() {
    let manifest = polling(&json!({ "run": "quick" }));
    let server = dev(&[
        ("functions/ask/function.json", &manifest),
        ("functions/ask/index.mjs", ALWAYS),
        ("functions/quick/index.mjs", QUICK),
    ])
    .await;
    server.ended("trigger=watch&status=success", 5).await;
    let poll = poll_of(&server, "watch").await;
    assert!(number(&poll["fired"]) >= 5, "{poll}");
    let runs = server.executions("function=quick&limit=100").await;
    assert!(runs.iter().all(|run| run["trigger_name"] == "watch" && run["trigger_type"] == "poll"));
    server.metric("evoke_polls_total", |value| value >= 5.0).await;
}

#[tokio::test]
async fn the_same_context_runs_again_only_where_that_is_allowed_or_the_last_is_done() {
    let one = polling(&json!({ "name": "one", "run": "slow" }));
    let many = polling(&json!({ "name": "many", "run": "slow", "allow_concurrent": true }));
    let mut server = dev(&[
        ("functions/one/function.json", &one),
        // The same context, written in another way each time.
        (
            "functions/one/index.mjs",
            "export const handler = ({ data: { state } }) => {\n  const n = (state ?? 0) + 1;\n  \
             const context = n % 2 ? { file: 'a.csv', size: 12 } : { size: 12, file: 'a.csv' };\n  \
             return { fire: true, context, state: n };\n};\n",
        ),
        ("functions/many/function.json", &many),
        ("functions/many/index.mjs", ALWAYS),
        ("functions/slow/index.mjs", GATED),
    ])
    .await;
    let is_skipped = |poll: &Value| number(&poll["skips"]["same_context"]) >= 3;
    let poll = poll_until(&server, "one", is_skipped).await;
    assert_eq!(number(&poll["fired"]), 1, "{poll}");
    assert_eq!(poll["state"], 1, "a firing that is left out leaves the state");
    assert_eq!(poll["last_skip"]["reason"], "same_context");
    poll_until(&server, "many", |poll| number(&poll["fired"]) >= 4).await;

    server.kill();
    server.restart().await;
    let before = number(&poll_of(&server, "one").await["skips"]["same_context"]);
    let is_skipped = |poll: &Value| number(&poll["skips"]["same_context"]) > before;
    let poll = poll_until(&server, "one", is_skipped).await;
    assert_eq!(number(&poll["fired"]), 1, "{poll}");
    assert_eq!(server.executions("trigger=one").await.len(), 1);
    let events = server.get("/api/events?type=poll.one").await.expect(200).json();
    let vectors = include_str!("../../../../docs/vectors/poll-context.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).expect("JSON");
    let canonical = r#"{"file":"a.csv","size":12}"#;
    let vector = vectors.iter().find(|vector| vector["canonical"] == canonical).expect("a vector");
    let hash = vector["sha256"].as_str().expect("a hash");
    assert_eq!(events["data"][0]["subject"], format!("sha256:{hash}"));

    open(&server, "gate");
    let done = server.ended("trigger=one&status=success", 3).await;
    assert!(done.len() >= 3);
    let many = poll_of(&server, "many").await;
    assert_eq!(number(&many["skips"]["same_context"]), 0, "{many}");
}

#[tokio::test]
async fn slow_targets_and_slow_questions_delay_nobody() {
    let mute = polling(&json!({ "name": "mute", "poll_timeout": "5m" }));
    let slow = polling(&json!({ "name": "slow", "run": "gated" }));
    let quick = polling(&json!({ "name": "quick", "run": "done" }));
    let done = r#"{"runtime": "node", "triggers": [{"type": "event", "match": "go"},
        {"type": "schedule", "every": "1s", "name": "tick"}]}"#;
    let server = dev(&[
        ("functions/mute/function.json", &mute),
        ("functions/mute/index.mjs", GATED),
        ("functions/slow/function.json", &slow),
        ("functions/slow/index.mjs", ALWAYS),
        ("functions/gated/index.mjs", GATED),
        ("functions/quick/function.json", &quick),
        ("functions/quick/index.mjs", ALWAYS),
        ("functions/done/function.json", done),
        ("functions/done/index.mjs", QUICK),
    ])
    .await;
    let is_busy = |poll: &Value| number(&poll["skips"]["busy"]) >= 3;
    let poll = poll_until(&server, "mute", is_busy).await;
    assert_eq!(number(&poll["polls"]), 1, "{poll}");
    assert_eq!(poll["last_skip"]["reason"], "busy");
    server.ended("trigger=quick&status=success", 3).await;
    server.ended("trigger=tick&status=success", 3).await;
    server.emit("go", json!(1)).await;
    server.ended("trigger_type=event&status=success", 1).await;
    assert_eq!(number(&poll_of(&server, "slow").await["fired"]), 1);
    open(&server, "gate");
    // What it answers then is no answer, and the next one asks for it again.
    poll_until(&server, "mute", |poll| number(&poll["skips"]["error"]) >= 2).await;
    server.ended("trigger=slow&status=success", 2).await;
}

#[tokio::test]
async fn questions_stay_on_their_grid_and_state_survives_a_kill() {
    let manifest = polling(&json!({ "allow_concurrent": true, "run": "quick" }));
    let code = "export const handler = ({ data: { state, scheduled_at } }) => {\n  \
         const n = state?.n ?? 0;\n  \
         return { fire: true, context: { n, at: scheduled_at }, state: { n: n + 1 } };\n};\n";
    let mut server = dev(&[
        ("functions/ask/function.json", &manifest),
        ("functions/ask/index.mjs", code),
        ("functions/quick/index.mjs", QUICK),
    ])
    .await;
    let fired = |count| move |poll: &Value| number(&poll["fired"]) >= count;
    poll_until(&server, "watch", fired(5)).await;
    server.kill();
    server.restart().await;
    poll_until(&server, "watch", fired(8)).await;
    server.kill();
    server.restart().await;
    poll_until(&server, "watch", fired(12)).await;
    let contexts = contexts(&server, "poll.watch").await;
    let instants: Vec<i64> = contexts
        .iter()
        .map(|context| context["at"].as_str().expect("a time"))
        .map(|at| at.parse::<Timestamp>().expect("a time").as_micros())
        .collect();
    for (n, context) in contexts.iter().enumerate() {
        assert_eq!(context["n"], n, "what it keeps goes on where it was: {contexts:?}");
    }
    for pair in instants.windows(2) {
        let step = pair[1] - pair[0];
        assert!(step > 0 && step % 1_000_000 == 0, "{instants:?}");
    }
    server.ended("trigger=watch&status=success", contexts.len()).await;
}

#[tokio::test]
async fn what_a_function_fails_of_is_told_and_makes_no_execution() {
    let manifest = |name: &str| polling(&json!({ "name": name, "poll_timeout": "200ms" }));
    let (throws, hangs, talks) = (manifest("throws"), manifest("hangs"), manifest("talks"));
    let server = dev(&[
        ("functions/throws/function.json", &throws),
        (
            "functions/throws/index.mjs",
            "export const handler = () => { throw new Error('no such queue'); };\n",
        ),
        ("functions/hangs/function.json", &hangs),
        ("functions/hangs/index.mjs", "export const handler = () => new Promise(() => {});\n"),
        ("functions/talks/function.json", &talks),
        ("functions/talks/index.mjs", "export const handler = () => ({ fire: 'yes' });\n"),
    ])
    .await;
    for (name, reason, message) in [
        ("throws", "error", "FN_004: Error: no such queue"),
        ("hangs", "timeout", "FN_002"),
        ("talks", "error", "expected {fire: true|false, ...}, got \"yes\" in `fire`"),
    ] {
        let is_skipped = |poll: &Value| number(&poll["skips"][reason]) >= 2;
        let poll = poll_until(&server, name, is_skipped).await;
        let said = poll["last_skip"]["message"].as_str().expect("a message");
        assert!(said.contains(message) || said.contains("no such queue"), "{name}: {said}");
        assert_eq!(poll["last_skip"]["reason"], reason);
        assert_eq!(number(&poll["fired"]), 0);
        printed(&server, &format!("Poll \"{name}\" failed")).await;
    }
    assert!(server.executions("").await.is_empty());
    server.metric("evoke_poll_skips_total{reason=\"error\"}", |value| value >= 4.0).await;
    server.metric("evoke_poll_skips_total{reason=\"timeout\"}", |value| value >= 2.0).await;
}

#[tokio::test]
async fn polls_are_made_changed_and_switched_through_the_api() {
    let server =
        dev(&[("functions/ask/index.mjs", ALWAYS), ("functions/quick/index.mjs", QUICK)]).await;
    let body = |config: Value| {
        json!({
            "name": "made", "type": "poll", "config": config,
            "target": { "type": "function", "name": "quick" },
        })
    };
    let refused = server.post("/api/triggers", body(json!({ "every": "500ms" }))).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "TR_002"));
    let problems = refused.json()["error"]["problems"].clone();
    assert_eq!(problems[0]["field"], "config.function");
    assert_eq!(problems[1]["field"], "config.every");
    let config = json!({ "function": "ask", "every": "1s" });
    let made = server.post("/api/triggers", body(config)).await.expect(201).json();
    assert_eq!(made["config"]["poll_timeout"], "10s");
    assert!(made["poll"]["next_poll_at"].is_string(), "{made}");
    server.ended("trigger=made&status=success", 1).await;

    let off = server.post("/api/triggers/made/disable", json!({})).await.expect(200).json();
    assert_eq!(off["poll"]["next_poll_at"], Value::Null);
    let on = server.post("/api/triggers/made/enable", json!({})).await.expect(200).json();
    assert!(on["poll"]["next_poll_at"].is_string(), "{on}");
    let change = server.request("PATCH", "/api/triggers/made");
    let change = change.json(&json!({ "config": { "every": "1h" } }));
    let changed = server.answer(change).await.expect(200).json();
    assert_eq!(changed["config"]["every"], "1h");
    let gone = server.answer(server.request("DELETE", "/api/triggers/made")).await;
    gone.expect(204);
    server.get("/api/triggers/made").await.expect(404);
}

/// The files of a folder, by their path in it.
fn files_of(root: &Path, folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_of(root, &path, out);
        } else {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            out.push((name, std::fs::read_to_string(&path).expect("a text")));
        }
    }
}

#[tokio::test]
async fn the_example_runs_as_written_and_prints_what_it_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/polls");
    let mut files = Vec::new();
    for part in ["functions", "README.md"] {
        let path = example.join(part);
        if path.is_dir() {
            files_of(&example, &path, &mut files);
        } else {
            files.push((part.to_owned(), std::fs::read_to_string(&path).expect("a text")));
        }
    }
    let page = files.iter().find(|(name, _)| name == "README.md").expect("a page").1.clone();
    let texts: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let server = dev(&texts).await;
    assert!(steps(&page).len() >= 6);
    walk(&server, &page).await;
}

//! The record with the real binary: dead letters, replays, what events led to, who did what, and
//! what becomes of all of it. What people do they do here with the command line.

use std::time::{Duration, Instant};

use crate::commands::{gives, prints, run, text};
use crate::facts::until;
use crate::ordering::{notes, noting, open};
use crate::support::{BINARY, dev};
use evoke_testkit::TestServer;
use evoke_testkit::server::{Options, PATIENCE};
use serde_json::{Value, json};

/// Pays what has an amount, once there is money.
const TILL: &str = "export const handler = (event, context) => {\n  \
    const { n, amount } = event.data;\n  \
    if (!is('money')) throw new Error('no money for order ' + n);\n  \
    if (!amount) throw new TypeError(`order \"${n}\" has no amount`);\n  \
    note(`paid ${n} ${amount} ${context.isReplay === true}`);\n  return amount;\n};\n";

async fn till() -> TestServer {
    let trigger = json!({
        "name": "till", "type": "event", "match": "order.*", "retry": { "attempts": 1 },
    });
    noting(trigger, TILL).await
}

async fn letters(server: &TestServer, count: usize) -> Vec<Value> {
    let what = format!("there are {count} dead letters");
    until(&what, async || {
        let page = server.get("/api/dead-letters?limit=1000").await.expect(200).json();
        let found = page["data"].as_array().expect("a list").clone();
        (found.len() == count).then_some(found)
    })
    .await
}

fn field<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().unwrap_or_else(|| panic!("no {name}: {of}"))
}

/// What a command that follows an operation says it came to.
fn followed(server: &TestServer, args: &[&str]) -> Value {
    gives(server, &[args, &["--follow"]].concat())
}

#[tokio::test]
async fn dead_letters_are_grouped_edited_and_run_again() {
    let server = till().await;
    for n in 0..20 {
        server.emit("order.paid", json!({ "n": n, "amount": n % 4 })).await;
    }
    letters(&server, 20).await;
    let causes = gives(&server, &["dlq", "list"]);
    assert_eq!(causes.as_array().map(Vec::len), Some(1), "numbers count as equal: {causes}");
    assert_eq!((&causes[0]["count"], &causes[0]["function"]), (&json!(20), &json!("note")));
    server.metric("evoke_dead_letters{trigger=\"till\"}", |value| value == 20.0).await;

    open(&server, "money");
    let counted = gives(&server, &["dlq", "redrive", "--function", "note", "--dry-run"]);
    assert_eq!(counted, json!({ "count": 20 }));
    let done = followed(&server, &["dlq", "redrive", "--function", "note", "--rate", "500/s"]);
    assert_eq!(done["status"], "done", "they die of something else now: {done}");
    assert_eq!(done["progress"]["succeeded"], 15, "{done}");
    assert_eq!(done["progress"]["failed"], 5, "{done}");
    let causes = gives(&server, &["dlq", "list"]);
    assert_eq!(causes[0]["count"], 5, "{causes}");
    assert_ne!(causes[0]["error"]["message"], "no money for order 0", "{causes}");

    let left = letters(&server, 5).await;
    for letter in &left {
        let edited = gives(
            &server,
            &["dlq", "edit", field(letter, "id"), "-d", "{\"n\": 100, \"amount\": 7}"],
        );
        assert_eq!(edited["input"], json!({ "n": 100, "amount": 7 }), "{edited}");
        assert_eq!(edited["history"].as_array().map(Vec::len), Some(2), "{edited}");
    }
    let done = followed(&server, &["dlq", "redrive", "--cause", field(&causes[0], "cause")]);
    assert_eq!(done["progress"]["succeeded"], 5, "{done}");
    letters(&server, 0).await;
    server.metric("evoke_dead_letters{trigger=\"till\"}", |value| value == 0.0).await;
    let paid = notes(&server);
    assert_eq!(paid.len(), 20, "each once: {paid:?}");
    assert_eq!(paid.iter().filter(|line| *line == "paid 100 7 false").count(), 5);
    let event = server.get(&format!("/api/events/{}", field(&left[0], "event_id"))).await;
    assert_eq!(event.expect(200).json()["data"]["amount"], 0, "the event stays as it was");
    let mended = server.execution(field(&left[0], "id")).await;
    assert_eq!((&mended["status"], &mended["is_edited"]), (&json!("success"), &json!(true)));
    let trail = gives(&server, &["audit", "list", "--action", "dead_letter.edit"]);
    assert_eq!(trail.as_array().map(Vec::len), Some(5), "{trail}");
    assert_eq!(trail[0]["detail"]["after"], json!({ "n": 100, "amount": 7 }), "{trail}");
    assert_eq!(trail[0]["detail"]["before"]["amount"], 0, "{trail}");
    assert_eq!(trail[0]["actor"], "local", "{trail}");
}

#[tokio::test]
async fn a_redrive_stops_when_the_cause_repeats() {
    let server = till().await;
    for n in 0..50 {
        server.emit("order.paid", json!({ "n": n })).await;
    }
    letters(&server, 50).await;
    let args = ["dlq", "redrive", "--rate", "5/s", "--stop-after", "3", "--follow", "-o", "json"];
    let output = run(server.dir(), &server.url(""), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stopped: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    let cause = field(&letters(&server, 50).await[0], "cause").to_owned();
    assert!(field(&stopped, "reason").contains(&cause), "{stopped}");
    let taken = stopped["progress"]["taken"].as_u64().expect("a number");
    assert!((3..50).contains(&taken), "{stopped}");
    let tried = gives(&server, &["dlq", "list", "--letters", "--limit", "100"]);
    let again = tried.as_array().expect("a list").iter();
    let again = again.map(|letter| gives(&server, &["dlq", "show", field(letter, "id")]));
    let again =
        again.filter(|letter| letter["history"].as_array().is_some_and(|all| all.len() > 1));
    assert_eq!(again.count() as u64, taken, "no more were touched");
}

#[tokio::test]
async fn dead_letters_go_to_another_function_or_away() {
    let failing = json!({ "runtime": "node", "triggers": [
        { "name": "bill", "type": "event", "match": "order", "retry": { "attempts": 1 } },
    ] });
    let failing = failing.to_string();
    let server = dev(&[
        ("functions/bill/function.json", &failing),
        ("functions/bill/index.mjs", "export const handler = () => { throw new Error('no'); };\n"),
        ("functions/mend/function.json", r#"{"runtime": "node"}"#),
        ("functions/mend/index.mjs", "export const handler = (event) => event.data.n + 1;\n"),
    ])
    .await;
    for n in 0..4 {
        server.emit("order", json!({ "n": n })).await;
    }
    let found = letters(&server, 4).await;
    let done =
        followed(&server, &["dlq", "redrive", "--filter", "event.data.n >= 2", "--to", "mend"]);
    assert_eq!(done["progress"]["succeeded"], 2, "{done}");
    let mended = server.execution(field(&found[0], "id")).await;
    assert_eq!(mended["redirect"], json!({ "function": "mend" }), "{mended}");
    assert_eq!((&mended["status"], &mended["output"]), (&json!("success"), &json!(4)), "{mended}");

    let url = server.url("");
    let output = run(server.dir(), &url, &["dlq", "redrive", "--to", "mend@99"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let output = run(server.dir(), &url, &["dlq", "redrive", "--to", "mnd"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("mend"), "{}", text(&output.stderr));
    let output = run(server.dir(), &url, &["dlq", "purge"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(prints(&server, &["dlq", "purge", "--id", field(&found[3], "id")]), "1");
    assert_eq!(prints(&server, &["dlq", "purge", "--all"]), "1");
    letters(&server, 0).await;
    assert_eq!(server.executions("status=failed").await.len(), 2, "the record keeps them");
}

#[tokio::test]
async fn a_replay_sends_what_its_dry_run_counted_and_the_function_sees_it() {
    let server = till().await;
    open(&server, "money");
    for n in 0..30 {
        let kind = if n % 3 == 0 { "order.sent" } else { "order.paid" };
        server.emit(kind, json!({ "n": n, "amount": n + 1 })).await;
    }
    server.ended("trigger_type=event&limit=100", 30).await;
    let wanted = ["events", "replay", "--type", "order.paid", "--filter", "event.data.n < 15"];
    let counted = gives(&server, &[&wanted[..], &["--dry-run"]].concat());
    assert_eq!(counted["events"], 10, "{counted}");
    assert_eq!(counted["executions"][0]["trigger_name"], "till", "{counted}");
    assert_eq!(counted["executions"][0]["count"], 10, "{counted}");
    assert_eq!(notes(&server).len(), 30, "a dry run changes nothing");
    let done = followed(&server, &[&wanted[..], &["--rate", "100/s"]].concat());
    assert_eq!(done["status"], "done", "{done}");
    assert_eq!(done["progress"]["taken"], counted["events"], "{done}");
    assert_eq!(done["progress"]["succeeded"], counted["executions"][0]["count"], "{done}");
    let again = notes(&server);
    let again: Vec<_> = again.iter().filter(|line| line.ends_with(" true")).collect();
    assert_eq!(again.len(), 10, "{again:?}");
    let replayed = gives(&server, &["executions", "list", "--replays"]);
    assert_eq!(replayed.as_array().map(Vec::len), Some(10), "{replayed}");
    let event = gives(&server, &["events", "show", field(&replayed[0], "event_id")]);
    let original = gives(&server, &["events", "show", field(&event, "replay_of")]);
    assert_eq!((&event["data"], &event["type"]), (&original["data"], &original["type"]));
    let once_more = gives(&server, &[&wanted[..], &["--dry-run"]].concat());
    assert_eq!(once_more["events"], 10, "what was repeated is not repeated again: {once_more}");
}

#[tokio::test]
async fn a_replay_is_cancelled_cleanly_and_goes_on_after_a_kill() {
    let mut server = till().await;
    open(&server, "money");
    let events: Vec<_> = (0..200)
        .map(|n| json!({ "type": "order.paid", "data": { "n": n, "amount": 1 } }))
        .collect();
    server.post("/api/events", json!(events)).await.expect(202);
    server.ended("trigger_type=event&limit=1000", 200).await;
    let id = prints(&server, &["events", "replay", "--type", "order.*", "--rate", "5/s"]);
    let taken = async |server: &TestServer, more: u64| {
        until("it got further", async || {
            let operation = server.get(&format!("/api/operations/{id}")).await.expect(200).json();
            operation["progress"]["taken"].as_u64().filter(|taken| *taken > more)
        })
        .await
    };
    let before = taken(&server, 0).await;
    server.kill();
    server.restart().await;
    assert!(taken(&server, before).await > before);
    assert_eq!(prints(&server, &["operations", "cancel", &id]), id);
    let ended = gives(&server, &["operations", "show", &id]);
    assert_eq!(ended["status"], "cancelled", "{ended}");
    let taken = ended["progress"]["taken"].as_u64().expect("a number") as usize;
    assert!(taken < 200, "{ended}");
    let replayed = server.ended("is_replay=true&limit=1000", taken).await;
    assert_eq!(replayed.len(), taken, "what was sent is there whole, and no more: {ended}");
    let mut originals: Vec<_> = replayed.iter().map(|one| field(one, "event_id")).collect();
    originals.sort_unstable();
    originals.dedup();
    assert_eq!(originals.len(), taken, "none twice");
}

#[tokio::test]
async fn a_tree_shows_the_chain_and_where_it_was_cut() {
    let sends = |kind: &str| {
        format!(
            "export const handler = async () => {{\n  \
             const answer = await fetch(process.env.EVOKE_URL + '/api/events', {{\n    \
             method: 'POST',\n    headers: {{ 'content-type': 'application/json', \
             authorization: 'Bearer ' + process.env.EVOKE_TOKEN }},\n    \
             body: JSON.stringify({{ type: '{kind}', data: null }}),\n  }});\n  \
             return answer.status;\n}};\n"
        )
    };
    let on = |kind: &str| {
        json!({ "runtime": "node", "triggers": [{ "type": "event", "match": kind }] }).to_string()
    };
    let server = dev(&[
        ("functions/ping/function.json", &on("ping")),
        ("functions/ping/index.mjs", &sends("pong")),
        ("functions/pong/function.json", &on("pong")),
        ("functions/pong/index.mjs", &sends("ping")),
    ])
    .await;
    let root = server.emit("ping", json!({})).await;
    server.ended("status=cancelled", 1).await;
    let tree = gives(&server, &["events", "tree", &root]);
    let ping = &tree["root"]["executions"][0];
    assert_eq!(tree["root"]["event"]["id"], json!(root));
    assert_eq!(
        (&ping["execution"]["function"], &ping["execution"]["status"]),
        (&json!("ping"), &json!("success")),
        "{tree:#}"
    );
    let pong = &ping["events"][0]["executions"][0];
    assert_eq!(pong["execution"]["function"], "pong", "{tree:#}");
    let cut = &pong["events"][0]["executions"][0]["execution"];
    assert_eq!((&cut["status"], &cut["error"]["code"]), (&json!("cancelled"), &json!("EV_004")));
    let last = field(&pong["events"][0]["event"], "id");
    let shown = prints(&server, &["events", "tree", last]);
    assert_eq!(shown.lines().count(), 6, "from the root, whichever event was asked for:\n{shown}");
    assert!(shown.starts_with("ping"), "{shown}");
    assert!(shown.contains("└─ ping  cancelled  cut by the loop brake"), "{shown}");
    assert_eq!(prints(&server, &["events", "tree", &root, "-o", "id"]).lines().count(), 3);
}

#[tokio::test]
async fn the_trail_tells_whose_key_it_was() {
    let files = [
        ("evoke.toml", ""),
        (
            "functions/a/function.json",
            r#"{"runtime": "node", "triggers": [{"name": "a", "type": "event", "match": "a"}]}"#,
        ),
        ("functions/a/index.mjs", "export const handler = () => 1;\n"),
    ];
    let options = Options { command: "serve", ..Options::default() };
    let mut server = TestServer::start(BINARY, &files, options).await;
    assert_eq!(server.terminate().await, Some(0));
    let made = run(server.dir(), "", &["keys", "create", "mona", "--local", "-o", "json"]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    server.restart().await;
    let does = |args: &[&str]| {
        let output = run(
            server.dir(),
            &server.url(""),
            &[args, &["--api-key", field(&made, "key"), "-o", "json"]].concat(),
        );
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let id = does(&["events", "replay", "--type", "a"]);
    let shown = does(&["triggers", "show", "a"]);
    let key = ["--api-key", field(&made, "key")];
    let disabled =
        run(server.dir(), &server.url(""), &[&["triggers", "disable", "a"][..], &key].concat());
    assert!(disabled.status.success(), "{}", text(&disabled.stderr));
    let trail = does(&["audit", "list"]);
    let told: Vec<_> = trail
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (field(entry, "actor"), field(entry, "action"), field(entry, "subject")))
        .collect();
    assert_eq!(
        told,
        [
            ("mona", "trigger.disable", field(&shown, "id")),
            ("mona", "event.replay", field(&id, "id")),
        ]
    );
}

/// The first messages to who follows notes from behind an event.
async fn told_after(server: &TestServer, after: &str, count: usize) -> Vec<String> {
    let request = server.request("GET", "/api/collections/notes/changes");
    let mut answer = request.header("last-event-id", after).send().await.expect("a stream");
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let piece = tokio::time::timeout(PATIENCE, answer.chunk()).await.expect("in time");
        let piece = piece.expect("a piece").unwrap_or_default();
        text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
    }
    text.split_terminator("\n\n").map(str::to_owned).collect()
}

/// The shortest time retention knows is a minute.
#[tokio::test]
async fn what_is_old_is_archived_and_still_found() {
    let files = [
        ("evoke.toml", "[retention]\narchive_after = \"1m\"\n"),
        (
            "functions/a/function.json",
            r#"{"runtime": "node", "triggers": [{"type": "event", "match": "a"}]}"#,
        ),
        ("functions/a/index.mjs", "export const handler = (event) => event.data.n;\n"),
    ];
    let server = dev(&files).await;
    let first = server.emit("a", json!({ "n": 1 })).await;
    server.ended("trigger_type=event", 1).await;
    crate::database::create(&server, "notes", json!({ "id": "old" })).await;
    let began = Instant::now();
    loop {
        let done = gives(&server, &["retention", "run"]);
        let archive = &gives(&server, &["retention", "show"])["archive"];
        if archive["executions"] == 1 && archive["events"] == 2 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "it is never archived: {done}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let young = server.emit("a", json!({ "n": 2 })).await;
    server.ended("trigger_type=event", 1).await;
    let ids = |tier: &str| prints(&server, &["events", "list", "--tier", tier, "-o", "id"]);
    assert_eq!(ids("active"), young);
    assert!(ids("archived").lines().any(|id| id == first));
    // Who follows a collection comes by what is in the archive; who was away too long is told so.
    crate::database::create(&server, "notes", json!({ "id": "new" })).await;
    let told = told_after(&server, &first, 2).await;
    assert!(told[0].contains("\"id\":\"old\"") && told[1].contains("\"id\":\"new\""), "{told:?}");
    let told = told_after(&server, "evt_0000000000001", 3).await;
    assert!(told[0].starts_with("event: missed\ndata: {\"since\":\"20"), "{told:?}");
    assert!(told[1].contains("\"id\":\"old\""), "{told:?}");
    let archived = gives(&server, &["executions", "list", "--tier", "archived"]);
    assert_eq!(archived[0]["event_id"], json!(first), "{archived}");
    assert_eq!(archived[0]["status"], "success", "{archived}");
    let shown = gives(&server, &["executions", "show", field(&archived[0], "id")]);
    assert_eq!((&shown["input"], &shown["output"]), (&json!({ "n": 1 }), &json!(1)), "{shown}");
    assert_eq!(gives(&server, &["events", "show", &first])["data"], json!({ "n": 1 }));
    let retry = run(server.dir(), &server.url(""), &["executions", "retry", field(&shown, "id")]);
    assert_eq!(retry.status.code(), Some(1), "what is archived is only read");
}

#[tokio::test]
async fn a_trigger_is_tested_once_and_marked() {
    let trigger = json!({ "name": "t", "type": "event", "match": "order.*", "filter": "false" });
    let server =
        noting(trigger, "export const handler = (event) => [event.type, event.data];\n").await;
    server.write(&[("event.json", r#"{"type": "order.tested", "data": {"n": 1}}"#)]);
    let id = prints(&server, &["triggers", "test", "t", "--event", "event.json"]);
    server.ended("is_test_run=true", 1).await;
    let shown = gives(&server, &["executions", "show", &id]);
    assert_eq!(shown["output"], json!(["order.tested", { "n": 1 }]), "{shown}");
    assert_eq!(server.executions("trigger_type=event").await.len(), 1);
}

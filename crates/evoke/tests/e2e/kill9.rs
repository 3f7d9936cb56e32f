//! SIGKILL at any moment under load: every accepted event runs at least once, the log has exactly
//! one execution for it, and nothing is stuck. `EVOKE_KILL_ROUNDS=100 cargo test -p evoke --test
//! e2e kill9` runs more rounds than the usual 20.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evoke_testkit::TestServer;
use serde_json::{Value, json};
use tokio::sync::Notify;

const SENDERS: usize = 8;
const ROUNDS: usize = 20;

/// The function notes each event in a file before it answers, so that what ran is known from
/// outside.
const FILES: [(&str, &str); 2] = [
    (
        "functions/note/function.json",
        r#"{"runtime": "node", "triggers": [{"type": "event", "match": "note"}]}"#,
    ),
    (
        "functions/note/index.mjs",
        "import { appendFileSync } from 'node:fs';\nexport const handler = async (event) => {\n  \
         appendFileSync(process.cwd() + '/../../ran.txt', event.data.id + '\\n');\n  \
         return event.data.id;\n};\n",
    ),
];

/// What the senders of a round share.
#[derive(Clone)]
struct Load {
    client: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    accepted: Arc<Notify>,
}

/// Sends events until told to stop, or until the server is gone; gives back the accepted ones.
async fn send(load: Load, name: String) -> Vec<String> {
    let mut accepted = Vec::new();
    for n in 0.. {
        if load.stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("{name}-{n}");
        let event = json!({ "type": "note", "id": id, "source": "/kill", "data": { "id": id } });
        match load.client.post(&load.url).json(&event).send().await {
            Ok(answer) if answer.status() == 202 => {
                accepted.push(id);
                load.accepted.notify_one();
            }
            Ok(answer) if answer.status() == 503 => {}
            Ok(answer) => panic!("{} for {id}", answer.status()),
            Err(_) => break,
        }
    }
    accepted
}

/// What stands between a path, which may have a query, and one more parameter.
fn joint(path: &str) -> char {
    if path.contains('?') { '&' } else { '?' }
}

/// Every item of a list, whose path may have a query.
pub async fn all(server: &TestServer, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server
            .get(&format!("/api/{path}{}limit=1000{cursor}", joint(path)))
            .await
            .expect(200)
            .json();
        found.extend(page["data"].as_array().expect("a list").clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_or_doubled_or_stuck() {
    let rounds = std::env::var("EVOKE_KILL_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("EVOKE_KILL_ROUNDS is a number"));
    let mut server = crate::support::dev(&FILES).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut accepted = HashSet::new();
    for round in 0..rounds {
        let load = Load {
            client: client.clone(),
            url: server.url("/api/events"),
            stop: Arc::default(),
            accepted: Arc::default(),
        };
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| tokio::spawn(send(load.clone(), format!("r{round}s{sender}"))))
            .collect();
        // Moments spread over half a second of real load, different in each round.
        load.accepted.notified().await;
        tokio::time::sleep(Duration::from_millis(20 + (round as u64 * 97) % 480)).await;
        server.kill();
        load.stop.store(true, Ordering::Relaxed);
        for sender in senders {
            accepted.extend(sender.await.expect("a sender"));
        }
        server.restart().await;
    }
    assert!(accepted.len() > rounds, "the load was real: {} events", accepted.len());
    server.metric("evoke_executions_pending", |value| value == 0.0).await;
    server.metric("evoke_executions_running", |value| value == 0.0).await;

    let ran = std::fs::read_to_string(server.dir().join("ran.txt")).expect("what ran");
    let ran: HashSet<&str> = ran.lines().collect();
    let missing: Vec<_> = accepted.iter().filter(|id| !ran.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "accepted but never run: {missing:?}");

    let events = all(&server, "events").await;
    let by_id: HashMap<&str, &str> = events
        .iter()
        .map(|event| {
            (event["id"].as_str().expect("an id"), event["data"]["id"].as_str().expect("an id"))
        })
        .collect();
    let mut executions: HashMap<String, usize> = HashMap::new();
    for execution in all(&server, "executions").await {
        assert_eq!(execution["status"], "success", "{execution}");
        *executions
            .entry(execution["event_id"].as_str().expect("an id").to_owned())
            .or_default() += 1;
    }
    assert!(executions.values().all(|count| *count == 1), "one execution for each event");
    assert_eq!(executions.len(), events.len(), "each event has its execution");
    let logged: HashSet<&str> = by_id.values().copied().collect();
    assert!(
        accepted.iter().all(|id| logged.contains(id.as_str())),
        "each accepted event is logged"
    );
}

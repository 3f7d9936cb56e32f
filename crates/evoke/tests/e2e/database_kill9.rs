//! SIGKILL at any moment under load: each document has the event that tells of it, each event has
//! its document, and what was answered is there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evoke_testkit::TestServer;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::database::{manifest, on};
use crate::kill9::all;
use crate::support::dev;

const SENDERS: usize = 8;
const ROUNDS: usize = 8;

/// What the senders of a round share.
#[derive(Clone)]
struct Load {
    client: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    accepted: Arc<Notify>,
}

impl Load {
    /// Sends one change; whether it was made, or `None` once the server is gone.
    async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Option<bool> {
        let url = format!("{}/{path}", self.url);
        let answer = self.client.request(method, url).json(body).send().await.ok()?;
        if answer.status() == 503 {
            return Some(false);
        }
        assert!(answer.status().is_success(), "{}", answer.status());
        self.accepted.notify_one();
        Some(true)
    }

    /// Creates, changes and deletes documents until told to stop, or until the server is gone;
    /// gives back what it was told of each: its `n`, or `None` where it was deleted.
    async fn run(self, name: String) -> HashMap<String, Option<i64>> {
        let mut known = HashMap::new();
        for n in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("{name}-{n}");
            let documents = "collections/items/documents";
            let path = format!("{documents}/{id}");
            let create = json!({ "id": id, "n": 0 });
            let made = self.send(reqwest::Method::POST, documents, &create).await;
            let Some(true) = made else { break };
            known.insert(id.clone(), Some(0));
            let step = match n % 3 {
                0 => continue,
                1 => self.send(reqwest::Method::PATCH, &path, &json!({ "n": 1 })).await,
                _ => self.send(reqwest::Method::DELETE, &path, &Value::Null).await,
            };
            match step {
                Some(true) => drop(known.insert(id, (n % 3 == 1).then_some(1))),
                // Nobody knows whether it was made.
                None => drop(known.remove(&id)),
                Some(false) => {}
            }
        }
        known
    }
}

/// The last event of each document: its id, and the document it tells of.
async fn told(server: &TestServer) -> HashMap<String, (String, Value)> {
    let mut told = HashMap::new();
    // Newest first.
    for event in all(server, "events?type=database.items.*").await {
        let id = event["subject"].as_str().expect("a subject").to_owned();
        let event_id = event["id"].as_str().expect("an id").to_owned();
        told.entry(id).or_insert((event_id, event["data"]["document"].clone()));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_document_has_its_event_and_each_event_its_document() {
    let manifest = manifest("node", &[on("items", json!({}))]);
    let files = [
        ("functions/f/function.json", manifest.as_str()),
        ("functions/f/index.mjs", "export const handler = (event) => event.data.action;\n"),
    ];
    let mut server = dev(&files).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut known = HashMap::new();
    for round in 0..ROUNDS {
        let load = Load {
            client: client.clone(),
            url: server.url("/api"),
            stop: Arc::default(),
            accepted: Arc::default(),
        };
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| tokio::spawn(load.clone().run(format!("r{round}s{sender}"))))
            .collect();
        load.accepted.notified().await;
        tokio::time::sleep(Duration::from_millis(20 + (round as u64 * 97) % 480)).await;
        server.kill();
        load.stop.store(true, Ordering::Relaxed);
        for sender in senders {
            known.extend(sender.await.expect("a sender"));
        }
        server.restart().await;
    }
    assert!(known.len() > ROUNDS * SENDERS, "the load was real: {} documents", known.len());

    let documents = all(&server, "collections/items/documents").await;
    let documents: HashMap<&str, &Value> =
        documents.iter().map(|one| (one["id"].as_str().expect("an id"), one)).collect();
    for (id, expected) in &known {
        let found = documents.get(id.as_str()).map(|found| found["n"].as_i64());
        assert_eq!(found, expected.map(Some), "{id}");
    }
    let told = told(&server).await;
    for (id, (event, document)) in &told {
        match documents.get(id.as_str()) {
            None => assert_eq!(*document, Value::Null, "{id} is not there, and {event} says so"),
            Some(found) => {
                assert_eq!(found["_revision"], *event, "{id}");
                assert_eq!(found["n"], document["n"], "{id}");
            }
        }
    }
    let there: HashSet<&str> = documents.keys().copied().collect();
    assert!(there.iter().all(|id| told.contains_key(*id)), "each document has its event");

    server.metric("evoke_executions_pending", |value| value == 0.0).await;
    server.metric("evoke_executions_running", |value| value == 0.0).await;
    let events = all(&server, "events?type=database.items.*").await.len();
    let executions = all(&server, "executions?function=f").await;
    assert_eq!(executions.len(), events, "each event has its execution");
    assert!(executions.iter().all(|one| one["status"] == "success"));
}

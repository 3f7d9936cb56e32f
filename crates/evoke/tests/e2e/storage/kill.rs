//! SIGKILL in the middle of uploads: what is listed afterwards is whole, what was answered
//! is there, and no blob is left that nobody names.

use std::collections::HashMap;
use std::time::Duration;

use evoke_testkit::TestServer;
use serde_json::Value;

use super::{blobs_until, get, hash, path};
use crate::kill9::all;
use crate::support::dev;

const SENDERS: usize = 6;
const ROUNDS: usize = 12;

/// Bytes that nothing else has.
fn bytes(name: &str, turn: usize) -> Vec<u8> {
    let size = 1 + (turn * 7_919 + name.len() * 104_729) % 3_000_000;
    let seed = format!("{name} {turn} ");
    seed.bytes().cycle().take(size).collect()
}

/// Writes two files over and over, and deletes one of them now and then; gives back what was
/// answered last of each.
async fn send(client: reqwest::Client, url: String, round: usize) -> HashMap<String, String> {
    let mut answered = HashMap::new();
    for turn in 0.. {
        let name = format!("{}", turn % 2);
        let body = bytes(&url, round * 1_000 + turn);
        let expected = hash(&body);
        let file = format!("{url}/{name}");
        // What is under way may be there or not.
        answered.remove(&file);
        let sent = match turn % 5 {
            4 => client.delete(&file).send().await,
            _ => client.put(&file).body(body).send().await,
        };
        match sent {
            Ok(answer) if answer.status().is_success() && turn % 5 != 4 => {
                answered.insert(file, expected);
            }
            Ok(answer) if [204, 404].contains(&answer.status().as_u16()) => {}
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => return answered,
        }
    }
    answered
}

async fn etag(server: &TestServer, url: &str) -> Value {
    let path = url.strip_prefix(&server.url("")).expect("a path");
    server.get(&format!("{path}?info=true")).await.expect(200).json()["etag"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_listed_is_whole_and_what_is_whole_is_listed() {
    let rounds = std::env::var("EVOKE_KILL_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("EVOKE_KILL_ROUNDS is a number"));
    let mut server = dev(&[]).await;
    server.answer(server.request("PUT", "/api/buckets/b")).await.expect(201);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut seen = 0;
    for round in 0..rounds {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let url = server.url(&path("b", &format!("s{sender}")));
                tokio::spawn(send(client.clone(), url, round))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(40 + (round as u64 * 97) % 400)).await;
        server.kill();
        let mut answered = HashMap::new();
        for sender in senders {
            answered.extend(sender.await.expect("a sender"));
        }
        server.restart().await;
        for (file, expected) in answered {
            assert_eq!(etag(&server, &file).await, expected, "{file}");
        }
        let files = all(&server, "buckets/b/files").await;
        seen += files.len();
        for file in &files {
            let name = file["name"].as_str().expect("a name");
            let bytes = get(&server, ("b", name)).await;
            assert_eq!(file["etag"], hash(&bytes), "{name} is not whole");
        }
        blobs_until(&server, files.len()).await;
    }
    assert!(seen > rounds, "the load was real: {seen} files were looked at");
}

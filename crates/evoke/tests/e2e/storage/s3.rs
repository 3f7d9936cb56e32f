//! Files in an object store: a server that speaks the protocol of S3, from a package.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use evoke_testkit::{Options, TestServer};
use serde_json::json;

use super::{get, hash, path, put};
use crate::facts::until;
use crate::support::{BINARY, tool};

/// The object store, which ends with the test.
struct Objects {
    child: Child,
    url: String,
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Objects {
    /// Starts it with an empty bucket.
    async fn start() -> Self {
        let mut command = Command::new(tool("venv/bin/python"));
        command.args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start moto");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut sender = Some(sender);
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("Running on ")
                    && let Some(sender) = sender.take()
                {
                    sender.send(url.trim().to_owned()).expect("somebody waits");
                }
            }
        });
        let url = receiver.await.expect("moto says where it listens");
        let objects = Self { child, url };
        let made = objects.ask(reqwest::Method::PUT, "/files").await;
        assert!(made.contains("CreateBucket") || made.is_empty(), "{made}");
        objects
    }

    async fn ask(&self, method: reqwest::Method, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method, format!("{}{path}", self.url));
        request.send().await.expect("an answer").text().await.expect("text")
    }

    /// The keys of all objects.
    async fn keys(&self) -> Vec<String> {
        let list = self.ask(reqwest::Method::GET, "/files?list-type=2").await;
        let keys = list.split("<Key>").skip(1);
        keys.map(|rest| rest.split('<').next().unwrap_or_default().to_owned()).collect()
    }

    async fn keys_until(&self, count: usize) -> Vec<String> {
        until(&format!("there are {count} objects"), async || {
            Some(self.keys().await).filter(|keys| keys.len() == count)
        })
        .await
    }

    async fn server(&self) -> TestServer {
        let config = format!(
            "[storage]\nurl = \"s3://files/some/where?endpoint={}&region=us-east-1\"\n",
            self.url
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = vec![pair("AWS_ACCESS_KEY_ID", "test"), pair("AWS_SECRET_ACCESS_KEY", "test")];
        let options = Options { env, ..Options::default() };
        TestServer::start(BINARY, &[("evoke.toml", &config)], options).await
    }
}

#[tokio::test]
async fn files_live_in_an_object_store_under_keys_of_their_own() {
    let objects = Objects::start().await;
    let mut server = objects.server().await;
    put(&server, ("b", "a/small.txt"), "small").await.expect(201);
    let keys = objects.keys_until(1).await;
    assert!(keys[0].starts_with("some/where/") && !keys[0].contains("small"), "{keys:?}");
    // More than two parts of 8 MiB.
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| (n / 251) as u8).collect();
    let file = put(&server, ("b", "large"), bytes.clone()).await.expect(201).json();
    assert_eq!(file["etag"], hash(&bytes));
    assert_eq!(get(&server, ("b", "large")).await, bytes);
    let request =
        server.request("GET", &path("b", "large")).header("range", "bytes=8388600-8388619");
    let part = request.send().await.expect("an answer").bytes().await.expect("bytes");
    assert_eq!(part[..], bytes[8_388_600..8_388_620]);
    put(&server, ("b", "empty"), "").await.expect(201);
    assert_eq!(get(&server, ("b", "empty")).await, b"");

    let upload = server.post("/api/buckets/b/uploads", json!({ "name": "parts" })).await;
    let upload = upload.expect(201).json()["id"].as_str().expect("an id").to_owned();
    for (number, text) in [(2, "world"), (1, "first"), (1, "hello ")] {
        let url = format!("/api/buckets/b/uploads/{upload}/parts/{number}");
        server.answer(server.request("PUT", &url).body(text)).await.expect(200);
    }
    let complete = format!("/api/buckets/b/uploads/{upload}/complete");
    server.post(&complete, json!({})).await.expect(201);
    assert_eq!(get(&server, ("b", "parts")).await, b"hello world");
    let copy = json!({ "from": "large", "to": "copy", "to_bucket": "c" });
    server.post("/api/buckets/b/copy", copy).await.expect(201);
    objects.keys_until(5).await;

    put(&server, ("b", "a/small.txt"), "other").await.expect(200);
    server.answer(server.request("DELETE", &path("b", "large"))).await.expect(204);
    objects.keys_until(5).await;
    assert_eq!(get(&server, ("c", "copy")).await.len(), bytes.len());
    server.answer(server.request("DELETE", &path("c", "copy"))).await.expect(204);
    objects.keys_until(4).await;

    // What nobody names goes at the next start; what is not ours stays.
    let folder = keys[0].rsplitn(3, '/').last().expect("a folder");
    let stray = format!("/files/{folder}/00/{}-00000001", "0".repeat(32));
    objects.ask(reqwest::Method::PUT, &stray).await;
    objects.ask(reqwest::Method::PUT, "/files/some/where/others").await;
    objects.keys_until(6).await;
    server.kill();
    server.restart().await;
    let left = objects.keys_until(5).await;
    assert!(left.contains(&"some/where/others".to_owned()), "{left:?}");
    assert_eq!(get(&server, ("b", "a/small.txt")).await, b"other");
}

#[tokio::test]
async fn an_object_store_that_is_gone_is_told_and_nothing_is_half_done() {
    let mut objects = Objects::start().await;
    let server = objects.server().await;
    put(&server, ("b", "a"), "before").await.expect(201);
    objects.child.kill().expect("kill moto");
    objects.child.wait().expect("wait for moto");
    let refused = put(&server, ("b", "a"), "after").await.expect(503);
    assert_eq!(refused.code(), "SO_011");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(!refused.text.contains(&objects.url), "{}", refused.text);
    assert_eq!(server.get(&path("b", "a")).await.expect(503).code(), "SO_011");
    let file = server.get(&format!("{}?info=true", path("b", "a"))).await.expect(200).json();
    assert_eq!(file["etag"], hash(b"before"));
}

//! Who may read and write without a key.

use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

use super::{path, put};
use crate::facts::until;
use crate::support::{BINARY, dev};

/// A production server with a key, and the key.
async fn serve() -> TestServer {
    let options = Options {
        command: "serve",
        env: vec![("EVOKE_AUTH_REQUIRED".to_owned(), "false".to_owned())],
        ..Options::default()
    };
    let mut server = TestServer::start(BINARY, &[("evoke.toml", "")], options).await;
    let key = server.post("/api/keys", json!({ "name": "test" })).await.expect(201).json();
    let key = key["key"].as_str().expect("a key").to_owned();
    server.terminate().await;
    server.set_options(Options { command: "serve", key: Some(key), ..Options::default() });
    server.restart().await;
    server
}

/// Asks without a key.
async fn stranger(server: &TestServer, method: &str, url: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let url = if url.starts_with('/') { server.url(url) } else { url.to_owned() };
    let response = client.request(method, url).body("by link").send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("text"))
}

async fn sign(server: &TestServer, body: Value) -> String {
    let link = server.post("/api/buckets/b/sign", body).await.expect(200).json();
    link["url"].as_str().expect("a link").to_owned()
}

#[tokio::test]
async fn a_link_opens_one_file_for_one_thing_until_it_is_over() {
    let mut server = serve().await;
    assert_eq!(put(&server, ("b", "a/ü b.txt"), "x").await.expect(404).code(), "SO_001");
    server.answer(server.request("PUT", "/api/buckets/b").json(&json!({}))).await.expect(201);
    put(&server, ("b", "a/ü b.txt"), "hello").await.expect(201);
    assert_eq!(stranger(&server, "GET", "/api/buckets/b/files/a/ü b.txt").await.0, 401);
    let read = sign(&server, json!({ "name": "a/ü b.txt" })).await;
    assert!(read.contains("/storage/b/a/%C3%BC%20b.txt?"), "{read}");
    assert_eq!(stranger(&server, "GET", &read).await, (200, "hello".to_owned()));
    assert_eq!(stranger(&server, "HEAD", &read).await.0, 200);
    assert_eq!(stranger(&server, "GET", &format!("{read}&download")).await.0, 200);
    let write = sign(&server, json!({ "name": "new", "method": "PUT", "expires_in": 60 })).await;
    assert_eq!(stranger(&server, "PUT", &write).await.0, 201);
    assert_eq!(super::get(&server, ("b", "new")).await, b"by link");

    let (start, signature) = read.rsplit_once("signature=").expect("a signature");
    let mut changed = signature.to_owned();
    let last = changed.pop().expect("a character");
    changed.insert(0, last);
    for (method, url) in [
        ("PUT", read.clone()),
        ("GET", write.clone()),
        ("DELETE", read.clone()),
        ("GET", read.replace("method=GET", "method=PUT")),
        ("PUT", read.replace("method=GET", "method=PUT")),
        ("GET", format!("{start}signature={changed}")),
        ("GET", format!("{start}signature=")),
        ("GET", format!("{start}signature={signature}A")),
        ("GET", read.replace("/a/", "/b/")),
        ("GET", read.replace("/storage/b/", "/storage/c/")),
        ("GET", read.replace("expires=1", "expires=2")),
        ("GET", read.split('?').next().expect("a path").to_owned()),
    ] {
        let (status, text) = stranger(&server, method, &url).await;
        let expected = if method == "DELETE" { 405 } else { 403 };
        assert_eq!(status, expected, "{method} {url}: {text}");
        assert!(method == "DELETE" || text.contains("SO_010"), "{text}");
    }
    let brief = sign(&server, json!({ "name": "new", "expires_in": 1 })).await;
    until("the link is over", async || {
        let (status, text) = stranger(&server, "GET", &brief).await;
        (status == 403 && text.contains("expired")).then_some(())
    })
    .await;
    for body in [json!({}), json!({ "name": "a", "expires_in": "8d" }), json!({ "name": ".." })] {
        server.post("/api/buckets/b/sign", body).await.expect(400);
    }
    // The key is kept: links outlive a restart.
    server.terminate().await;
    server.restart().await;
    assert_eq!(stranger(&server, "GET", &read).await.0, 200);
}

#[tokio::test]
async fn files_of_a_public_bucket_are_everybodys_to_read() {
    let server = serve().await;
    let public = json!({ "public": true });
    server.answer(server.request("PUT", "/api/buckets/b").json(&public)).await.expect(201);
    put(&server, ("b", "logo.txt"), "logo").await.expect(201);
    for url in [path("b", "logo.txt"), "/storage/b/logo.txt".to_owned()] {
        assert_eq!(stranger(&server, "GET", &url).await, (200, "logo".to_owned()));
        let got = server.get(&url).await;
        assert_eq!(got.headers["cache-control"], "public, no-cache");
    }
    for (method, url, status) in [
        ("PUT", path("b", "logo.txt"), 401),
        ("DELETE", path("b", "logo.txt"), 401),
        ("PUT", "/storage/b/logo.txt".to_owned(), 403),
        ("GET", "/api/buckets/b/files".to_owned(), 401),
        ("GET", "/api/buckets/b".to_owned(), 401),
        ("GET", "/api/buckets/b/files/../../../keys".to_owned(), 401),
    ] {
        assert_eq!(stranger(&server, method, &url).await.0, status, "{method} {url}");
    }
    server.answer(server.request("PUT", "/api/buckets/b").json(&json!({}))).await.expect(200);
    assert_eq!(stranger(&server, "GET", "/storage/b/logo.txt").await.0, 403);
    assert_eq!(stranger(&server, "GET", &path("b", "logo.txt")).await.0, 401);
}

#[tokio::test]
async fn a_link_leads_where_the_server_is_known_from_outside() {
    let known = [("evoke.toml", "[users]\nurl = \"https://files.example.com/\"\n")];
    let server = dev(&known).await;
    put(&server, ("b", "a"), "x").await.expect(201);
    let link = sign(&server, json!({ "name": "a" })).await;
    assert!(link.starts_with("https://files.example.com/storage/b/a?"), "{link}");
    let proxied = [("evoke.toml", "[server]\nclient_address = \"x-forwarded-for\"\n")];
    for (files, scheme) in [(proxied.as_slice(), "https"), (&[], "http")] {
        let server = dev(files).await;
        put(&server, ("b", "a"), "x").await.expect(201);
        let request = server.request("POST", "/api/buckets/b/sign").json(&json!({ "name": "a" }));
        let request = request.header("x-forwarded-proto", "http, https");
        let link = server.answer(request).await.expect(200).json();
        let link = link["url"].as_str().expect("a link").to_owned();
        assert!(link.starts_with(&format!("{scheme}://127.0.0.1:")), "{link}");
    }
}

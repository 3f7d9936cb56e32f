//! Uploads in parts.

use evoke_testkit::{Answer, TestServer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{blobs_until, get, hash, path};
use crate::support::dev;

async fn begin(server: &TestServer, body: Value) -> String {
    let upload = server.post("/api/buckets/b/uploads", body).await.expect(201).json();
    format!("/api/buckets/b/uploads/{}", upload["id"].as_str().expect("an id"))
}

async fn part(server: &TestServer, upload: &str, number: &str, body: &'static str) -> Answer {
    server.answer(server.request("PUT", &format!("{upload}/parts/{number}")).body(body)).await
}

#[tokio::test]
async fn parts_come_in_any_order_and_again() {
    let mut server = dev(&[]).await;
    let file = json!({ "name": "a/film.mp4", "metadata": { "n": "1" }, "size": 9 });
    let upload = begin(&server, file).await;
    let complete = format!("{upload}/complete");
    assert_eq!(server.post(&complete, json!({})).await.expect(409).code(), "SO_008");
    part(&server, &upload, "3", "ghi").await.expect(200);
    let first = part(&server, &upload, "1", "xyz").await.expect(200).json();
    assert_eq!(first, json!({ "number": 1, "size_bytes": 3, "etag": hash(b"xyz") }));
    let missing = server.post(&complete, json!({})).await.expect(409);
    assert!(missing.text.contains("part 2 is missing"), "{}", missing.text);
    part(&server, &upload, "1", "abc").await.expect(200);
    // What is there survives a power cut, and what was replaced goes.
    server.kill();
    server.restart().await;
    blobs_until(&server, 2).await;
    let seen = server.get(&upload).await.expect(200).json();
    let numbers: Vec<_> = seen["parts"].as_array().expect("parts").iter().collect();
    assert_eq!(numbers.iter().map(|part| &part["number"]).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(seen["part_size"], 8 << 20);
    part(&server, &upload, "2", "def").await.expect(200);
    assert_eq!(server.get(&path("b", "a/film.mp4")).await.status, 404, "nothing is visible yet");
    let file = server.post(&complete, json!({})).await.expect(201).json();
    let mut hashes = Sha256::new();
    for text in ["abc", "def", "ghi"] {
        hashes.update(Sha256::digest(text));
    }
    assert_eq!(file["etag"], format!("{}-3", hex::encode(hashes.finalize())));
    assert_eq!((&file["size_bytes"], &file["content_type"]), (&json!(9), &json!("video/mp4")));
    assert_eq!(get(&server, ("b", "a/film.mp4")).await, b"abcdefghi");
    let request = server.request("GET", &path("b", "a/film.mp4")).header("range", "bytes=2-6");
    assert_eq!(server.answer(request).await.expect(206).text, "cdefg");
    blobs_until(&server, 3).await;
    assert_eq!(server.post(&complete, json!({})).await.expect(404).code(), "SO_007");
    assert_eq!(part(&server, &upload, "4", "x").await.expect(404).code(), "SO_007");
    assert_eq!(server.get(&upload).await.expect(404).code(), "SO_007");
    server.answer(server.request("DELETE", &path("b", "a/film.mp4"))).await.expect(204);
    blobs_until(&server, 0).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_what_is_given_up_goes() {
    let server = dev(&[]).await;
    let settings = json!({ "max_file_bytes": 8, "allowed_types": ["text/*"] });
    server.answer(server.request("PUT", "/api/buckets/b").json(&settings)).await.expect(201);
    for (body, status) in [
        (json!({ "name": "a.txt", "size": 9 }), 413),
        (json!({ "name": "a.png" }), 415),
        (json!({ "name": "../a.txt" }), 400),
        (json!({ "nam": "a.txt" }), 400),
    ] {
        server.post("/api/buckets/b/uploads", body).await.expect(status);
    }
    let upload = begin(&server, json!({ "name": "a.txt" })).await;
    for number in ["0", "1001", "-1", "x", "4294967297"] {
        part(&server, &upload, number, "x").await.expect(400);
    }
    assert_eq!(part(&server, &upload, "1", "123456789").await.expect(413).code(), "SO_004");
    let request = server.request("PUT", &format!("{upload}/parts/1"));
    let request = request.header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").body("x");
    assert_eq!(server.answer(request).await.expect(400).code(), "SO_003");
    part(&server, &upload, "1", "12345").await.expect(200);
    assert_eq!(part(&server, &upload, "2", "6789").await.expect(413).code(), "SO_004");
    part(&server, &upload, "2", "678").await.expect(200);
    let settings = json!({ "max_file_bytes": 7, "allowed_types": ["text/*"] });
    server.answer(server.request("PUT", "/api/buckets/b").json(&settings)).await.expect(200);
    let complete = format!("{upload}/complete");
    assert_eq!(server.post(&complete, json!({})).await.expect(413).code(), "SO_004");
    server.answer(server.request("DELETE", &upload)).await.expect(204);
    blobs_until(&server, 0).await;
    let other = upload.replace("/b/", "/c/");
    assert_eq!(server.get(&other).await.expect(404).code(), "SO_001");
    let upload = begin(&server, json!({ "name": "a.txt" })).await;
    part(&server, &upload, "1", "x").await.expect(200);
    server.answer(server.request("DELETE", "/api/buckets/b")).await.expect(204);
    blobs_until(&server, 0).await;
}

//! Buckets and files, against the built binary.

mod guide;
mod hostile;
mod kill;
mod links;
mod parts;
mod s3;
mod triggers;

use std::path::{Path, PathBuf};

use evoke_testkit::{Answer, TestServer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::facts::until;
use crate::support::dev;

/// The hash of bytes, as a file's `etag`.
fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn path(bucket: &str, name: &str) -> String {
    format!("/api/buckets/{bucket}/files/{name}")
}

/// Writes a file.
async fn put(server: &TestServer, place: (&str, &str), bytes: impl Into<Vec<u8>>) -> Answer {
    server.answer(server.request("PUT", &path(place.0, place.1)).body(bytes.into())).await
}

/// The bytes of a file.
async fn get(server: &TestServer, place: (&str, &str)) -> Vec<u8> {
    let response = server.request("GET", &path(place.0, place.1)).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.bytes().await.expect("the bytes").to_vec()
}

/// The names in a list.
fn names(list: &Value) -> Vec<&str> {
    let files = list["data"].as_array().expect("a list").iter();
    files.map(|file| file["name"].as_str().expect("a name")).collect()
}

/// The blobs on the disk.
fn blobs(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let entries = entries.map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { blobs(&path) } else { vec![path] }).collect()
}

/// Waits until there are so many blobs on the disk.
async fn blobs_until(server: &TestServer, count: usize) {
    let root = server.dir().join(".evoke/storage");
    until(&format!("there are {count} blobs"), async || {
        (blobs(&root).len() == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_is_written_read_described_and_removed() {
    let server = dev(&[]).await;
    let url = path("notes", "a/b%20c.txt");
    let request = server.request("PUT", &url).header("x-meta-owner", "Ad%C3%A1").body("hello");
    let answer = server.answer(request).await.expect(201);
    let file = answer.json();
    assert_eq!(file["name"], "a/b c.txt");
    assert_eq!((&file["size_bytes"], &file["etag"]), (&json!(5), &json!(hash(b"hello"))));
    assert_eq!(file["content_type"], "text/plain; charset=utf-8", "guessed");
    assert_eq!(file["metadata"], json!({ "owner": "Adá" }));
    let tag = format!("\"{}\"", hash(b"hello"));
    assert_eq!(answer.headers["etag"], tag);

    let got = server.get(&url).await.expect(200);
    assert_eq!(got.text, "hello");
    for (header, expected) in [
        ("etag", tag.as_str()),
        ("content-length", "5"),
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-meta-owner", "Ad%C3%A1"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
    ] {
        assert_eq!(got.headers[header], expected, "{header}");
    }
    let policy = got.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.ends_with("sandbox"), "{policy}");
    let head = server.answer(server.request("HEAD", &url)).await.expect(200);
    assert_eq!(
        (&head.headers["content-length"], head.text.as_str()),
        (&"5".parse().expect("a value"), "")
    );
    assert_eq!(server.get(&format!("{url}?info=true")).await.expect(200).json(), file);
    let saved = server.get(&format!("{url}?download")).await.expect(200);
    assert_eq!(
        saved.headers["content-disposition"],
        "attachment; filename=\"b c.txt\"; filename*=UTF-8''b%20c.txt"
    );

    let change =
        json!({ "content_type": "text/markdown", "metadata": { "owner": null, "n": "1" } });
    let changed =
        server.answer(server.request("PATCH", &url).json(&change)).await.expect(200).json();
    assert_eq!(changed["content_type"], "text/markdown");
    assert_eq!(changed["metadata"], json!({ "n": "1" }));
    assert_eq!(changed["etag"], file["etag"]);
    let change = json!({ "metadata": { "o": "2" } });
    let changed = server.answer(server.request("PATCH", &url).json(&change)).await.expect(200);
    assert_eq!(changed.json()["metadata"], json!({ "n": "1", "o": "2" }), "which is no news");

    put(&server, ("notes", "a/b%20c.txt"), "other").await.expect(200);
    blobs_until(&server, 1).await;
    server.answer(server.request("DELETE", &url)).await.expect(204);
    blobs_until(&server, 0).await;
    assert_eq!(server.get(&url).await.expect(404).code(), "SO_002");
    assert_eq!(server.answer(server.request("DELETE", &url)).await.expect(404).code(), "SO_002");
    let types: Vec<Value> = server.get("/api/events").await.json()["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    let [upload, delete] = ["storage.notes.upload", "storage.notes.delete"];
    assert_eq!(types, [delete, upload, upload, upload], "another type is an upload");
}

#[tokio::test]
async fn conditions_and_ranges_hold_as_the_standard_says() {
    let server = dev(&[]).await;
    let url = path("b", "f");
    put(&server, ("b", "f"), "0123456789").await.expect(201);
    let tag = format!("\"{}\"", hash(b"0123456789"));
    let other = format!("\"{}\"", hash(b""));
    let modified =
        server.get(&url).await.headers["last-modified"].to_str().expect("text").to_owned();
    let old = "Thu, 01 Jan 2015 00:00:00 GMT".to_owned();
    let asked = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(server.request("GET", &url), |request, (name, value)| {
            request.header(*name, *value)
        });
        let answer = server.answer(request).await;
        let range = answer.headers.get("content-range").map(|value| value.to_str().expect("text"));
        (answer.status, range.unwrap_or_default().to_owned(), answer.text)
    };
    let whole = (200, String::new(), "0123456789".to_owned());
    let part = |range: &str, text: &str| (206, format!("bytes {range}/10"), text.to_owned());
    for (headers, expected) in [
        (vec![("range", "bytes=2-4")], part("2-4", "234")),
        (vec![("range", "bytes=8-")], part("8-9", "89")),
        (vec![("range", "bytes=-3")], part("7-9", "789")),
        (vec![("range", "bytes=0-999")], part("0-9", "0123456789")),
        (vec![("range", "lines=1-2")], whole.clone()),
        (vec![("range", "bytes=0-0"), ("if-range", &tag)], part("0-0", "0")),
        (vec![("range", "bytes=0-0"), ("if-range", &other)], whole.clone()),
        (vec![("if-none-match", &other)], whole.clone()),
        (vec![("if-match", &tag)], whole.clone()),
        (vec![("if-modified-since", &old)], whole.clone()),
    ] {
        assert_eq!(asked(&headers).await, expected, "{headers:?}");
    }
    for (headers, status) in [
        (vec![("if-none-match", tag.as_str())], 304),
        (vec![("if-none-match", "W/\"x\", *")], 200),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-modified-since", modified.as_str())], 304),
        (vec![("if-match", other.as_str())], 412),
        (vec![("if-unmodified-since", old.as_str())], 412),
        (vec![("range", "bytes=10-")], 416),
        (vec![("range", "bytes=0-1,4-5")], 416),
        (vec![("range", "bytes=x")], 416),
    ] {
        let (found, range, _) = asked(&headers).await;
        assert_eq!(found, status, "{headers:?}");
        assert_eq!(range, if status == 416 { "bytes */10" } else { "" }, "{headers:?}");
    }
    let put_if = async |header: &str, value: &str, body: &'static str| {
        let request = server.request("PUT", &url).header(header, value).body(body);
        server.answer(request).await
    };
    assert_eq!(put_if("if-none-match", "*", "no").await.expect(412).code(), "SO_006");
    assert_eq!(put_if("if-match", &other, "no").await.expect(412).code(), "SO_006");
    put_if("if-match", &tag, "yes").await.expect(200);
    assert_eq!(get(&server, ("b", "f")).await, b"yes");
    let request = server.request("DELETE", &url).header("if-match", &tag);
    server.answer(request).await.expect(412);
    blobs_until(&server, 1).await;
    put(&server, ("b", "empty"), "").await.expect(201);
    assert_eq!(get(&server, ("b", "empty")).await, b"");
}

#[tokio::test]
async fn files_are_listed_by_prefix_folder_and_page() {
    let server = dev(&[]).await;
    for name in ["a", "b/1", "b/2", "b/c/1", "b0", "d/x", "é/1", "z"] {
        put(&server, ("b", name), name).await.expect(201);
    }
    put(&server, ("other", "a"), "").await.expect(201);
    let list = async |query: &str| {
        let answer = server.get(&format!("/api/buckets/b/files{query}")).await.expect(200).json();
        let prefixes = answer["prefixes"].as_array().expect("a list").clone();
        let found: Vec<String> = names(&answer).into_iter().map(str::to_owned).collect();
        (found, prefixes, answer["next_cursor"].as_str().map(str::to_owned))
    };
    let (found, prefixes, next) = list("").await;
    assert_eq!(found, ["a", "b/1", "b/2", "b/c/1", "b0", "d/x", "z", "é/1"]);
    assert!(prefixes.is_empty() && next.is_none());
    let (found, prefixes, _) = list("?delimiter=/").await;
    assert_eq!(
        (found, prefixes),
        (
            vec!["a".to_owned(), "b0".to_owned(), "z".to_owned()],
            vec![json!("b/"), json!("d/"), json!("é/"),]
        )
    );
    let (found, prefixes, _) = list("?prefix=b/&delimiter=/").await;
    assert_eq!((found, prefixes), (vec!["b/1".to_owned(), "b/2".to_owned()], vec![json!("b/c/")]));
    assert_eq!(list("?prefix=nothing").await.0, Vec::<String>::new());
    for limit in 1..=4 {
        let (mut entries, mut cursor) = (Vec::new(), String::new());
        loop {
            let (found, prefixes, next) =
                list(&format!("?delimiter=/&limit={limit}{cursor}")).await;
            assert!(found.len() + prefixes.len() <= limit);
            entries.extend(found);
            entries.extend(prefixes.iter().map(|prefix| prefix.as_str().expect("text").to_owned()));
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        entries.sort();
        assert_eq!(entries, ["a", "b/", "b0", "d/", "z", "é/"], "{limit} a page");
    }
    assert_eq!(server.get("/api/buckets/b/files?cursor=%21").await.expect(400).code(), "API_001");
    let doomed = server.request("DELETE", "/api/buckets/b/files?prefix=b/");
    let gone = server.answer(doomed).await.expect(200).json();
    assert_eq!(gone, json!({ "deleted": 3, "has_more": false }));
    assert_eq!(list("").await.0, ["a", "b0", "d/x", "z", "é/1"]);
    server.answer(server.request("DELETE", "/api/buckets/b/files")).await.expect(400);
}

#[tokio::test]
async fn a_bucket_says_what_may_be_in_it() {
    let server = dev(&[]).await;
    let bucket = async |name: &str, settings: Value| {
        let request = server.request("PUT", &format!("/api/buckets/{name}")).json(&settings);
        server.answer(request).await
    };
    let settings = json!({ "max_file_bytes": 10, "allowed_types": ["image/*", "text/plain"] });
    let made = bucket("b", settings).await.expect(201).json();
    assert_eq!((&made["name"], &made["public"]), (&json!("b"), &json!(false)));
    bucket("b", json!({ "max_file_bytes": 10, "allowed_types": ["image/*"] })).await.expect(200);
    assert_eq!(put(&server, ("b", "a.txt"), "x").await.expect(415).code(), "SO_005");
    put(&server, ("b", "a.png"), "0123456789").await.expect(201);
    assert_eq!(put(&server, ("b", "b.png"), "0123456789x").await.expect(413).code(), "SO_004");
    // Nothing says how large it is.
    let pieces = futures(vec!["01234", "56789", "x"]);
    let request = server.request("PUT", &path("b", "c.png")).body(pieces);
    assert_eq!(server.answer(request).await.expect(413).code(), "SO_004");
    blobs_until(&server, 1).await;
    let wrong = bucket("b", json!({ "max_file_bytes": 0, "allowed_types": ["png"] })).await;
    let wrong = wrong.expect(400).json();
    assert_eq!(wrong["error"]["problems"].as_array().map(Vec::len), Some(2), "{wrong}");
    let slip = bucket("b", json!({ "pubic": true })).await.expect(400).json();
    assert_eq!(slip["error"]["problems"][0]["suggestion"], "did you mean \"public\"?");
    let delete = || server.request("DELETE", "/api/buckets/b");
    assert_eq!(server.answer(delete()).await.expect(409).code(), "SO_008");
    server.answer(server.request("DELETE", &path("b", "a.png"))).await.expect(204);
    server.answer(delete()).await.expect(204);
    assert_eq!(server.get("/api/buckets/b").await.expect(404).code(), "SO_001");
    assert_eq!(server.get("/api/buckets/b/files").await.expect(404).code(), "SO_001");
    assert_eq!(bucket("a.b", json!({})).await.expect(400).code(), "SO_003");
    let all = server.get("/api/buckets").await.expect(200).json();
    assert_eq!(all["data"], json!([]));
}

/// A body that comes in pieces, without a length.
fn futures(pieces: Vec<&'static str>) -> reqwest::Body {
    let (sender, receiver) = tokio::io::duplex(1);
    tokio::spawn(async move {
        let mut sender = sender;
        for piece in pieces {
            // A server that has refused reads no more.
            if tokio::io::AsyncWriteExt::write_all(&mut sender, piece.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(receiver))
}

#[tokio::test]
async fn a_copy_has_a_life_of_its_own_and_moves_no_bytes() {
    let server = dev(&[]).await;
    put(&server, ("a", "x.txt"), "same").await.expect(201);
    let copy = async |body: Value| server.post("/api/buckets/a/copy", body).await;
    let made = copy(json!({ "from": "x.txt", "to": "y/x.txt" })).await.expect(201).json();
    assert_eq!((&made["name"], &made["etag"]), (&json!("y/x.txt"), &json!(hash(b"same"))));
    copy(json!({ "from": "x.txt", "to": "x.txt", "to_bucket": "b" })).await.expect(201);
    blobs_until(&server, 1).await;
    server.answer(server.request("DELETE", &path("a", "x.txt"))).await.expect(204);
    put(&server, ("a", "y/x.txt"), "another").await.expect(200);
    assert_eq!(get(&server, ("b", "x.txt")).await, b"same");
    server.answer(server.request("DELETE", &path("b", "x.txt"))).await.expect(204);
    blobs_until(&server, 1).await;
    assert_eq!(copy(json!({ "from": "x", "to": "z" })).await.expect(404).code(), "SO_002");
    assert_eq!(copy(json!({ "from": "y/x.txt", "to": "../z" })).await.expect(400).code(), "SO_003");
    let itself = json!({ "from": "y/x.txt", "to": "y/x.txt" });
    assert_eq!(copy(itself).await.expect(400).code(), "SO_003");
}

#[tokio::test]
async fn a_form_brings_several_files_or_none() {
    let server = dev(&[]).await;
    let form = |parts: &[(&str, &str)]| {
        let mut body = String::new();
        for (head, text) in parts {
            body += &format!("--edge\r\ncontent-disposition: form-data; {head}\r\n\r\n{text}\r\n");
        }
        let request = server.request("POST", "/api/buckets/b/files?prefix=in/");
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        request.body(body + "--edge--\r\n")
    };
    let both = [
        ("name=\"metadata\"", "{\"owner\": \"ada\"}"),
        ("name=\"file\"; filename=\"a.txt\"\r\ncontent-type: text/csv", "1,2"),
        ("name=\"file\"; filename=\"b/c.png\"", "png"),
    ];
    let written = server.answer(form(&both)).await.expect(201).json();
    assert_eq!(names(&written), ["in/a.txt", "in/b/c.png"]);
    assert_eq!(written["data"][0]["content_type"], "text/csv");
    assert_eq!(written["data"][1]["metadata"], json!({ "owner": "ada" }));
    assert_eq!(get(&server, ("b", "in/b/c.png")).await, b"png");
    let good = ("name=\"file\"; filename=\"new.txt\"", "new");
    for (bad, code) in [
        (("name=\"file\"; filename=\"../x\"", "x"), "SO_003"),
        (("name=\"file\"; filename=\"new.txt\"", "twice"), "SO_003"),
        (("name=\"other\"", "x"), "API_001"),
        (("name=\"metadata\"", "{"), "API_001"),
    ] {
        assert_eq!(server.answer(form(&[good, bad])).await.expect(400).code(), code, "{bad:?}");
    }
    assert_eq!(server.answer(form(&[])).await.expect(400).code(), "API_001");
    let cut = server.request("POST", "/api/buckets/b/files");
    let cut = cut.header("content-type", "multipart/form-data; boundary=edge");
    let cut = cut.body("--edge\r\ncontent-disposition: form-data; name=f; filename=f\r\n\r\nabc");
    assert_eq!(server.answer(cut).await.expect(400).code(), "API_001");
    let plain = server.request("POST", "/api/buckets/b/files").body("x");
    assert_eq!(server.answer(plain).await.expect(415).code(), "API_005");
    assert_eq!(server.get(&path("b", "in/new.txt")).await.status, 404);
    blobs_until(&server, 2).await;
}

#[tokio::test]
async fn a_large_file_comes_and_goes_without_being_in_memory() {
    let server = dev(&[]).await;
    let memory = |name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
        let status = status.expect("the status of the server");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number")
    };
    put(&server, ("b", "small"), "x").await.expect(201);
    let before = memory("VmRSS");
    let bytes: Vec<u8> = (0..80_000_000_u32).map(|n| (n / 977) as u8).collect();
    let file = put(&server, ("b", "large"), bytes.clone()).await.expect(201).json();
    assert_eq!((&file["size_bytes"], &file["etag"]), (&json!(bytes.len()), &json!(hash(&bytes))));
    let mut response = server.request("GET", &path("b", "large")).send().await.expect("an answer");
    let mut digest = Sha256::new();
    while let Some(piece) = response.chunk().await.expect("a piece") {
        digest.update(&piece);
    }
    assert_eq!(hex::encode(digest.finalize()), hash(&bytes));
    let grown = memory("VmHWM").saturating_sub(before);
    assert!(grown < 30_000, "{grown} kB more for a file of 80 MB");
}

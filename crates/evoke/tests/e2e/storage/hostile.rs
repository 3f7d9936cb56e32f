//! Names that want out, bodies that lie.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use evoke_testkit::TestServer;
use serde_json::json;

use super::{blobs_until, get, names, path, put};
use crate::support::dev;

/// A moment long after the test.
const LATER: &str = "Fri, 01 Jan 2055 00:00:00 GMT";

/// Sends bytes as they are, closes the sending side, and reads what comes.
async fn raw(server: &TestServer, request: Vec<u8>) -> String {
    let port = server.port();
    let talk = move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.write_all(&request).expect("write");
        stream.shutdown(Shutdown::Write).expect("close one side");
        let mut answer = String::new();
        // A reset ends it as well.
        stream.read_to_string(&mut answer).ok();
        answer
    };
    tokio::task::spawn_blocking(talk).await.expect("no panic")
}

#[tokio::test]
async fn no_name_leaves_its_bucket() {
    let server = dev(&[]).await;
    put(&server, ("b", "fine"), "x").await.expect(201);
    let long = "x".repeat(10_000);
    for name in [
        "../secret",
        "a/../../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "%2e%2e%2fsecret",
        "a/%2e/b",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "a//b",
        "a/",
        ".",
        "..",
        "%0aevil",
        "a%7fb",
        "%00",
        "a%00b",
        "%ff%fe",
        &long,
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let head = format!("{method} {} HTTP/1.1\r\nhost: localhost\r\n", path("b", name));
            let request = format!("{head}connection: close\r\ncontent-length: 1\r\n\r\nx");
            let answer = raw(&server, request.into_bytes()).await;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            let shown: String = name.chars().take(40).collect();
            assert_eq!(status, "400", "{method} {shown}: {answer}");
            assert!(answer.contains("SO_003") || answer.contains("API_001"), "{shown}: {answer}");
            assert!(!answer.contains("/.evoke/"), "{answer}");
        }
    }
    // What only looks dangerous is a name like any other.
    for (name, shown) in [
        ("a%2Fb", "a/b"),
        ("..%5C..%5Cwindows", "..\\..\\windows"),
        ("...", "..."),
        ("%252e%252e%252f", "%2e%2e%2f"),
        ("CON", "CON"),
        ("%F0%9F%92%BE%20%E6%96%87", "💾 文"),
        ("a%3Fb%23c", "a?b#c"),
        ("e%CC%81", "e\u{301}"),
        ("%C3%A9", "é"),
        ("%E2%80%AEgpj.exe", "\u{202e}gpj.exe"),
    ] {
        let file = put(&server, ("names", name), shown).await.expect(201).json();
        assert_eq!(file["name"], shown);
        assert_eq!(get(&server, ("names", name)).await, shown.as_bytes(), "{shown}");
    }
    let list = server.get("/api/buckets/names/files").await.expect(200).json();
    assert_eq!(names(&list).len(), 10);
    let outside = server.dir().parent().expect("a folder").join("secret");
    assert!(!outside.exists() && !server.dir().join("secret").exists());
    blobs_until(&server, 11).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_or_lies_leaves_nothing() {
    let server = dev(&[]).await;
    put(&server, ("b", "there"), "before").await.expect(201);
    let url = path("b", "there");
    let head = |extra: &str| format!("PUT {url} HTTP/1.1\r\nhost: localhost\r\n{extra}\r\n");
    for request in [
        format!("{}abc", head("content-length: 10\r\n")),
        format!("{}5\r\nabcde\r\n", head("transfer-encoding: chunked\r\n")),
        format!("{}5\r\nab", head("transfer-encoding: chunked\r\n")),
        format!("{}zz\r\nab", head("transfer-encoding: chunked\r\n")),
        format!("{}abc", head("content-length: 3\r\ncontent-length: 4\r\n")),
        format!("{}abc", head("content-length: -1\r\n")),
    ] {
        let answer = raw(&server, request.clone().into_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{request}: {answer}");
    }
    assert_eq!(get(&server, ("b", "there")).await, b"before");
    let checked = async |header: &str, value: &str| {
        let request = server.request("PUT", &url).header(header, value).body("hello");
        server.answer(request).await
    };
    assert_eq!(
        checked("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").await.expect(400).code(),
        "SO_003"
    );
    assert_eq!(checked("x-content-sha256", &super::hash(b"x")).await.expect(400).code(), "SO_003");
    assert_eq!(checked("content-md5", "nonsense").await.expect(400).code(), "API_001");
    assert_eq!(checked("content-type", "no type").await.expect(400).code(), "SO_003");
    assert_eq!(checked("x-meta-a", "%ff").await.expect(400).code(), "API_001");
    assert_eq!(get(&server, ("b", "there")).await, b"before");
    blobs_until(&server, 1).await;
    checked("content-md5", "XUFAKrxLKna5cZ2REBfFkg==").await.expect(200);
    checked("x-content-sha256", &super::hash(b"hello")).await.expect(200);
    blobs_until(&server, 1).await;
}

/// Whose body is a part of a file, or who names what the file must be like in a way that cannot be
/// read, does not mean the file to be replaced.
#[tokio::test]
async fn what_cannot_be_meant_so_changes_nothing() {
    let server = dev(&[]).await;
    put(&server, ("b", "a"), "before").await.expect(201);
    let url = path("b", "a");
    let tag = super::hash(b"before");
    let weak = format!("W/\"{tag}\"");
    for (method, name, value, status) in [
        ("PUT", "content-range", b"bytes 5-9/10".as_slice(), 400),
        ("PUT", "content-digest", b"sha-256=:\xff:", 400),
        ("PUT", "if-match", b"\"\xff\"", 400),
        ("PUT", "if-none-match", b"\xff", 400),
        ("PUT", "if-match", weak.as_bytes(), 412),
        ("PUT", "if-unmodified-since", b"yesterday", 400),
        ("PUT", "if-unmodified-since", b"Thu, 01 Jan 2026 00:00:00 GMT", 412),
        ("PATCH", "if-unmodified-since", b"Thu, 01 Jan 2026 00:00:00 GMT", 412),
        ("DELETE", "if-unmodified-since", b"Thu, 01 Jan 2026 00:00:00 GMT", 412),
    ] {
        let request = server.request(method, &url).header(name, value);
        let request = match method {
            "PUT" => request.body("after"),
            "PATCH" => request.json(&json!({ "content_type": "text/html" })),
            _ => request,
        };
        let answer = server.answer(request).await;
        assert_eq!(answer.status, status, "{method} {name}: {answer:?}");
    }
    let several = server.request("DELETE", &url).header("if-match", "\"x\"");
    server.answer(several.header("if-match", "\"y\"")).await.expect(412);
    assert_eq!(get(&server, ("b", "a")).await, b"before");
    let begun = json!({ "name": "parts" });
    let upload = server.post("/api/buckets/b/uploads", begun).await.expect(201).json();
    let id = upload["id"].as_str().expect("an id");
    let part = server.request("PUT", &format!("/api/buckets/b/uploads/{id}/parts/1"));
    let part = part.header("content-range", "bytes 0-4/10").body("hello");
    assert_eq!(server.answer(part).await.expect(400).code(), "API_001");
    // A range has a meaning for GET alone.
    let range = server.request("HEAD", &url).header("range", "bytes=0-1");
    let head = server.answer(range).await.expect(200);
    assert_eq!(head.headers["content-length"], "6");
    server.answer(server.request("HEAD", &url).header("range", "bytes=9-")).await.expect(200);
    let later = server.request("PUT", &url).header("if-unmodified-since", LATER).body("after");
    server.answer(later).await.expect(200);
}

/// Who closes the sending side once all is sent has sent all: it is written down and answered.
#[tokio::test]
async fn who_sends_all_and_stops_sending_is_answered() {
    let server = dev(&[]).await;
    put(&server, ("b", "there"), "x").await.expect(201);
    let begun = json!({ "name": "parts" });
    let upload = server.post("/api/buckets/b/uploads", begun).await.expect(201).json();
    let upload = format!("/api/buckets/b/uploads/{}", upload["id"].as_str().expect("an id"));
    let form = "--e\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\
                content\r\n--e--\r\n";
    let form_type = "content-type: multipart/form-data; boundary=e\r\n";
    let (part, file) = (format!("{upload}/parts/1"), path("b", "a"));
    let json = "content-type: application/json\r\n";
    for (method, url, head, body, status) in [
        ("PUT", file.as_str(), "", "hello", "201"),
        ("POST", "/api/buckets/b/files", form_type, form, "201"),
        ("PUT", part.as_str(), "", "hello", "200"),
        ("PATCH", file.as_str(), json, "{\"metadata\":{\"a\":\"b\"}}", "200"),
        ("PUT", "/api/buckets/c", json, "{}", "201"),
        ("DELETE", "/api/buckets/c", "", "", "204"),
        ("POST", "/api/buckets/b/uploads", json, "{\"name\":\"n\"}", "201"),
        ("DELETE", upload.as_str(), "", "", "204"),
    ] {
        let length = body.len();
        let request = format!(
            "{method} {url} HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {length}\r\n\r\n{body}"
        );
        let answer = raw(&server, request.into_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{method} {url}: {answer}");
    }
    assert_eq!(get(&server, ("b", "a")).await, b"hello");
    assert_eq!(get(&server, ("b", "f")).await, b"content");
}

/// A form whose first part never begins, or has a head without an end.
#[tokio::test]
async fn a_form_is_not_kept_in_memory() {
    let server = dev(&[]).await;
    put(&server, ("b", "there"), "x").await.expect(201);
    for begin in ["", "--e\r\n"] {
        let body = format!("{begin}{}", "a".repeat(1 << 20));
        let length = body.len();
        let head = format!(
            "POST /api/buckets/b/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\
             content-type: multipart/form-data; boundary=e\r\n\r\n"
        );
        let answer = raw(&server, [head.into_bytes(), body.into_bytes()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("head"), "{answer}");
    }
    blobs_until(&server, 1).await;
}

#[tokio::test]
async fn a_type_that_lies_is_believed_by_no_browser() {
    let server = dev(&[]).await;
    let only = json!({ "allowed_types": ["image/*"] });
    server.answer(server.request("PUT", "/api/buckets/b").json(&only)).await.expect(201);
    let page = "<script>alert(1)</script>";
    let request = server.request("PUT", &path("b", "x.html")).header("content-type", "image/png");
    server.answer(request.body(page)).await.expect(201);
    let got = server.get(&path("b", "x.html")).await.expect(200);
    assert_eq!(got.headers["content-type"], "image/png");
    assert_eq!(got.headers["x-content-type-options"], "nosniff");
    for sly in ["text/html", "image/png\tx", "image", "IMAGE", "text/html; a=image/png"] {
        let request = server.request("PUT", &path("b", "y")).header("content-type", sly);
        let status = server.answer(request.body(page)).await.status;
        assert!([400, 415].contains(&status), "{sly}: {status}");
    }
}

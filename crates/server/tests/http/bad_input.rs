use evoke_model::Millis;
use evoke_server::{Limits, ServerOptions};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::wire::{parse, read_all};
use crate::world::{World, open};

const BODY_MAX: usize = 10 << 20;

async fn impatient() -> World {
    let limits = Limits {
        head_wait: Millis::new(300),
        body_pause: Millis::new(200),
        body_wait: Millis::new(600),
        ..open().limits
    };
    World::with(ServerOptions { limits, ..open() }).await
}

#[tokio::test]
async fn what_is_not_json_is_located() {
    let world = World::new().await;
    for path in ["/api/events", "/api/triggers", "/api/keys"] {
        for (body, says) in [
            (&b"{\"type\": \"t\",}"[..], "line 1 column 14"),
            (b"", "empty"),
            (b"{\"type\": \"\xff\"}", "not UTF-8"),
        ] {
            let answer =
                world.wire.send("POST", path, &[("content-type", "application/json")], body).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "API_001"), "{path} {says}");
            assert!(answer.text().contains(says), "{path}: {}", answer.text());
        }
    }
    world.deploy("echo", Vec::new()).await;
    let answer = world.wire.send("POST", "/api/functions/echo/invoke", &[], b"{").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "API_001"));
}

#[tokio::test]
async fn depth_has_an_end() {
    let world = World::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let event = format!("{{\"type\":\"t\",\"data\":{deep}}}");
    let answer = world.wire.send("POST", "/api/events", &[], event.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EV_001"));
    let trigger = format!("{{\"name\":{deep}}}");
    let answer = world.wire.send("POST", "/api/triggers", &[], trigger.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "API_001"));
    assert!(answer.text().contains("nested deeper than 128"), "{}", answer.text());
}

#[tokio::test]
async fn a_body_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let world = World::new().await;
    let envelope = "{\"type\":\"t\",\"data\":\"\"}".len();
    let body =
        |size: usize| format!("{{\"type\":\"t\",\"data\":\"{}\"}}", "x".repeat(size - envelope));
    let taken = world.wire.send("POST", "/api/events", &[], body(BODY_MAX).as_bytes()).await;
    assert_eq!(taken.status, 202, "{:?}", taken.head);
    let refused = world.wire.send("POST", "/api/events", &[], body(BODY_MAX + 1).as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "API_004"));
    // The same without a length to go by.
    let text = body(BODY_MAX + 1);
    let chunked = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let headers = [("transfer-encoding", "chunked")];
    let refused = world.wire.send("POST", "/api/events", &headers, chunked.as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "API_004"));
    let log = world.get("/api/events?limit=2").await.json();
    assert_eq!(log["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_not_waited_for() {
    let world = World::new().await;
    let head = format!(
        "POST /api/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        u64::MAX / 2
    );
    let mut stream = world.wire.connect().await;
    stream.write_all(head.as_bytes()).await.expect("sent");
    let received = crate::wire::read_until(&mut stream, "API_004").await;
    assert!(received.starts_with("HTTP/1.1 413"), "{received}");
}

#[tokio::test]
async fn huge_batches_are_refused_whole() {
    let world = World::new().await;
    let batch = format!("[{}]", vec!["{\"type\":\"t\"}"; 10_001].join(","));
    let answer = world.wire.send("POST", "/api/events", &[], batch.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "EV_001"));
    let tiny = format!("[{}]", vec!["{}"; 1_000_000].join(","));
    let answer = world.wire.send("POST", "/api/events", &[], tiny.as_bytes()).await;
    assert_eq!((answer.status, answer.fields()), (400, vec!["events".to_owned()]));
    assert_eq!(world.get("/api/events").await.json()["data"], json!([]));
}

#[tokio::test]
async fn wrong_media_types_are_named() {
    let world = World::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for path in ["/api/events", "/api/triggers", "/api/keys"] {
        let answer = world.wire.send("POST", path, &form, b"type=t").await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "API_005"), "{path}");
        assert_eq!(answer.fields(), ["Content-Type"]);
    }
}

#[tokio::test]
async fn paths_that_mean_two_things_are_refused() {
    let world = World::new().await;
    for path in ["/api/events/a%00b", "/hello%00", "/api/functions/%ff%fe", "/%c3%28"] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "API_001"), "{path}");
        assert_eq!(answer.fields(), ["path"]);
    }
    assert_eq!(world.get("/api/functions/%zz").await.code(), "FN_001");
    let answer = world.get("/api/functions?limt=1").await;
    assert!(answer.text().contains("did you mean \\\"limit\\\"?"), "{}", answer.text());
    assert_eq!(world.get("/api/kinds?x=1").await.fields(), ["x"]);
    assert_eq!(
        world.get("/api/events?since=yesterday&since=today").await.fields(),
        ["since", "since"]
    );
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let world = impatient().await;
    let head = "POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 12\r\n\r\n{";
    let answer = world.wire.raw(head.as_bytes()).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "API_009"));
    // One that drips takes too long in all.
    let mut stream = world.wire.connect().await;
    let head = "POST /api/triggers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (mut reading, mut writing) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let mut received = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut received).await;
    drop(reading);
    drip.await.expect("the drip ends");
    assert!(read.is_ok() || !received.is_empty());
    assert_eq!(parse(&received).status, 408);
}

#[tokio::test]
async fn a_slow_head_or_none_is_not_waited_for() {
    let world = impatient().await;
    for begin in ["", "P", "PRI * HTTP", "GET /health HTTP/1.1\r\nhost: loc"] {
        let mut stream = world.wire.connect().await;
        stream.write_all(begin.as_bytes()).await.expect("sent");
        let received = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
        assert!(
            received.is_empty() || received.starts_with("HTTP/1.1 408"),
            "{begin:?}: {received}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_changes_nothing() {
    let world = World::new().await;
    let mut stream = world.wire.connect().await;
    let head =
        "POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n{\"type\"";
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let received = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
    assert!(received.is_empty() || received.starts_with("HTTP/1.1 400"), "{received}");
    assert_eq!(world.get("/api/events").await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_sender_that_closes_its_side_still_hears_what_became_of_its_event() {
    let world = World::new().await;
    for _ in 0..20 {
        let mut stream = world.wire.connect().await;
        let body = "{\"type\":\"t\"}";
        let head = format!(
            "POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        assert_eq!(parse(&read_all(&mut stream).await).status, 202);
    }
}

#[tokio::test]
async fn nonsense_gets_an_end_and_harms_nobody() {
    let world = World::new().await;
    for nonsense in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        b"POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame",
    ] {
        let mut stream = world.wire.connect().await;
        stream.write_all(nonsense).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        read_all(&mut stream).await;
    }
    // A head without an end: an answer, if the client still listens, and the connection closed.
    let mut stream = world.wire.connect().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(200_000));
    let sent = stream.write_all(long.as_bytes()).await;
    let received = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
    let is_refused = received.starts_with("HTTP/1.1 414") || received.starts_with("HTTP/1.1 431");
    assert!(is_refused || received.is_empty(), "{sent:?} {received}");
    assert_eq!(world.get("/health").await.status, 200);
}

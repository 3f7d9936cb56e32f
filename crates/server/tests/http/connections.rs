use std::time::Duration;

use bytes::Bytes;
use evoke_server::{Limits, ServerOptions};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::wire::{read_all, read_until};
use crate::world::{World, open};

#[tokio::test]
async fn one_connection_takes_many_requests() {
    let world = World::new().await;
    let mut stream = world.wire.connect().await;
    let body = json!({ "type": "t" }).to_string();
    let request = format!(
        "POST /api/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.expect("sent");
        let answer = read_until(&mut stream, "\"ids\"").await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    // All at once: answers come in the order of the requests.
    let last = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{request}{request}{last}").as_bytes()).await.expect("sent");
    let answers = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
    let statuses: Vec<&str> = answers.matches("HTTP/1.1 2").collect();
    assert_eq!(statuses.len(), 3, "{answers}");
}

#[tokio::test]
async fn http_2_is_spoken_in_clear_text() {
    let world = World::new().await;
    world.route("streams", "/stream", &[]).await;
    let stream = world.wire.connect().await;
    let executor = TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(executor, TokioIo::new(stream))
            .await
            .expect("a handshake");
    let driver = tokio::spawn(connection);
    let request = |method: &str, path: &str, body: &'static [u8]| {
        Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body)))
            .expect("a request")
    };
    let event = br#"{"type":"t"}"#;
    let both = tokio::join!(
        sender.clone().send_request(request("POST", "/api/events", event)),
        sender.send_request(request("GET", "/stream", b"")),
    );
    assert_eq!(both.0.expect("an answer").status(), 202);
    let streamed = both.1.expect("an answer").into_body().collect().await.expect("a body");
    assert_eq!(streamed.to_bytes(), "piece 0\npiece 1\npiece 2\n");
    let foreign = Request::builder()
        .uri("http://rebound.evil.test/api/functions")
        .body(Full::default())
        .expect("a request");
    assert_eq!(sender.send_request(foreign).await.expect("an answer").status(), 403);
    drop(sender);
    driver.abort();
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_takes_nothing_new() {
    let world = World::new().await;
    world.route("held", "/held", &[]).await;
    let mut idle = world.wire.connect().await;
    let mut busy = world.wire.connect().await;
    busy.write_all(b"GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    world.seen.called.notified().await;
    world.stop.cancel();
    assert!(read_all(&mut idle).await.is_empty(), "an idle connection is closed");
    world.seen.release.notify_one();
    let answer = String::from_utf8_lossy(&read_all(&mut busy).await).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.server.finished().await.connections, 0);
    assert!(tokio::net::TcpStream::connect(world.wire.address).await.is_err());
}

#[tokio::test]
async fn stopping_waits_no_longer_than_the_grace_period() {
    let world = World::new().await;
    world.route("held", "/held", &[]).await;
    let mut busy = world.wire.connect().await;
    busy.write_all(b"GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    world.seen.called.notified().await;
    world.stop.cancel();
    assert_eq!(world.server.finished().await.connections, 1);
    world.seen.cancelled.notified().await;
}

#[tokio::test]
async fn above_the_limit_connections_wait_for_a_place() {
    let limits = Limits { connections: 2, ..open().limits };
    let world = World::with(ServerOptions { limits, ..open() }).await;
    let first = world.wire.connect().await;
    let second = world.wire.connect().await;
    let third = {
        let wire = world.wire;
        tokio::spawn(async move { wire.get("/health/live").await })
    };
    // Nobody can see a request that is not answered; a moment is enough to see one that is.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!third.is_finished());
    drop((first, second));
    assert_eq!(third.await.expect("it ends").status, 200);
}

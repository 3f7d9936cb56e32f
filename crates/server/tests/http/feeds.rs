use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::{read_all, read_until};
use crate::world::World;

async fn follow(world: &World, path: &str) -> TcpStream {
    let mut stream = world.wire.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    stream
}

#[tokio::test]
async fn feeds_show_what_happens_while_it_happens() {
    let world = World::new().await;
    world.on("echo", "t").await;
    let mut events = follow(&world, "/api/events?follow=true&type=t*").await;
    let mut ends = follow(&world, "/api/executions?follow=true&function=echo&status=success").await;
    let mut lines = follow(&world, "/api/functions/echo/logs?follow=true&q=called").await;
    world.post("/api/events", &json!([{ "type": "other" }, { "type": "t", "data": 1 }])).await;
    let text = read_until(&mut events, "\n\n").await;
    assert!(text.contains("event: event") && text.contains("\"type\":\"t\""), "{text}");
    let text = read_until(&mut ends, "\n\n").await;
    assert!(text.contains("event: execution") && text.contains("\"status\":\"success\""), "{text}");
    let text = read_until(&mut lines, "\n\n").await;
    assert!(text.contains("event: log") && text.contains("echo was called"), "{text}");
}

#[tokio::test]
async fn feeds_end_when_the_server_stops() {
    let world = World::new().await;
    let mut events = follow(&world, "/api/events?follow=true").await;
    world.stop.cancel();
    let left = world.server.finished().await;
    assert_eq!(left.connections, 0);
    let text = String::from_utf8_lossy(&read_all(&mut events).await).into_owned();
    assert!(text.ends_with("0\r\n\r\n"), "an orderly end: {text:?}");
}

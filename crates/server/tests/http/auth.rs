use serde_json::json;

use crate::world::{World, keyed, open};

#[tokio::test]
async fn with_keys_everything_but_health_needs_one() {
    let world = World::with(keyed()).await;
    for path in [
        "/api/events",
        "/api/v1/events",
        "/api/functions",
        "/api/keys",
        "/api/kinds",
        "/metrics",
        "/docs",
        "/openapi.json",
    ] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "FN_009"), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let answer = world.post("/api/events", &json!({ "type": "t" })).await;
    assert_eq!(answer.status, 401);
    for path in [
        "/health",
        "/health/live",
        "/health/ready",
        "/schemas/function.json",
        "/docs/errors/FN_009",
    ] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_key_opens_and_stops_opening_when_it_is_deleted() {
    let world = World::with(keyed()).await;
    let (first, secret) = world.engine.create_key("first".into()).await.expect("a key");
    let bearer = format!("Bearer {secret}");
    for headers in [[("authorization", bearer.as_str())], [("x-api-key", secret.as_str())]] {
        let answer = world.wire.send("GET", "/api/keys", &headers, b"").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["data"][0]["name"], "first");
        assert!(!answer.text().contains(&secret));
    }
    let headers = [("x-api-key", secret.as_str())];
    let made = world.wire.send("POST", "/api/keys", &headers, br#"{"name":"second"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let second = made.json()["key"].as_str().expect("a key").to_owned();
    assert!(second.starts_with("evk_"));
    let path = format!("/api/keys/{}", first.id);
    let gone = world.wire.send("DELETE", &path, &[("x-api-key", &second)], b"").await;
    assert_eq!(gone.status, 204);
    assert_eq!(world.wire.send("GET", "/api/keys", &headers, b"").await.status, 401);
    let unknown = world.wire.send("DELETE", &path, &[("x-api-key", &second)], b"").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "API_008"));
    let wrong =
        world.wire.send("POST", "/api/keys", &[("x-api-key", &second)], br#"{"nam":1}"#).await;
    assert_eq!(wrong.fields(), ["nam", "name"]);
}

#[tokio::test]
async fn a_functions_token_may_send_and_call_and_no_more() {
    let world = World::with(keyed()).await;
    world.on("held", "start").await;
    let (_, secret) = world.engine.create_key("k".into()).await.expect("a key");
    let key = [("x-api-key", secret.as_str())];
    world.wire.send("POST", "/api/events", &key, br#"{"type":"start"}"#).await;
    world.seen.called.notified().await;
    let token = world.seen.token.lock().clone().expect("a token").to_string();
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let sent = world.wire.send("POST", "/api/events", &headers, br#"{"type":"t"}"#).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let read = world.wire.send("GET", "/api/events", &headers, b"").await;
    assert_eq!((read.status, read.code().as_str()), (403, "FN_009"));
    world.seen.release.notify_one();
}

#[tokio::test]
async fn routes_of_functions_are_public() {
    let world = World::with(keyed()).await;
    world.route("echo", "/hello", &[]).await;
    assert_eq!(world.get("/hello").await.status, 200);
    assert_eq!(world.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn without_keys_pages_of_other_sites_stay_out() {
    let world = World::with(open()).await;
    let get = async |headers: &[(&str, &str)]| {
        world.wire.send("GET", "/api/functions", headers, b"").await
    };
    for headers in [
        [("host", "localhost:1")],
        [("host", "dev.test")],
        [("origin", "http://localhost:5173")],
        [("origin", "http://127.0.0.1:8090")],
    ] {
        assert_eq!(get(&headers).await.status, 200, "{headers:?}");
    }
    for (header, value, field) in [
        ("host", "rebound.evil.test", "Host"),
        ("origin", "https://evil.test", "Origin"),
        ("origin", "null", "Origin"),
    ] {
        let answer = get(&[(header, value)]).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "FN_009"), "{value}");
        assert_eq!(answer.fields(), [field]);
    }
    let headers = [("origin", "https://evil.test")];
    let sent = world.wire.send("POST", "/api/events", &headers, br#"{"type":"t"}"#).await;
    assert_eq!(sent.status, 403);
    assert_eq!(world.wire.send("GET", "/health", &[("host", "10.0.0.7")], b"").await.status, 200);
}

#[tokio::test]
async fn an_open_server_does_not_listen_to_the_world() {
    let world = World::new().await;
    let doors = evoke_server::Doors::open(&[([0, 0, 0, 0], 0).into()]).await.expect("a port");
    let stop = tokio_util::sync::CancellationToken::new();
    let refused = evoke_server::serve(world.engine.clone(), doors, open(), stop);
    assert!(matches!(refused, Err(evoke_server::Error::OpenBeyondLoopback { .. })));
}

#[tokio::test]
async fn the_token_of_a_call_that_is_over_is_nobodys() {
    for options in [open(), keyed()] {
        let world = World::with(options).await;
        world.route("echo", "/echo", &[]).await;
        let over =
            "Bearer evt_run_exe_0000000000000_0000000000000_00112233445566778899aabbccddeeff";
        let headers = [("authorization", over)];
        for (method, path, body) in [
            ("POST", "/api/events", r#"{"type":"t"}"#),
            ("GET", "/api/events", ""),
            ("POST", "/api/functions/echo/invoke", "{}"),
            ("GET", "/echo", ""),
        ] {
            let answer = world.wire.send(method, path, &headers, body.as_bytes()).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "FN_009"), "{path}");
            assert!(answer.text().contains("is over"), "{answer:?}");
        }
        let own = [("authorization", "Bearer what-the-function-knows")];
        assert_eq!(world.wire.send("GET", "/echo", &own, b"").await.status, 200);
    }
}

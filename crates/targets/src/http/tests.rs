mod outgoing;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use evoke_model::execution::RetryHint;
use evoke_model::{Code, Failure, Millis, Outcome};
use evoke_ports::{Job, Target};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::client::Reach;
use super::config::RECORD_DEFAULT;
use super::guard::GuardedResolver;
use super::record::Record;
use super::target::HttpTarget;
use crate::TargetOptions;
use crate::testing::{clock, job};

type Seen = Arc<Mutex<Vec<(http::request::Parts, Bytes)>>>;

/// A server that keeps what it gets and answers as the path says.
struct Server {
    address: SocketAddr,
    seen: Seen,
}

impl Server {
    async fn start() -> Self {
        let seen = Seen::default();
        let app = Router::new().fallback(any(answer)).with_state(seen.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn answer(State(seen): State<Seen>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let path = parts.uri.path().to_owned();
    seen.lock().push((parts, body));
    let respond = Response::builder();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["status", code] => respond.status(*code).body("try later".into()),
        ["wait", code, after] => {
            respond.status(*code).header("retry-after", *after).body(Body::empty())
        }
        ["json"] => {
            respond.header("content-type", "application/json").body(r#"{"ok":true}"#.into())
        }
        ["bytes"] => respond.body(vec![0xff, 0x00].into()),
        ["say", media_type, text] => {
            let media_type = media_type.replace('~', "/");
            let body = text.replace("%22", "\"").replace("%7B", "{").replace("%7D", "}");
            respond.header("content-type", media_type).body(body.into())
        }
        ["bigjson"] => respond.body(format!("{{{}", " ".repeat(2 << 20)).into()),
        ["big"] => respond.body("ü".repeat(5_000_000).into()),
        ["to", ..] => {
            let location = path.trim_start_matches("/to/").to_owned();
            respond.status(302).header("location", location).body(Body::empty())
        }
        ["loop"] => respond.status(307).header("location", "/loop").body(Body::empty()),
        ["never"] => std::future::pending().await,
        ["slow"] => {
            let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
            tokio::spawn(async move {
                if sender.send(Ok("a".into())).await.is_ok() {
                    sender.closed().await;
                }
            });
            let stream = Streamed(receiver);
            respond.body(Body::new(stream))
        }
        _ => respond.body(Body::empty()),
    }
    .unwrap()
}

/// A body whose pieces come through a channel.
struct Streamed(tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl axum::body::HttpBody for Streamed {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }
}

/// A server that reads a request and writes these bytes, whatever they are.
async fn raw(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                drop(stream.write_all(bytes).await);
            }
        }
    });
    url
}

fn target(allow_private: bool) -> HttpTarget {
    HttpTarget::new(TargetOptions { clock: clock(), allow_private })
}

async fn deliver(config: Value, job: Job) -> Outcome {
    target(true).open(&config).unwrap().deliver(job).await.outcome
}

async fn ask(url: &str) -> Outcome {
    deliver(json!({ "url": url }), job(r#"{"total": 120}"#)).await
}

fn output(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Success(data) => data.to_value(),
        other => panic!("no success: {other:?}"),
    }
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failure(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn an_event_goes_out_as_a_cloud_event_and_the_answer_is_recorded() {
    let server = Server::start().await;
    let output = output(ask(&server.url("/json")).await);
    assert_eq!(output["status"], 200);
    assert_eq!(output["body"], json!({ "ok": true }));
    assert_eq!(output["headers"]["content-type"], "application/json");
    let seen = server.seen.lock();
    let (parts, body) = &seen[0];
    assert_eq!(parts.method, "POST");
    let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("application/cloudevents+json"));
    assert!(header("traceparent").starts_with("00-0af7"));
    assert_eq!((header("evoke-event"), header("evoke-attempt")), ("A-1".into(), "1".into()));
    assert!(header("idempotency-key").starts_with("exe_"));
    assert!(header("user-agent").starts_with("evoke/"));
    let event: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&event["type"], &event["data"]["total"]), (&json!("order.created"), &json!(120)));
}

#[tokio::test]
async fn method_headers_and_body_are_the_triggers_own() {
    let server = Server::start().await;
    let config = json!({
        "url": server.url("/x?a=1"), "method": "put",
        "headers": { "Authorization": "Bearer s", "Evoke-Event": "mine" },
        "body": "{\"text\": \"{{ event.data.total }} by {{ trigger.name }}, try {{ execution.attempt }}\"}",
    });
    output(deliver(config, job(r#"{"total": 120}"#)).await);
    output(deliver(json!({ "url": server.url("/y"), "method": "GET" }), job("{}")).await);
    let seen = server.seen.lock();
    let (parts, body) = &seen[0];
    assert_eq!((parts.method.as_str(), parts.uri.query()), ("PUT", Some("a=1")));
    assert_eq!(parts.headers["authorization"], "Bearer s");
    assert_eq!(parts.headers["evoke-event"], "mine");
    assert_eq!(parts.headers["content-type"], "application/json");
    assert_eq!(&body[..], br#"{"text": "120 by orders, try 1"}"#);
    assert!(seen[1].1.is_empty() && !seen[1].0.headers.contains_key("content-type"));
}

#[tokio::test]
async fn each_status_says_whether_to_try_again() {
    let server = Server::start().await;
    for (path, retry) in [
        ("/status/400", RetryHint::Never),
        ("/status/404", RetryHint::Never),
        ("/status/422", RetryHint::Never),
        ("/wait/404/7", RetryHint::Never),
        ("/status/408", RetryHint::Policy),
        ("/status/425", RetryHint::Policy),
        ("/status/429", RetryHint::Policy),
        ("/wait/429/7", RetryHint::After(Millis::from_secs(7))),
        ("/wait/503/120", RetryHint::After(Millis::from_secs(120))),
        ("/status/500", RetryHint::Policy),
        ("/wait/502/soon", RetryHint::Policy),
        ("/to/elsewhere", RetryHint::Never),
    ] {
        let failure = failure(ask(&server.url(path)).await);
        assert_eq!((failure.code, failure.retry), (Code::TargetFailed, retry), "{path}");
    }
    let told = failure(ask(&server.url("/status/500")).await).message;
    assert_eq!(told, "the target answered 500 Internal Server Error: try later");
}

#[tokio::test]
async fn a_target_that_is_down_is_told_from_one_that_talks_nonsense() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let down = failure(ask(&format!("http://{nobody}/")).await);
    assert_eq!((down.code, down.retry), (Code::TargetUnreachable, RetryHint::Policy));
    let unknown = failure(ask("http://no-such-host.invalid/").await);
    assert_eq!(unknown.code, Code::TargetUnreachable);
    for bytes in [
        b"".as_slice(),
        b"\x00\x01\x02 garbage \r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
    ] {
        let failure = failure(ask(&raw(bytes).await).await);
        assert_eq!(failure.code, Code::TargetFailed, "{failure:?}");
        assert_eq!(failure.retry, RetryHint::Policy);
    }
}

#[tokio::test]
async fn slow_targets_run_out_of_time() {
    let server = Server::start().await;
    for path in ["/never", "/slow"] {
        let config = json!({ "url": server.url(path), "timeout": "200ms" });
        let Outcome::TimedOut(failure) = deliver(config, job("{}")).await else {
            panic!("no timeout");
        };
        assert_eq!(failure.code, Code::TargetTimeout);
    }
    let mut hurried = job("{}");
    hurried.deadline = Some(clock().now());
    let late = deliver(json!({ "url": server.url("/never") }), hurried).await;
    assert!(matches!(late, Outcome::TimedOut(_)), "{late:?}");
}

#[tokio::test]
async fn a_cancelled_request_ends_at_once() {
    let server = Server::start().await;
    let job = job("{}");
    let cancel = job.cancel.clone();
    let url = server.url("/never");
    let running = tokio::spawn(async move { deliver(json!({ "url": url }), job).await });
    while server.seen.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    assert_eq!(running.await.unwrap(), Outcome::Cancelled);
}

#[tokio::test]
async fn answers_are_recorded_up_to_their_limit() {
    let server = Server::start().await;
    let kept = "ü".repeat(RECORD_DEFAULT.as_u64() as usize / 2);
    let big = output(ask(&server.url("/big")).await);
    assert_eq!(big["truncated"], true);
    assert_eq!(big["body"], format!("{kept}... [cut after 64kb]"));
    let bytes = output(ask(&server.url("/bytes")).await);
    assert_eq!(bytes["body_base64"], "/wA=");
    assert!(output(ask(&server.url("/empty")).await)["body"].is_null());
}

#[tokio::test]
async fn redirects_are_followed_only_when_asked_for_and_not_for_ever() {
    let server = Server::start().await;
    let follow = |path: &str| json!({ "url": server.url(path), "follow_redirects": true });
    let there = output(deliver(follow("/to//json"), job("{}")).await);
    assert_eq!(there["body"], json!({ "ok": true }));
    let endless = failure(deliver(follow("/loop"), job("{}")).await);
    assert!(endless.message.contains("redirects"), "{endless:?}");
    assert_eq!(endless.retry, RetryHint::Never);
    let refused = failure(ask(&server.url("/to//json")).await);
    assert!(refused.message.contains("follow_redirects"), "{refused:?}");
    assert_eq!(server.seen.lock().len(), 2 + 4 + 1);
}

/// The guard of a public server: a private address is refused in the URL, behind a name, and behind
/// a redirect, before anything is sent.
#[tokio::test]
async fn private_addresses_are_out_of_reach() {
    let guarded = target(false);
    for url in
        ["http://127.0.0.1:1/", "http://[::1]/", "http://0x7f.1/", "https://169.254.169.254/"]
    {
        let problems = guarded.open(&json!({ "url": url })).map(drop).unwrap_err();
        assert!(problems[0].message.contains("private"), "{url}: {}", problems[0]);
    }
    let server = Server::start().await;
    let by_name = format!("http://localhost:{}/json", server.address.port());
    for follow in [true, false] {
        let config = json!({ "url": by_name, "follow_redirects": follow });
        let refused = failure(guarded.open(&config).unwrap().deliver(job("{}")).await.outcome);
        assert_eq!((refused.code, refused.retry), (Code::TargetRefused, RetryHint::Never));
        assert!(refused.message.contains("localhost"), "{refused:?}");
    }
    assert!(server.seen.lock().is_empty());
}

/// The first hop is a name that passes for public here.
#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let server = Server::start().await;
    let client = reqwest::Client::builder()
        .redirect(super::client::policy(Reach::Public))
        .dns_resolver(GuardedResolver)
        .resolve("public.test", server.address)
        .build()
        .unwrap();
    let port = server.address.port();
    for location in [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[::ffff:10.0.0.1]/".to_owned(),
        format!("http://localhost:{port}/json"),
    ] {
        let request = client.get(format!("http://public.test:{port}/to/{location}"));
        let Err(refused) = super::exchange::send(request, Record::of(0)).await else {
            panic!("{location}")
        };
        assert_eq!((refused.code, refused.retry), (Code::TargetRefused, RetryHint::Never));
    }
    assert_eq!(server.seen.lock().len(), 3);
}

#[tokio::test]
async fn a_template_that_fails_for_an_event_is_not_tried_again() {
    let server = Server::start().await;
    let config = json!({ "url": server.url("/"), "body": "{\n\"a\": {{ event.data.missing }}}" });
    let failure = failure(deliver(config, job("{}")).await);
    assert_eq!(failure.retry, RetryHint::Never);
    assert!(failure.message.contains("line 2"), "{failure:?}");
    assert!(server.seen.lock().is_empty());
}

#[test]
fn mistakes_are_told_with_their_field() {
    let url = "https://example.com/";
    for (config, field) in [
        (json!({}), "url"),
        (json!({ "url": "example.com" }), "url"),
        (json!({ "url": "ftp://example.com" }), "url"),
        (json!({ "url": "https://u:p@example.com" }), "url"),
        (json!({ "url": url, "method": "PSOT" }), "method"),
        (json!({ "url": url, "headers": { "a b": "x" } }), "headers.a b"),
        (json!({ "url": url, "headers": { "a": "x\r\ny: z" } }), "headers.a"),
        (json!({ "url": url, "headers": { "Content-Length": "3" } }), "headers.Content-Length"),
        (json!({ "url": url, "headers": ["a"] }), "headers"),
        (json!({ "url": url, "body": "{{ event." }), "body"),
        (json!({ "url": url, "timeout": "1h" }), "timeout"),
        (json!({ "url": url, "timeout": 0 }), "timeout"),
        (json!({ "url": url, "concurrency": 0 }), "concurrency"),
        (json!({ "url": url, "follow_redirects": "yes" }), "follow_redirects"),
        (json!({ "url": url, "uri": 1 }), "uri"),
        (json!({ "url": url, "rate": 5 }), "rate"),
        (json!({ "url": url, "rate": { "limit": 5 } }), "rate"),
        (json!({ "url": url, "rate": { "limit": 0, "per": "1s" } }), "rate.limit"),
        (json!({ "url": url, "rate": { "limit": 1, "per": 0 } }), "rate.per"),
        (json!({ "url": url, "rate": { "limit": 1, "per": 1, "burst": 0 } }), "rate.burst"),
        (json!({ "url": url, "rate": { "limit": 1, "per": 1, "key": "event.id" } }), "rate.key"),
        (json!({ "url": url, "record_response": "2mb" }), "record_response"),
        (json!({ "url": url, "record_response": "much" }), "record_response"),
    ] {
        let problems = target(false).open(&config).map(drop).unwrap_err();
        assert_eq!(problems.len(), 1, "{config}: {problems:?}");
        assert_eq!(problems[0].field, field, "{config}");
    }
    let several = json!({ "method": "X", "timeout": "x", "body": "{{" });
    assert_eq!(target(false).open(&several).map(drop).unwrap_err().len(), 4);
}

#[test]
fn the_example_is_taken_as_it_stands() {
    let target = target(false);
    assert!(target.open(&target.descriptor().example).is_ok());
}

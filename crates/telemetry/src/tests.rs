use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use evoke_model::Timestamp;
use evoke_model::trace::TraceContext;
use evoke_ports::{Span, SpanKind, Tracer as _};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::{Counts, Pace, Settings, Telemetry, TelemetryConfig};

const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(1);
/// Long for a test that works, short for one that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span that is not special.
pub(crate) fn span(id: u64) -> Span {
    Span {
        context: TraceContext { trace: u128::from(id) << 32, span: id, sampled: true },
        parent: None,
        name: Cow::Borrowed("work"),
        kind: SpanKind::Internal,
        start: Timestamp::from_micros(1),
        end: Timestamp::from_micros(2),
        attributes: Vec::new(),
        links: Vec::new(),
        error: None,
    }
}

/// How a receiver behaves for one request. After the last it takes everything.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Status(u16),
    After(u16, &'static str),
    Partial(i64),
    Redirect,
    Silent,
}

/// What a receiver shares with its test.
#[derive(Clone)]
struct Shared {
    moods: Arc<Mutex<VecDeque<Mood>>>,
    requests: mpsc::Sender<Vec<u64>>,
}

/// A receiver that behaves as it is told.
struct FakeReceiver {
    endpoint: String,
    requests: mpsc::Receiver<Vec<u64>>,
}

impl FakeReceiver {
    async fn start(moods: &[Mood]) -> Self {
        let (sender, requests) = mpsc::channel(1_000);
        let moods = Arc::new(Mutex::new(moods.iter().copied().collect()));
        let shared = Shared { moods, requests: sender };
        let app = Router::new().route("/v1/traces", post(answer)).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { endpoint, requests }
    }

    /// The spans of the next request.
    async fn next(&mut self) -> Vec<u64> {
        tokio::time::timeout(PATIENCE, self.requests.recv()).await.unwrap().unwrap()
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let id = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    shared.requests.try_send(spans.iter().map(|span| id(&span.span_id)).collect()).unwrap();
    let respond = Response::builder();
    let mood = shared.moods.lock().pop_front();
    match mood {
        None => respond.body(Body::empty()).unwrap(),
        Some(Mood::Status(code)) => respond.status(code).body("no key".into()).unwrap(),
        Some(Mood::After(code, seconds)) => {
            respond.status(code).header("retry-after", seconds).body(Body::empty()).unwrap()
        }
        Some(Mood::Partial(rejected_spans)) => {
            let error_message = "too long".to_owned();
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
            let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
            respond.header("content-type", "application/x-protobuf").body(body.into()).unwrap()
        }
        Some(Mood::Redirect) => {
            respond.status(307).header("location", "/v1/traces").body(Body::empty()).unwrap()
        }
        Some(Mood::Silent) => std::future::pending().await,
    }
}

/// Sends only full batches of three unless told otherwise, and does not wait long.
fn pace() -> Pace {
    Pace {
        period: NEVER,
        batch: 3,
        queue: 6,
        timeout: PATIENCE,
        attempts: 3,
        retry_first: SOON,
        retry_max: SOON,
    }
}

fn start(endpoint: &str, pace: Pace) -> Telemetry {
    let settings = Settings { otlp_endpoint: Some(endpoint.to_owned()), ..Settings::default() };
    let config = TelemetryConfig::read(&settings, &BTreeMap::new()).unwrap().unwrap();
    Telemetry::start(&TelemetryConfig { pace, ..config }, "i-1").unwrap()
}

fn record(telemetry: &Telemetry, ids: std::ops::RangeInclusive<u64>) {
    let tracer = telemetry.tracer();
    ids.for_each(|id| tracer.record(span(id)));
}

const fn counts(sent: u64, dropped: u64, failed: u64) -> Counts {
    Counts { sent, dropped, failed }
}

#[tokio::test]
async fn a_full_batch_is_sent_at_once_and_the_rest_at_the_end() {
    let mut receiver = FakeReceiver::start(&[]).await;
    let telemetry = start(&receiver.endpoint, pace());
    record(&telemetry, 1..=4);
    assert_eq!(receiver.next().await, [1, 2, 3]);
    assert_eq!(telemetry.stop(PATIENCE).await, counts(4, 0, 0));
    assert_eq!(receiver.next().await, [4]);
}

#[tokio::test]
async fn what_is_no_full_batch_is_sent_after_the_period() {
    let mut receiver = FakeReceiver::start(&[]).await;
    let telemetry = start(&receiver.endpoint, Pace { period: SOON, ..pace() });
    record(&telemetry, 1..=1);
    assert_eq!(receiver.next().await, [1]);
    record(&telemetry, 2..=2);
    assert_eq!(receiver.next().await, [2]);
}

#[tokio::test]
async fn spans_of_unwanted_traces_and_after_the_end_are_not_sent() {
    let mut receiver = FakeReceiver::start(&[]).await;
    let telemetry = start(&receiver.endpoint, pace());
    let tracer = telemetry.tracer();
    let mut unwanted = span(1);
    unwanted.context.sampled = false;
    tracer.record(unwanted);
    tracer.record(span(2));
    assert_eq!(telemetry.stop(PATIENCE).await, counts(1, 0, 0));
    assert_eq!(receiver.next().await, [2]);
    tracer.record(span(3));
    assert_eq!(tracer.counts(), counts(1, 1, 0));
}

#[tokio::test]
async fn a_receiver_that_says_later_is_asked_again() {
    for moods in [
        &[Mood::Status(503), Mood::Status(429)][..],
        &[Mood::After(503, "0"), Mood::After(502, "soon")],
        &[Mood::Status(504)],
    ] {
        let mut receiver = FakeReceiver::start(moods).await;
        let telemetry = start(&receiver.endpoint, pace());
        record(&telemetry, 1..=3);
        for _ in 0..=moods.len() {
            assert_eq!(receiver.next().await, [1, 2, 3], "{moods:?}");
        }
        assert_eq!(telemetry.stop(PATIENCE).await, counts(3, 0, 0), "{moods:?}");
    }
}

#[tokio::test]
async fn attempts_end_and_the_next_batch_has_its_own() {
    let mut receiver = FakeReceiver::start(&[Mood::Status(503); 3]).await;
    let telemetry = start(&receiver.endpoint, pace());
    record(&telemetry, 1..=6);
    for _ in 0..3 {
        assert_eq!(receiver.next().await, [1, 2, 3]);
    }
    assert_eq!(receiver.next().await, [4, 5, 6]);
    assert_eq!(telemetry.stop(PATIENCE).await, counts(3, 0, 3));
}

#[tokio::test]
async fn what_a_receiver_refuses_is_not_offered_again() {
    for mood in [Mood::Status(400), Mood::Status(401), Mood::Status(500), Mood::Redirect] {
        let mut receiver = FakeReceiver::start(&[mood]).await;
        let telemetry = start(&receiver.endpoint, pace());
        record(&telemetry, 1..=6);
        assert_eq!(receiver.next().await, [1, 2, 3], "{mood:?}");
        assert_eq!(receiver.next().await, [4, 5, 6], "{mood:?}");
        assert_eq!(telemetry.stop(PATIENCE).await, counts(3, 0, 3), "{mood:?}");
    }
}

#[tokio::test]
async fn a_receiver_may_refuse_a_part() {
    for (mood, expected) in [
        (Mood::Partial(1), counts(2, 0, 1)),
        (Mood::Partial(0), counts(3, 0, 0)),
        (Mood::Partial(-1), counts(3, 0, 0)),
        (Mood::Partial(99), counts(0, 0, 3)),
    ] {
        let receiver = FakeReceiver::start(&[mood]).await;
        let telemetry = start(&receiver.endpoint, pace());
        record(&telemetry, 1..=3);
        assert_eq!(telemetry.stop(PATIENCE).await, expected, "{mood:?}");
    }
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_receiver_that_is_down_costs_spans_and_nothing_else() {
    let telemetry = start(&nobody().await, pace());
    // The task gets no turn meanwhile, so exactly the queue's room is taken.
    record(&telemetry, 1..=1_000);
    assert_eq!(telemetry.tracer().counts(), counts(0, 994, 0));
    assert_eq!(telemetry.stop(PATIENCE).await, counts(0, 994, 6));
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_asked_again() {
    let mut receiver = FakeReceiver::start(&[Mood::Silent]).await;
    // On a busy machine the second answer may take longer too.
    let pace = Pace { timeout: Duration::from_millis(500), attempts: 100, ..pace() };
    let telemetry = start(&receiver.endpoint, pace);
    record(&telemetry, 1..=3);
    assert_eq!(receiver.next().await, [1, 2, 3]);
    assert_eq!(receiver.next().await, [1, 2, 3]);
    assert_eq!(telemetry.stop(PATIENCE).await, counts(3, 0, 0));
}

#[tokio::test]
async fn while_a_receiver_does_not_answer_the_newest_are_dropped_and_the_end_comes_in_time() {
    let mut receiver = FakeReceiver::start(&[Mood::Silent]).await;
    let telemetry = start(&receiver.endpoint, pace());
    record(&telemetry, 1..=3);
    assert_eq!(receiver.next().await, [1, 2, 3]);
    record(&telemetry, 4..=103);
    assert_eq!(telemetry.tracer().counts(), counts(0, 94, 0));
    assert_eq!(telemetry.stop(SOON).await, counts(0, 94, 9));
}

#[tokio::test]
async fn the_end_waits_for_no_retry() {
    let mut receiver = FakeReceiver::start(&[Mood::After(503, "300")]).await;
    let telemetry = start(&receiver.endpoint, pace());
    record(&telemetry, 1..=3);
    assert_eq!(receiver.next().await, [1, 2, 3]);
    assert_eq!(telemetry.stop(PATIENCE).await, counts(3, 0, 0));
    assert_eq!(receiver.next().await, [1, 2, 3]);
}

//! The other side: one request, and what its answer means.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use crate::TelemetryConfig;

const PROTOBUF: &str = "application/x-protobuf";
/// A handshake that takes longer will not come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: it is empty, or a sentence.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Characters of an answer that are logged.
const SAID_CHARS_MAX: usize = 200;

/// What a receiver said to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has the batch.
    Taken,
    /// It has the batch but for some spans, which it will never take.
    Partly { refused: u64, why: String },
    /// It may take the batch later, not before `after` if it said so.
    Later { after: Option<Duration>, why: String },
    /// It will never take the batch.
    Refused { why: String },
}

/// Takes batches.
pub(crate) trait Receiver: Send + Sync + 'static {
    /// Offers a batch.
    fn offer(&self, body: Bytes) -> impl Future<Output = Answer> + Send;
}

/// A receiver of OTLP over HTTP.
#[derive(Debug)]
pub(crate) struct HttpReceiver {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl HttpReceiver {
    pub(crate) fn new(config: &TelemetryConfig) -> Result<Self, reqwest::Error> {
        let mut headers = config.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        let mut builder = Client::builder()
            .user_agent(concat!("evoke/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(config.pace.timeout))
            .timeout(config.pace.timeout)
            // The headers hold keys, which are for the configured receiver only.
            .redirect(Policy::none())
            .no_proxy();
        if config.url.scheme() == "http" {
            // Certificates are of no use here, so a machine without any can still send.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { client: builder.build()?, url: config.url.clone(), headers })
    }
}

impl Receiver for HttpReceiver {
    async fn offer(&self, body: Bytes) -> Answer {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        match request.body(body).send().await {
            Ok(response) => read(response).await,
            Err(error) => Answer::Later { after: None, why: causes(&error.without_url()) },
        }
    }
}

async fn read(mut response: Response) -> Answer {
    let status = response.status();
    let after = retry_after(response.headers());
    let is_protobuf = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(PROTOBUF.as_bytes()));
    let mut body = Vec::new();
    // An answer that breaks off has said enough by its status.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            body.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    match status {
        status if status.is_success() && is_protobuf => taken(&body),
        status if status.is_success() => Answer::Taken,
        // Exactly these may be tried again, says OTLP's specification.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Answer::Later { after, why: said(status, &body) },
        status => Answer::Refused { why: said(status, &body) },
    }
}

fn taken(body: &[u8]) -> Answer {
    let partial = match ExportTraceServiceResponse::decode(body) {
        Ok(ExportTraceServiceResponse { partial_success: Some(partial) }) => partial,
        // Whoever answers nonsense with success has the batch all the same.
        Ok(_) | Err(_) => return Answer::Taken,
    };
    match u64::try_from(partial.rejected_spans) {
        Ok(refused @ 1..) => Answer::Partly { refused, why: partial.error_message },
        _ => Answer::Taken,
    }
}

/// How long the receiver wants to be left alone, when it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The status with the readable part of the body, which is text or a message with text in it.
fn said(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let is_readable = |c: &char| !c.is_control() && *c != char::REPLACEMENT_CHARACTER;
    let text: String = text.chars().filter(is_readable).take(SAID_CHARS_MAX).collect();
    match text.trim() {
        "" => format!("it answered {status}"),
        text => format!("it answered {status}: {text}"),
    }
}

/// An error with what caused it, in one line.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

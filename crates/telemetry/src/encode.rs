//! Spans as OTLP's messages.

use evoke_model::Timestamp;
use evoke_model::trace::TraceContext;
use evoke_ports::trace::Attribute;
use evoke_ports::{Span, SpanKind};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;

/// The version of everything here.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Bytes of a text that are sent. An error may quote a whole document; a trace is not its place.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Attributes of a span that are sent, as many as OpenTelemetry's SDKs send.
const ATTRIBUTES_MAX: usize = 128;
/// Links of a span that are sent, as many as OpenTelemetry's SDKs send.
const LINKS_MAX: usize = 128;

/// Makes the bodies of requests.
#[derive(Debug)]
pub(crate) struct Encoder {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Encoder {
    /// For the spans of this process: `instance` tells it from others of the same `service`.
    pub(crate) fn new(service: &str, instance: &str) -> Self {
        let attributes = vec![
            text("service.name", service),
            text("service.version", VERSION),
            text("service.instance.id", instance),
        ];
        let scope = InstrumentationScope {
            name: "evoke".to_owned(),
            version: VERSION.to_owned(),
            ..InstrumentationScope::default()
        };
        Self { resource: Resource { attributes, ..Resource::default() }, scope }
    }

    /// The body that exports `spans`.
    pub(crate) fn body(&self, spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = otlp::ScopeSpans {
            scope: Some(self.scope.clone()),
            spans: spans.into_iter().map(message).collect(),
            ..otlp::ScopeSpans::default()
        };
        let resource_spans = otlp::ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            ..otlp::ResourceSpans::default()
        };
        ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
    }
}

fn message(span: Span) -> otlp::Span {
    let start = nanos(span.start);
    otlp::Span {
        trace_id: span.context.trace.to_be_bytes().to_vec(),
        span_id: span.context.span.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: u32::from(span.context.sampled),
        name: cut(&span.name),
        kind: kind(span.kind).into(),
        start_time_unix_nano: start,
        // A clock that was set back must not make a span that viewers refuse.
        end_time_unix_nano: nanos(span.end).max(start),
        dropped_attributes_count: beyond(span.attributes.len(), ATTRIBUTES_MAX),
        attributes: span.attributes.iter().take(ATTRIBUTES_MAX).map(attribute).collect(),
        dropped_links_count: beyond(span.links.len(), LINKS_MAX),
        links: span.links.iter().take(LINKS_MAX).map(link).collect(),
        status: span.error.as_deref().map(failed),
        ..otlp::Span::default()
    }
}

const fn kind(kind: SpanKind) -> otlp::span::SpanKind {
    match kind {
        SpanKind::Internal => otlp::span::SpanKind::Internal,
        SpanKind::Server => otlp::span::SpanKind::Server,
        SpanKind::Client => otlp::span::SpanKind::Client,
        SpanKind::Producer => otlp::span::SpanKind::Producer,
        SpanKind::Consumer => otlp::span::SpanKind::Consumer,
    }
}

fn attribute((key, value): &(&'static str, Attribute)) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::StringValue(cut(text)),
        Attribute::Int(number) => Value::IntValue(*number),
        Attribute::Bool(yes) => Value::BoolValue(*yes),
    };
    key_value(key, value)
}

fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, Value::StringValue(value.to_owned()))
}

fn key_value(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn link(context: &TraceContext) -> otlp::span::Link {
    otlp::span::Link {
        trace_id: context.trace.to_be_bytes().to_vec(),
        span_id: context.span.to_be_bytes().to_vec(),
        flags: u32::from(context.sampled),
        ..otlp::span::Link::default()
    }
}

fn failed(error: &str) -> otlp::Status {
    otlp::Status { message: cut(error), code: otlp::status::StatusCode::Error.into() }
}

/// Nanoseconds of the Unix epoch; what is before it becomes its beginning.
const fn nanos(time: Timestamp) -> u64 {
    let micros = time.as_micros();
    if micros < 0 { 0 } else { (micros as u64).saturating_mul(1_000) }
}

fn beyond(len: usize, max: usize) -> u32 {
    u32::try_from(len.saturating_sub(max)).unwrap_or(u32::MAX)
}

/// The text, or its beginning with a mark where it was cut.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::span;

    fn round_trip(span: Span) -> otlp::Span {
        let body = Encoder::new("shop", "i-1").body(vec![span]);
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let [spans] = request.resource_spans.try_into().unwrap();
        let [scope_spans] = spans.scope_spans.try_into().unwrap();
        let [span] = scope_spans.spans.try_into().unwrap();
        span
    }

    #[test]
    fn what_is_too_much_is_cut_and_says_so() {
        let mut large = span(1);
        large.error = Some("ü".repeat(TEXT_BYTES_MAX));
        large.attributes = vec![("many", Attribute::Int(1)); ATTRIBUTES_MAX + 3];
        large.links = vec![large.context; LINKS_MAX + 2];
        let sent = round_trip(large);
        let message = sent.status.unwrap().message;
        assert!(message.len() <= TEXT_BYTES_MAX && message.ends_with("ü…"), "{}", message.len());
        assert_eq!((sent.attributes.len(), sent.dropped_attributes_count), (ATTRIBUTES_MAX, 3));
        assert_eq!((sent.links.len(), sent.dropped_links_count), (LINKS_MAX, 2));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_an_empty_span() {
        let mut backwards = span(1);
        (backwards.start, backwards.end) = (Timestamp::from_micros(2), Timestamp::from_micros(1));
        let sent = round_trip(backwards);
        assert_eq!((sent.start_time_unix_nano, sent.end_time_unix_nano), (2_000, 2_000));
        let mut early = span(1);
        early.start = Timestamp::from_micros(-5);
        assert_eq!(round_trip(early).start_time_unix_nano, 0);
    }

    #[test]
    fn a_span_without_parent_and_error_says_nothing_of_them() {
        let sent = round_trip(span(1));
        assert!(sent.parent_span_id.is_empty() && sent.status.is_none() && sent.links.is_empty());
    }
}

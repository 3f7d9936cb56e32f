//! Traces: what happened when, as spans for tools that draw them. The engine makes them; who takes
//! them is plugged in.

use std::borrow::Cow;
use std::sync::Arc;

use evoke_model::Timestamp;
use evoke_model::trace::TraceContext;

/// Takes finished spans.
pub trait Tracer: Send + Sync {
    /// Whether anybody wants spans; nothing is made of them otherwise.
    fn is_on(&self) -> bool;

    /// Whether a trace that begins here is wanted. A caller's own decision goes before this one.
    fn samples(&self, trace: u128) -> bool;

    /// Takes a finished span. Never blocks: what cannot be taken is counted and dropped.
    fn record(&self, span: Span);
}

/// Nobody wants spans.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoTracer;

impl Tracer for NoTracer {
    fn is_on(&self) -> bool {
        false
    }

    fn samples(&self, _: u128) -> bool {
        false
    }

    fn record(&self, _: Span) {}
}

/// Something that took its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its trace, and its own id in it.
    pub context: TraceContext,
    /// The span that caused it.
    pub parent: Option<u64>,
    /// What it is: `ingest`, `wait order.paid`.
    pub name: Cow<'static, str>,
    /// Its side of a conversation.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Spans of other traces that have to do with it: the other events of a batch.
    pub links: Vec<TraceContext>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The side of a conversation a span stands on, as OpenTelemetry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Nobody else takes part.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request and waits.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

/// What is known of a span.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A text.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

//! Spans of what the engine does. One trace goes from the caller through the event to the last
//! function:
//!
//! ```text
//! caller's span
//! └ ingest <type>          from the request to the commit; for a caller who waits: request <type>
//!   ├ match                planned against the triggers
//!   ├ wait <trigger>       from the due time to the start of an attempt
//!   └ execute <trigger>    one attempt
//!     ├ call <target>      what the function sees as its parent: events it sends continue here
//!     └ record             from the end of the attempt until it is on the disk
//! ```
//!
//! Where nobody wants spans nothing of this is done, and a caller's `traceparent` is passed on as
//! it came.

use std::borrow::Cow;
use std::sync::Arc;

use evoke_model::trace::TraceContext;
use evoke_model::{Event, Outcome, Timestamp};
use evoke_ports::trace::Attribute;
use evoke_ports::{Span, SpanKind, Tracer};

use crate::execute::Running;

/// Makes spans, where somebody wants them.
#[derive(Clone)]
pub(crate) struct Traces {
    tracer: Arc<dyn Tracer>,
}

/// A span that goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) context: TraceContext,
    parent: Option<u64>,
    start: Timestamp,
}

/// How an attempt is told of.
pub(crate) struct Ended<'a> {
    pub(crate) open: Open,
    pub(crate) due: Timestamp,
    pub(crate) running: &'a Running,
    pub(crate) outcome: &'a Outcome,
    pub(crate) end: Timestamp,
}

fn text(text: &str) -> Attribute {
    Attribute::Text(text.into())
}

fn new_span() -> u64 {
    fastrand::u64(1..)
}

impl Traces {
    pub(crate) fn new(tracer: Arc<dyn Tracer>) -> Self {
        Self { tracer }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.tracer.is_on()
    }

    /// Opens a span caused by `traceparent`, or one that begins a trace. `None` when nobody wants
    /// it.
    pub(crate) fn open(&self, traceparent: Option<&str>, start: Timestamp) -> Option<Open> {
        if !self.tracer.is_on() {
            return None;
        }
        let caller = traceparent.and_then(|text| text.parse::<TraceContext>().ok());
        match caller {
            Some(caller) => caller.sampled.then(|| Open {
                context: caller.with_span(new_span()),
                parent: Some(caller.span),
                start,
            }),
            None => {
                let trace = fastrand::u128(1..);
                let context = TraceContext { trace, span: new_span(), sampled: true };
                self.tracer.samples(trace).then_some(Open { context, parent: None, start })
            }
        }
    }

    /// Opens a span of a trace that goes on; none where there is none.
    pub(crate) fn follow(&self, traceparent: Option<&str>, start: Timestamp) -> Option<Open> {
        traceparent.and_then(|_| self.open(traceparent, start))
    }

    /// Opens a span within another.
    pub(crate) fn within(parent: Open, start: Timestamp) -> Open {
        let context = parent.context.with_span(new_span());
        Open { context, parent: Some(parent.context.span), start }
    }

    fn close(&self, open: Open, name: Cow<'static, str>, kind: SpanKind, end: Timestamp) -> Span {
        Span {
            context: open.context,
            parent: open.parent,
            name,
            kind,
            start: open.start,
            end: end.max(open.start),
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        }
    }

    /// An event was accepted.
    pub(crate) fn ingested(&self, open: Open, event: &Event, times: (Timestamp, Timestamp)) {
        let (planned, end) = times;
        let inner = Self::within(open, open.start);
        self.tracer.record(self.close(inner, "match".into(), SpanKind::Internal, planned));
        let name = format!("ingest {}", event.kind).into();
        let mut span = self.close(open, name, SpanKind::Producer, end);
        span.attributes = event_attributes(event);
        self.tracer.record(span);
    }

    /// A request whose caller waited was answered.
    pub(crate) fn served(&self, open: Open, event: &Event, end: Timestamp) {
        let name = format!("request {}", event.kind).into();
        let mut span = self.close(open, name, SpanKind::Server, end);
        span.attributes = event_attributes(event);
        self.tracer.record(span);
    }

    /// An attempt ended.
    pub(crate) fn executed(&self, ended: &Ended<'_>) {
        let Ended { open, due, running, outcome, end } = ended;
        let trigger = &running.name;
        if running.attempt == 1 && *due < open.start {
            let context = open.context.with_span(new_span());
            let wait = Open { context, parent: open.parent, start: *due };
            let name = format!("wait {trigger}").into();
            self.tracer.record(self.close(wait, name, SpanKind::Internal, open.start));
        }
        let name = format!("execute {trigger}").into();
        let mut span = self.close(*open, name, SpanKind::Consumer, *end);
        span.attributes = event_attributes(&running.event);
        span.attributes.extend([
            ("evoke.execution.id", Attribute::Text(running.id.to_string().into())),
            ("evoke.trigger.name", Attribute::Text(trigger.clone())),
            ("evoke.trigger.type", Attribute::Text(running.kind.clone())),
            ("evoke.target", Attribute::Text(running.target.clone())),
            ("evoke.attempt", Attribute::Int(i64::from(running.attempt))),
        ]);
        span.error =
            outcome.failure().map(|failure| format!("{}: {}", failure.code, failure.message));
        self.tracer.record(span);
    }

    /// A call of a target ended. The events of a batch beside the first are linked.
    pub(crate) fn called(&self, open: Open, target: &str, others: &[Arc<Event>], end: Timestamp) {
        let mut span = self.close(open, format!("call {target}").into(), SpanKind::Client, end);
        span.attributes.push(("evoke.target", text(target)));
        let others = others.iter();
        span.links =
            others.filter_map(|event| event.traceparent.as_deref()?.parse().ok()).collect();
        self.tracer.record(span);
    }

    /// The end of an attempt is on the disk.
    pub(crate) fn recorded(&self, open: Open, end: Timestamp) {
        self.tracer.record(self.close(open, "record".into(), SpanKind::Internal, end));
    }
}

/// The attributes OpenTelemetry has for CloudEvents.
fn event_attributes(event: &Event) -> Vec<(&'static str, Attribute)> {
    let mut attributes = vec![
        ("cloudevents.event_id", Attribute::Text(event.public_id().into())),
        ("cloudevents.event_source", text(&event.source)),
        ("cloudevents.event_type", text(&event.kind)),
        ("evoke.event.id", Attribute::Text(event.id.to_string().into())),
    ];
    if let Some(subject) = &event.subject {
        attributes.push(("cloudevents.event_subject", text(subject)));
    }
    attributes
}

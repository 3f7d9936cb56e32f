//! Spans, exported by OTLP (OpenTelemetry's protocol) as protobuf over HTTP.
//!
//! The roof reads a [`TelemetryConfig`], starts a [`Telemetry`] and hands its tracer to the engine.
//! A finished span goes into a bounded queue; a task of its own sends what waits there in batches,
//! when a batch is full and at the latest after [`Pace::period`].
//!
//! Nothing here may slow down or stop what the spans are about. So recording a span never waits:
//! when the queue is full, the newest is dropped and counted. A receiver that is down is asked
//! again with growing waits, a bounded number of times; what it does not take in the end is counted
//! too, and said in the log at most once a minute. See [`Counts`].
//!
//! Which traces are kept is decided where a trace begins, from its id alone (see [`Share`]), and
//! travels with it as the `sampled` flag. A caller's flag goes before that decision.
//!
//! Of OpenTelemetry's crates only the messages are used: its SDK makes ids and times by itself and
//! batches on a thread of its own, while here both come from the engine.

mod config;
mod encode;
mod exporter;
mod queue;
mod receiver;
mod report;
mod share;
mod telemetry;

pub use config::{Pace, Settings, TelemetryConfig};
pub use queue::Counts;
pub use share::Share;
pub use telemetry::{Error, OtlpTracer, Telemetry};

#[cfg(test)]
mod tests;

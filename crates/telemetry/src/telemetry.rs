//! The export as the roof holds it: started, asked for its tracer, stopped.

use std::sync::Arc;
use std::time::Duration;

use evoke_ports::{Span, Tracer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::encode::Encoder;
use crate::exporter::Exporter;
use crate::queue::{Counts, Queue};
use crate::receiver::HttpReceiver;
use crate::report::Reporter;
use crate::{Share, TelemetryConfig};

/// The export cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no HTTP client: no crypto provider, or no certificates for an `https` receiver.
    #[error("make the HTTP client of the trace export")]
    Client {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

/// An export under way. Dropping it ends the task without sending what waits.
#[derive(Debug)]
pub struct Telemetry {
    tracer: Arc<OtlpTracer>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// Takes the spans that are to be exported.
#[derive(Debug)]
pub struct OtlpTracer {
    queue: Arc<Queue>,
    share: Share,
}

impl Telemetry {
    /// Starts the task that sends, on the runtime of the caller. `instance` tells this process from
    /// others of the same service; it need not be the same after a restart.
    ///
    /// # Errors
    /// There can be no HTTP client. That the receiver cannot be reached is no error.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(config: &TelemetryConfig, instance: &str) -> Result<Self, Error> {
        let receiver = HttpReceiver::new(config).map_err(|source| Error::Client { source })?;
        let queue = Arc::new(Queue::new(config.pace.queue, config.pace.batch));
        let stop = CancellationToken::new();
        let exporter = Exporter {
            queue: Arc::clone(&queue),
            encoder: Encoder::new(&config.service_name, instance),
            receiver,
            pace: config.pace,
            stop: stop.clone(),
            rng: fastrand::Rng::new(),
            reporter: Reporter::default(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(exporter.run()));
        let tracer = Arc::new(OtlpTracer { queue, share: config.sample });
        Ok(Self { tracer, stop, task })
    }

    /// What the engine hands its spans to.
    #[must_use]
    pub fn tracer(&self) -> Arc<OtlpTracer> {
        Arc::clone(&self.tracer)
    }

    /// Takes no more spans, sends what waits, and ends, after `grace` at the latest. What could not
    /// be sent counts as failed.
    pub async fn stop(self, grace: Duration) -> Counts {
        let Self { tracer, stop, mut task } = self;
        tracer.queue.close();
        stop.cancel();
        let mut ended = tokio::time::timeout(grace, &mut task).await;
        if ended.is_err() {
            // Nothing may be counted any more once the rest is given up.
            task.abort();
            ended = Ok(task.await);
        }
        tracer.queue.give_up();
        match ended {
            Ok(Err(error)) if error.is_panic() => warn!("The trace export broke: {error}"),
            Ok(Err(_)) => warn!("Spans were left when the time for sending them was over"),
            _ => {}
        }
        tracer.counts()
    }
}

impl OtlpTracer {
    /// What became of the spans so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }
}

impl Tracer for OtlpTracer {
    fn is_on(&self) -> bool {
        true
    }

    fn samples(&self, trace: u128) -> bool {
        self.share.takes(trace)
    }

    fn record(&self, span: Span) {
        // Nobody wants the spans of such a trace, so they are not lost either.
        if span.context.sampled {
            self.queue.push(span);
        }
    }
}

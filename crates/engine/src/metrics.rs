//! What is counted. Nothing here is global: each engine has its own.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use evoke_model::State;
use parking_lot::RwLock;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds in seconds from 100 µs to 100 s, four to the decade.
const SECONDS: [f64; 25] = [
    0.0001, 0.00018, 0.00032, 0.00056, 0.001, 0.0018, 0.0032, 0.0056, 0.01, 0.018, 0.032, 0.056,
    0.1, 0.18, 0.32, 0.56, 1.0, 1.8, 3.2, 5.6, 10.0, 18.0, 32.0, 56.0, 100.0,
];

/// The label `source`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct BySource {
    /// The kind of source.
    pub source: &'static str,
}

/// The labels of an ended execution.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByEnd {
    /// The kind of trigger.
    pub trigger_type: String,
    /// The final state.
    pub status: &'static str,
}

/// The labels of an HTTP request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByRequest {
    /// The method.
    pub method: String,
    /// The route's pattern, never the path: paths have no bound.
    pub route: String,
    /// The status.
    pub status: u16,
}

/// The labels of workers.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByWorker {
    /// The runtime.
    pub runtime: String,
    /// `ready` or `starting`.
    pub state: &'static str,
}

/// The label `runtime`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByRuntime {
    /// The runtime.
    pub runtime: String,
}

/// The label `type`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByType {
    /// The kind of trigger.
    pub r#type: String,
}

/// The label `status`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByStatus {
    /// `active`, `paused` or `ended`.
    pub status: &'static str,
}

/// The label `trigger`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByTrigger {
    /// The trigger's name.
    pub trigger: String,
}

/// All counters of an engine.
pub struct Metrics {
    registry: RwLock<Registry>,
    accepted: AtomicU64,
    events: Family<BySource, Counter>,
    executions: Family<ByEnd, Counter>,
    ended: RwLock<Vec<(String, [Counter; 4])>>,
    duration: Histogram,
    event_to_start: Histogram,
    schedule_drift: Histogram,
    schedules: Family<ByStatus, Gauge>,
    retries: Counter,
    throttled: Counter,
    commit: Histogram,
    batch: Histogram,
    http_requests: Family<ByRequest, Counter>,
    pending: Gauge<i64, AtomicI64>,
    running: Gauge<i64, AtomicI64>,
    dead_letters: Family<ByTrigger, Gauge>,
    triggers: Family<ByType, Gauge>,
    workers: Family<ByWorker, Gauge>,
    worker_memory: Family<ByRuntime, Gauge>,
    worker_cpu: Family<ByRuntime, Gauge<f64, AtomicU64>>,
    cold_starts: Family<ByRuntime, Gauge>,
    cold_start: Histogram,
}

/// What is read anew each time the metrics are asked for.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub(crate) pending: i64,
    pub(crate) running: i64,
    pub(crate) dead_letters: Vec<(String, i64)>,
    pub(crate) triggers: Vec<(String, i64)>,
    pub(crate) schedules: [(&'static str, i64); 3],
    pub(crate) pools: Vec<(String, evoke_ports::PoolStatus)>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: RwLock::new(Registry::with_prefix("evoke")),
            accepted: AtomicU64::new(0),
            events: Family::default(),
            executions: Family::default(),
            ended: RwLock::default(),
            duration: Histogram::new(SECONDS),
            event_to_start: Histogram::new(SECONDS),
            schedule_drift: Histogram::new(SECONDS),
            schedules: Family::default(),
            retries: Counter::default(),
            throttled: Counter::default(),
            commit: Histogram::new(SECONDS),
            batch: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            http_requests: Family::default(),
            pending: Gauge::default(),
            running: Gauge::default(),
            dead_letters: Family::default(),
            triggers: Family::default(),
            workers: Family::default(),
            worker_memory: Family::default(),
            worker_cpu: Family::default(),
            cold_starts: Family::default(),
            cold_start: Histogram::new(SECONDS),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.write();
        let r = &mut *registry;
        r.register("events_ingested", "Events accepted", self.events.clone());
        r.register("executions", "Executions that reached a final state", self.executions.clone());
        r.register("executions_pending", "Executions that wait", self.pending.clone());
        r.register("executions_running", "Executions under way", self.running.clone());
        r.register_with_unit(
            "execution_duration",
            "Time of one attempt",
            Unit::Seconds,
            self.duration.clone(),
        );
        r.register_with_unit(
            "event_to_start",
            "From the acceptance of an event to the start of its first attempt",
            Unit::Seconds,
            self.event_to_start.clone(),
        );
        r.register_with_unit(
            "schedule_drift",
            "From the instant of an occurrence to the start of its first attempt",
            Unit::Seconds,
            self.schedule_drift.clone(),
        );
        r.register("schedules", "Schedules by where they stand", self.schedules.clone());
        r.register("retries", "Attempts after a failed one", self.retries.clone());
        r.register("throttled", "Requests refused for load or rate", self.throttled.clone());
        r.register_with_unit(
            "store_commit",
            "Time of one commit",
            Unit::Seconds,
            self.commit.clone(),
        );
        r.register("store_batch_size", "Writes in one commit", self.batch.clone());
        r.register("http_requests", "HTTP requests answered", self.http_requests.clone());
        r.register("dead_letters", "Dead letters by trigger", self.dead_letters.clone());
        r.register("triggers", "Triggers by kind", self.triggers.clone());
        r.register("workers", "Worker processes", self.workers.clone());
        r.register_with_unit(
            "worker_memory",
            "Resident memory of workers",
            Unit::Bytes,
            self.worker_memory.clone(),
        );
        r.register("worker_cpu_seconds_total", "CPU time of workers", self.worker_cpu.clone());
        r.register("cold_starts_total", "Workers started", self.cold_starts.clone());
        r.register_with_unit(
            "cold_start",
            "From the wish for a worker to its first call",
            Unit::Seconds,
            self.cold_start.clone(),
        );
    }

    /// Adds what a part of the engine counts for itself.
    pub(crate) fn register_more<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.write())
    }

    /// An event was accepted from this kind of source.
    pub(crate) fn accepted(&self, source: &'static str, count: u64) {
        self.accepted.fetch_add(count, Ordering::Relaxed);
        self.events.get_or_create(&BySource { source }).inc_by(count);
    }

    /// How many events were accepted since the start.
    pub(crate) fn all_accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// An attempt began so long after its event.
    pub(crate) fn started(&self, waited: Duration) {
        self.event_to_start.observe(waited.as_secs_f64());
    }

    /// The first attempt for an occurrence of a schedule began so long after its instant.
    pub(crate) fn drifted(&self, late: Duration) {
        self.schedule_drift.observe(late.as_secs_f64());
    }

    /// An attempt ended.
    pub(crate) fn attempted(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
    }

    /// An execution of this kind of trigger is over.
    pub(crate) fn ended(&self, trigger_kind: &str, state: State) {
        let slot = match state {
            State::Success => 0,
            State::Failed => 1,
            State::TimedOut => 2,
            _ => 3,
        };
        let known = self.ended.read();
        if let Some((_, counters)) = known.iter().find(|(kind, _)| kind == trigger_kind) {
            counters[slot].inc();
            return;
        }
        drop(known);
        let states = [State::Success, State::Failed, State::TimedOut, State::Cancelled];
        let counters = states.map(|state| {
            let labels = ByEnd { trigger_type: trigger_kind.to_owned(), status: state.as_str() };
            self.executions.get_or_create(&labels).clone()
        });
        counters[slot].inc();
        self.ended.write().push((trigger_kind.to_owned(), counters));
    }

    /// Another attempt will follow a failed one.
    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    /// A request was refused for load or rate.
    pub fn throttled(&self) {
        self.throttled.inc();
    }

    /// So many writes were committed in this time.
    pub(crate) fn committed(&self, writes: usize, took: Duration) {
        self.commit.observe(took.as_secs_f64());
        self.batch.observe(writes as f64);
    }

    /// A request was answered. `route` is the route's pattern.
    pub fn answered(&self, method: &str, route: &str, status: u16) {
        let labels = ByRequest { method: method.to_owned(), route: route.to_owned(), status };
        self.http_requests.get_or_create(&labels).inc();
    }

    /// A counter that stays the same, for routes that are asked often: look it up once, then count
    /// without a look-up.
    pub fn request_counter(&self, method: &str, route: &str, status: u16) -> Counter {
        let labels = ByRequest { method: method.to_owned(), route: route.to_owned(), status };
        self.http_requests.get_or_create(&labels).clone()
    }

    /// A worker took so long from being wanted to its first call.
    pub(crate) fn cold_started(&self, took: Duration) {
        self.cold_start.observe(took.as_secs_f64());
    }

    /// The text Prometheus reads (OpenMetrics 1.0).
    pub(crate) fn render(&self, levels: &Levels) -> String {
        self.pending.set(levels.pending);
        self.running.set(levels.running);
        for (trigger, count) in &levels.dead_letters {
            self.dead_letters.get_or_create(&ByTrigger { trigger: trigger.clone() }).set(*count);
        }
        for (status, count) in levels.schedules {
            self.schedules.get_or_create(&ByStatus { status }).set(count);
        }
        for (kind, count) in &levels.triggers {
            self.triggers.get_or_create(&ByType { r#type: kind.clone() }).set(*count);
        }
        self.set_pools(&levels.pools);
        let mut text = String::new();
        match encode(&mut text, &self.registry.read()) {
            Ok(()) => text,
            Err(error) => format!("# metrics could not be written: {error}\n"),
        }
    }

    fn set_pools(&self, pools: &[(String, evoke_ports::PoolStatus)]) {
        let mut runtimes: Vec<&str> = pools.iter().map(|(runtime, _)| runtime.as_str()).collect();
        runtimes.sort_unstable();
        runtimes.dedup();
        for runtime in runtimes {
            let of = || pools.iter().filter(|(name, _)| name == runtime).map(|(_, status)| status);
            let label = ByRuntime { runtime: runtime.to_owned() };
            let state = |state| ByWorker { runtime: runtime.to_owned(), state };
            let ready: i64 = of().map(|status| i64::from(status.workers)).sum();
            let starting: i64 = of().map(|status| i64::from(status.starting)).sum();
            self.workers.get_or_create(&state("ready")).set(ready);
            self.workers.get_or_create(&state("starting")).set(starting);
            let memory: u64 = of().map(|status| status.memory_bytes).sum();
            self.worker_memory.get_or_create(&label).set(memory as i64);
            let cpu_ms: u64 = of().map(|status| status.cpu_ms).sum();
            self.worker_cpu.get_or_create(&label).set(cpu_ms as f64 / 1_000.0);
            let starts: u64 = of().map(|status| status.cold_starts).sum();
            self.cold_starts.get_or_create(&label).set(starts as i64);
        }
    }
}

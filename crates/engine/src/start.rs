//! The engine's beginning and end: its parts are put together here and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;

use evoke_matching::PlanLimits;
use evoke_model::function::FunctionRecord;
use evoke_model::{IdSource, Millis, Trigger};
use evoke_ports::store::{AuditQuery, Key, SegmentQuery};
use evoke_ports::{Clock, Descriptor, Runtime, Source, Store, Target, Tracer};
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, Snapshot};
use crate::committer::{self, Committer};
use crate::dead_letters;
use crate::dispatch::Dispatcher;
use crate::execute::RunningTable;
use crate::feed::{Feed, Notice};
use crate::metrics::{Levels, Metrics};
use crate::operations::Operations;
use crate::registry::Registry;
use crate::retention::{Gauges, Retention, Shelf};
use crate::settings::{CommitterRuns, Settings};
use crate::timed::Timed;
use crate::token::Tokens;
use crate::traces::Traces;
use crate::turns::Turns;
use crate::versions::Versions;

/// How long what was broken off at the end may take to say so.
const LAST_WORDS: Millis = Millis::from_secs(2);

/// What an engine is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The kinds of triggers.
    pub sources: Vec<Arc<dyn Source>>,
    /// The kinds of targets.
    pub targets: Vec<Arc<dyn Target>>,
    /// The languages.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The functions, shared with the target that runs them.
    pub registry: Arc<Registry>,
    /// Who takes spans.
    pub tracer: Arc<dyn Tracer>,
    /// The numbers.
    pub settings: Settings,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read or its writer is taken.
    #[error("open the store")]
    Store(#[from] evoke_ports::store::Error),
    /// Two plug-ins say they are the same kind.
    #[error("kind {0:?} is registered twice")]
    Twice(&'static str),
    /// The machine gives no randomness for the secret of tokens.
    #[error("the machine gives no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The committer's thread did not start.
    #[error("start the committer's thread")]
    Thread(#[source] std::io::Error),
}

/// A running engine. Cheap to clone; a process may hold several.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// Everything the parts share.
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runtimes: Vec<Arc<dyn Runtime>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) settings: Settings,
    pub(crate) catalog: Catalog,
    pub(crate) committer: Committer,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) running: RunningTable,
    pub(crate) tokens: Tokens,
    pub(crate) ids: IdSource,
    pub(crate) feed: Feed,
    pub(crate) traces: Traces,
    pub(crate) gates: crate::gates::Gates,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) plan_limits: PlanLimits,
    pub(crate) keys: RwLock<Vec<Key>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) dead_letters: dead_letters::Counts,
    pub(crate) operations: Operations,
    pub(crate) retention: Retention,
    pub(crate) timed: Timed,
    /// Versions that are open beside the current ones.
    pub(crate) versions: Arc<Versions>,
    /// One deployment of a function at a time, by its name.
    pub(crate) deployments: Turns,
    /// One message of a sender who waits at a time, by the key of its event.
    pub(crate) deliveries: Turns,
    committer_thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    committer_task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What an engine could not finish before it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Executions whose attempt was still under way; they run again at the next start.
    pub running: usize,
    /// Executions that wait in memory; they are in the store.
    pub waiting: usize,
}

/// One thing that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// What the plug-ins say of themselves.
#[derive(Clone, Debug)]
pub struct Descriptors {
    /// The kinds of triggers.
    pub sources: Vec<Descriptor>,
    /// The kinds of targets.
    pub targets: Vec<Descriptor>,
    /// The languages.
    pub runtimes: Vec<Descriptor>,
}

impl Engine {
    /// Starts an engine: reads the definitions and takes events from now on. What waits, from
    /// before or from now, runs once [`Engine::admit`] was called.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts { store, sources, targets, runtimes, clock, registry, tracer, settings } = parts;
        let traces = Traces::new(tracer);
        let catalog = Catalog::new(sources, targets).map_err(StartError::Twice)?;
        let definitions = store.definitions();
        let triggers: HashMap<_, _> =
            definitions.triggers().await?.into_iter().map(|t| (t.id, t)).collect();
        let functions = functions(&store).await?;
        let newest = newest_id(&store, &triggers).await?;
        let dead_letters = dead_letters::Counts::of(&store.executions().dead_letters().await?);
        let operations = Operations::of(definitions.operations().await?, clock.now());
        let metrics = Arc::new(Metrics::new());
        let dispatcher = Arc::new(Dispatcher::new(clock.clone()));
        let (committer, service) = committer::Service::new(
            store.writer()?,
            dispatcher.clone(),
            metrics.clone(),
            (clock.clone(), traces.clone()),
        );
        let tasks = TaskTracker::new();
        let mut task = None;
        let thread = match settings.committer {
            CommitterRuns::Thread => {
                let thread = std::thread::Builder::new().name("committer".into());
                Some(thread.spawn(move || service.run()).map_err(StartError::Thread)?)
            }
            CommitterRuns::Task => {
                task = Some(tokio::spawn(service.run_as_task()));
                None
            }
        };
        catalog.replace(triggers, functions);
        let plan_limits = PlanLimits { depth_max: settings.depth_max };
        let keys = RwLock::new(definitions.keys().await?);
        let versions = Versions::new(clock.clone());
        let gauges = metrics.register_more(Gauges::register);
        let inner = Arc::new(Inner {
            retention: Retention::new(Shelf::new(store.archive(), settings.committer), gauges),
            store,
            runtimes,
            registry,
            catalog,
            committer,
            running: RunningTable::default(),
            tokens: Tokens::new().map_err(StartError::Randomness)?,
            ids: IdSource::new(settings.node, newest),
            feed: Feed::new(),
            metrics,
            plan_limits,
            keys,
            tasks,
            dead_letters,
            operations,
            deployments: Turns::default(),
            deliveries: Turns::default(),
            committer_thread: Mutex::new(thread),
            committer_task: Mutex::new(task),
            clock,
            settings,
            dispatcher,
            traces,
            timed: Timed::default(),
            versions,
            gates: crate::gates::Gates::default(),
        });
        inner.dispatcher.start(&inner).await?;
        inner.take_up(&inner.store).await?;
        Ok(Self { inner })
    }

    /// Begins to run what waits. Called once the functions of the project are deployed, so that
    /// what was left from before a restart does not fail for want of its function.
    pub fn admit(&self) {
        self.inner.dispatcher.admit();
        self.inner.resume_operations();
        self.inner.start_retention();
        self.inner.start_timed();
    }

    /// Stops: nothing new is admitted, what runs may finish for at most `grace`, what is recorded
    /// is written, workers are ended.
    pub async fn stop(&self, grace: Millis) -> Left {
        let inner = &self.inner;
        let waiting = inner.dispatcher.close();
        inner.retention.stop();
        inner.timed.stop.cancel();
        inner.operations.close().await;
        let deadline = inner.clock.now().plus(grace);
        let drained = async {
            while inner.running.len() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = drained => {}
            () = inner.clock.sleep_until(deadline) => {}
        }
        let left = Left { running: inner.running.len(), waiting };
        for running in inner.running.all() {
            // Without a reason: it comes again at the next start.
            running.cancel.cancel();
        }
        for deployed in inner.registry.all() {
            deployed.pool.drain(Millis::ZERO).await;
        }
        inner.versions.close().await;
        for runtime in &inner.runtimes {
            runtime.close().await;
        }
        inner.tasks.close();
        // What they have to record is recorded before the store closes.
        let last = inner.clock.now().plus(LAST_WORDS);
        tokio::select! {
            biased;
            () = inner.tasks.wait() => {}
            () = inner.clock.sleep_until(last) => {}
        }
        inner.committer.close();
        let task = inner.committer_task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("The committer's task ended in a panic");
        }
        let thread = inner.committer_thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("The committer's thread ended in a panic");
            }
        }
        left
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The text Prometheus reads.
    pub fn render_metrics(&self) -> String {
        let inner = &self.inner;
        let mut kinds: HashMap<String, i64> = HashMap::new();
        for trigger in self.triggers() {
            *kinds.entry(trigger.kind.clone()).or_default() += 1;
        }
        let pools = inner
            .registry
            .all()
            .into_iter()
            .map(|deployed| (deployed.version.spec.runtime.clone(), deployed.pool.status()))
            .collect();
        inner.metrics.render(&Levels {
            pending: inner.dispatcher.open() - inner.dispatcher.running() as i64,
            // A question runs a function, but it is no execution.
            running: (inner.running.len() as i64)
                .saturating_sub(inner.timed.polls.counters.under_way() as i64)
                .max(0),
            dead_letters: inner.dead_letters_by_name(),
            triggers: kinds.into_iter().collect(),
            schedules: inner.timed.schedules.count(),
            pools,
        })
    }

    /// Listens to what happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.inner.feed.subscribe()
    }

    /// Looks whether the parts are well; each is really asked.
    pub async fn health(&self) -> Vec<Check> {
        let inner = &self.inner;
        let store = match inner.store.events().newest().await {
            Ok(_) => Check { name: "store", ok: true, detail: inner.store.kind().to_owned() },
            Err(error) => Check { name: "store", ok: false, detail: error.to_string() },
        };
        let is_writing = inner.committer.is_healthy();
        let detail = if is_writing { "the last commit worked" } else { "the last commit failed" };
        let committer = Check { name: "committer", ok: is_writing, detail: detail.to_owned() };
        let is_open = inner.dispatcher.is_open();
        let detail = if is_open { "open" } else { "starting or stopping" };
        vec![store, committer, Check { name: "dispatcher", ok: is_open, detail: detail.to_owned() }]
    }

    /// What the plug-ins say of themselves.
    pub fn descriptors(&self) -> Descriptors {
        let inner = &self.inner;
        let mut descriptors = Descriptors {
            sources: inner.catalog.sources().map(|s| s.descriptor().clone()).collect(),
            targets: inner.catalog.targets().map(|t| t.descriptor().clone()).collect(),
            runtimes: inner.runtimes.iter().map(|r| r.descriptor().clone()).collect(),
        };
        descriptors.sources.sort_by_key(|descriptor| descriptor.kind);
        descriptors.targets.sort_by_key(|descriptor| descriptor.kind);
        descriptors.runtimes.sort_by_key(|descriptor| descriptor.kind);
        descriptors
    }
}

impl Inner {
    /// The names of a trigger, shared by its executions.
    pub(crate) fn labels(&self, trigger: &Arc<Trigger>) -> crate::catalog::Labels {
        let snapshot: &Snapshot = &self.catalog.load();
        match snapshot.labels.get(&trigger.id) {
            Some(labels) => labels.clone(),
            None => crate::catalog::Labels::of(trigger),
        }
    }
}

/// The functions that were not deleted, by name.
async fn functions(
    store: &Arc<dyn Store>,
) -> Result<HashMap<String, FunctionRecord>, evoke_ports::store::Error> {
    let records = store.definitions().functions().await?.into_iter();
    let records = records.filter(|record| record.deleted_at.is_none());
    Ok(records.map(|record| (record.spec.name.clone(), record)).collect())
}

/// The highest id that was ever given out, so that none is given out twice.
async fn newest_id(
    store: &Arc<dyn Store>,
    triggers: &HashMap<evoke_model::TriggerId, Arc<Trigger>>,
) -> Result<u64, StartError> {
    let events = store.events().newest().await?;
    let definitions = store.definitions();
    let last = AuditQuery { limit: 1, ..AuditQuery::default() };
    let audited = definitions.audit(last).await?.items.into_iter().map(|entry| entry.id.as_u64());
    let operations = definitions.operations().await?.into_iter().map(|one| one.id.as_u64());
    let all = triggers.keys().map(|id| id.as_u64()).chain([events]).chain(audited);
    // What is archived has left the record, its ids have not become free.
    let archived = store.archive().segments(SegmentQuery::default()).await?;
    let archived = archived.into_iter().flat_map(|one| [one.id.as_u64(), one.last.as_u64()]);
    Ok(all.chain(operations).chain(archived).max().unwrap_or(0))
}

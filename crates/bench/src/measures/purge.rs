//! B16: intake while retention removes and archives a million rows, and the space it gives back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::events::{accepted, recorded};
use super::{Amount, B16, Bench, CONNECTIONS, batch, event, post};
use crate::error::{Error, Result, Tried};
use crate::floors::Language;
use crate::histogram::{Histogram, Latency};
use crate::load::{LoadSpec, Pace};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Function, Project, Record, Server};

const BATCH: u64 = 100;
/// Intake's load.
const PER_SECOND: u32 = 1_000;
/// One load; as many as fit into a run of retention are taken together.
const SLICE_MS: u64 = 1_000;
/// The shortest age the settings take, and something for the clock.
const AGE: Duration = Duration::from_secs(62);
/// A run over a million rows ends long before.
const RUN_WAIT_MAX: Duration = Duration::from_secs(600);

/// Nothing is old.
const KEEP: &str = "[retention]\narchive_after = false\nevents = \"365d\"\nexecutions = \"365d\"\n";
/// What is removed at once.
const REMOVE: &str = "[retention]\narchive_after = false\nevents = \"365d\"\n\
     executions = \"365d\"\n\n[[retention.rules]]\ntype = \"bench.removed\"\nevents = \"1m\"\n\
     executions = \"1m\"\n";
/// All that is left goes to the archive.
const ARCHIVE: &str =
    "[retention]\narchive_after = \"1m\"\nevents = \"365d\"\nexecutions = \"365d\"\n";

/// A project whose store is filled, while no server runs.
struct Store<'a> {
    bench: &'a Bench<'a>,
    project: Project,
}

/// What a run of retention did, and what intake saw meanwhile.
struct Purged {
    intake: Latency,
    rows: f64,
    seconds: f64,
    /// The size of the file in bytes, before and after.
    file: [u64; 2],
}

impl Store<'_> {
    fn serve(&self, settings: &str) -> Result<Server> {
        self.project.configure(settings)?;
        let server = self.bench.serve(&self.project)?;
        // The worker and the pages that everybody needs are warm.
        self.intake(&server, 1_000)?;
        Ok(server)
    }

    fn fill(&self, server: &Server, kind: &str, events: u64) -> Result<()> {
        let request = post(&server.control, "/api/events", batch(kind, BATCH as usize));
        let amount = Amount::requests(8, events / BATCH);
        accepted(&self.bench.closed(&server.control, request, amount)?)
    }

    /// Single POSTs at a fixed rate.
    fn intake(&self, server: &Server, millis: u64) -> Result<Histogram> {
        let load = self.bench.load(&LoadSpec {
            address: server.control.address,
            connections: CONNECTIONS,
            request: post(&server.control, "/api/events", event("bench.tick")),
            pace: Pace::Open { per_second: PER_SECOND },
            requests: None,
            millis: Some(millis),
            first: 0,
        })?;
        accepted(&load)?;
        Ok(load.histogram)
    }

    fn file_bytes(&self) -> Result<u64> {
        let file = self.project.data().join("evoke.db");
        let about = std::fs::metadata(&file).tried(|| format!("look at {}", file.display()))?;
        Ok(about.len())
    }

    /// Intake while nothing else happens.
    fn quiet(&self, server: &Server) -> Result<Histogram> {
        let mut all = Histogram::default();
        for _ in 0..10 {
            all.merge(&self.intake(server, SLICE_MS)?);
        }
        Ok(all)
    }

    /// A run of retention with these settings, and intake as long as it lasts.
    fn purge(&self, settings: &str) -> Result<Purged> {
        let before = self.file_bytes()?;
        let server = self.serve(settings)?;
        let is_over = AtomicBool::new(false);
        let (intake, done) = thread::scope(|scope| {
            let run = scope.spawn(|| {
                let done = server.control.long_post("/api/retention/run", RUN_WAIT_MAX);
                is_over.store(true, Ordering::SeqCst);
                done
            });
            let intake = self.intake_until(&server, &is_over);
            let done = run.join().map_err(|_| Error::Wrong("the run panicked".into()));
            Ok::<_, Error>((intake?, done??))
        })?;
        recorded(&Record::open(&self.project.data())?)?;
        server.stop()?;
        let number = |field: &str| done.get(field).and_then(Value::as_f64).unwrap_or(0.0);
        let fields =
            ["archived_events", "archived_executions", "removed_events", "removed_executions"];
        Ok(Purged {
            intake: intake.summary(),
            rows: fields.into_iter().map(number).sum(),
            seconds: number("took_ms") / 1e3,
            file: [before, self.file_bytes()?],
        })
    }

    /// Intake in pieces; the one in which the run ended does not count.
    fn intake_until(&self, server: &Server, is_over: &AtomicBool) -> Result<Histogram> {
        let mut all = Histogram::default();
        loop {
            let some = self.intake(server, SLICE_MS)?;
            if is_over.load(Ordering::SeqCst) {
                return Ok(all);
            }
            all.merge(&some);
        }
    }
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let rows = bench.options.form.pick(200_000, 1_000_000);
    let project = Project::new(bench.folder)?;
    project.add(&Function {
        name: "tick",
        runtime: &Language::Node.runtime()?,
        manifest: "handler: index.handler\n\
                   scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 256 }\n\
                   triggers:\n  - { type: event, match: bench.* }\n",
        code: include_str!("../../assets/tick.mjs"),
    })?;
    let store = Store { bench, project };
    let server = store.serve(KEEP)?;
    for kind in ["bench.removed", "bench.archived"] {
        bench.say(&format!("B16 {rows} rows of {kind}"));
        // A row for the event and one for its execution.
        store.fill(&server, kind, rows / 2)?;
    }
    recorded(&Record::open(&store.project.data())?)?;
    let filled = Instant::now();
    bench.say("B16 intake, nothing else");
    let mut quiet = store.quiet(&server)?;
    server.stop()?;
    bench.say("B16 until the rows are a minute old");
    thread::sleep(AGE.saturating_sub(filled.elapsed()));
    bench.say("B16 intake while rows are removed");
    let removed = store.purge(REMOVE)?;
    bench.say("B16 intake while rows are archived");
    let archived = store.purge(ARCHIVE)?;
    bench.say("B16 intake, nothing else");
    let server = store.serve(KEEP)?;
    quiet.merge(&store.quiet(&server)?);
    server.stop()?;
    [(&removed, "removed"), (&archived, "archived")]
        .into_iter()
        .map(|(purged, word)| purged.row(word, (quiet.summary(), rows)))
        .collect()
}

impl Purged {
    fn row(&self, word: &str, (quiet, expected): (Latency, u64)) -> Result<Row> {
        let (rows, intake) = (self.rows, self.intake);
        if rows < expected as f64 || intake.count == 0 {
            return Err(Error::Wrong(format!(
                "{rows} of {expected} rows were {word} in {:.1} s, with {} events beside",
                self.seconds, intake.count
            )));
        }
        let us = |value| Figure::once(value, Unit::Micros);
        let show = |value| Unit::Micros.show(value);
        let [before, after] = self.file.map(|bytes| bytes as f64 / 1_048_576.0);
        let what = format!("intake at 1,000 events/s while rows are {word}: accepted after, p99");
        Ok(Row::told(B16, what, us(intake.p99_us))
            .against("nothing else happens", us(quiet.p99_us), Unit::Times)
            .judged(Goal::at_most(2.0, 1.25))
            .note(format!(
                "{} rows in {:.1} s, {}; file {before:.0} MB before, {after:.0} MB after; \
                 p50 {}, {} quiet; p99.9 {}, {}; max {}, {}; {} events, {}",
                rows,
                self.seconds,
                Unit::PerSecond.show(rows / self.seconds.max(0.001)),
                show(intake.p50_us),
                show(quiet.p50_us),
                show(intake.p999_us),
                show(quiet.p999_us),
                show(intake.max_us),
                show(quiet.max_us),
                intake.count,
                quiet.count
            )))
    }
}

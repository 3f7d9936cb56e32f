//! B1 and B2: durable events per second through a real function, and with the same server B4, B5
//! and the memory of B10.

use std::time::{Duration, Instant};

use super::{
    Amount, B1, B2, B4, B5, B10, Bench, CONNECTIONS, add_tick, batch, event, latency, post,
};
use crate::error::{Error, Result};
use crate::floors;
use crate::load::{LoadReport, Request};
use crate::process::unix_us;
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Project, Record, Server};

/// Events of one request of B2.
const BATCH: usize = 100;
/// The longest a load may take until the last of its executions is recorded.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(180);

/// A server with the function `tick`, and its record.
pub(super) struct Ticking {
    pub(super) server: Server,
    pub(super) record: Record,
    /// Dropped last: the folder goes with it.
    _project: Project,
}

/// Events to be sent.
#[derive(Clone, Copy)]
pub(super) struct Events<'a> {
    /// Their type.
    pub(super) kind: &'a str,
    pub(super) count: u64,
    /// How many go in one request.
    pub(super) size: usize,
    /// The number of the first.
    pub(super) first: u64,
}

/// A load whose executions are all recorded.
pub(super) struct Recorded {
    pub(super) events_per_second: f64,
    pub(super) load: LoadReport,
    /// CPU time per event in microseconds: server, workers, load generator.
    pub(super) cpu_us: [f64; 3],
}

impl Ticking {
    pub(super) fn start(bench: &Bench<'_>) -> Result<Self> {
        let project = Project::new(bench.folder)?;
        add_tick(&project)?;
        Self::on(bench, project)
    }

    /// On a project with other functions.
    pub(super) fn on(bench: &Bench<'_>, project: Project) -> Result<Self> {
        let server = bench.serve(&project)?;
        let record = Record::open(&project.data())?;
        Ok(Self { server, record, _project: project })
    }

    /// Sends `count` events in requests of `size` and waits until all are recorded.
    pub(super) fn send(
        &self,
        bench: &Bench<'_>,
        connections: u32,
        (count, size): (u64, usize),
    ) -> Result<Recorded> {
        self.send_some(bench, connections, Events { kind: "bench.tick", count, size, first: 0 })
    }

    /// Sends these events and waits until all are recorded.
    pub(super) fn send_some(
        &self,
        bench: &Bench<'_>,
        connections: u32,
        Events { kind, count, size, first }: Events<'_>,
    ) -> Result<Recorded> {
        let body = if size == 1 { event(kind) } else { batch(kind, size) };
        let request = post(&self.server.control, "/api/events", body);
        let amount = Amount { first, ..Amount::requests(connections, count / size as u64) };
        self.carry_out(bench, (request, size), amount)
    }

    /// Sends requests that make so many events each and waits until all are recorded.
    pub(super) fn carry_out(
        &self,
        bench: &Bench<'_>,
        (request, size): (Request, usize),
        amount: Amount,
    ) -> Result<Recorded> {
        let after = self.record.newest()?.event;
        let before = self.server.cpu_ms();
        let load = bench.closed(&self.server.control, request, amount)?;
        let ended_us = self.recorded()?;
        let events = load.ok * size as u64;
        self.check(after, events, &load)?;
        let cpu = self.server.cpu_ms();
        let each = |ms: u64| ms as f64 * 1e3 / events.max(1) as f64;
        let seconds = ended_us.saturating_sub(load.began_us).max(1) as f64 / 1e6;
        Ok(Recorded {
            events_per_second: events as f64 / seconds,
            cpu_us: [each(cpu.0 - before.0), each(cpu.1 - before.1), each(load.cpu_ms)],
            load,
        })
    }

    /// Waits until no execution is open; the moment it was seen, in microseconds of the epoch.
    pub(super) fn recorded(&self) -> Result<u64> {
        recorded(&self.record)
    }

    /// Every accepted event has run with success, exactly once.
    pub(super) fn check(&self, after: i64, events: u64, load: &LoadReport) -> Result<()> {
        accepted(load)?;
        match self.record.successes(after)? {
            successes if successes == events => Ok(()),
            successes => Err(Error::Wrong(format!("of {events} accepted events {successes} ran"))),
        }
    }

    fn megabytes(&self) -> Figure {
        Figure::once(self.server.rss_megabytes(), Unit::Megabytes)
    }

    fn tree_note(&self) -> String {
        format!("with workers {:.0} MB", self.server.tree_rss_bytes() as f64 / 1_048_576.0)
    }
}

/// Waits until no execution is open; the moment it was seen, in microseconds of the epoch.
pub(super) fn recorded(record: &Record) -> Result<u64> {
    let until = Instant::now() + RECORD_WAIT_MAX;
    loop {
        let looked = Instant::now();
        let open = record.open_executions()?;
        if open == 0 {
            return Ok(unix_us());
        }
        if looked > until {
            return Err(Error::Wrong(format!("{open} executions are still open")));
        }
        // The look costs the server a part of a core: it must stay a small one.
        std::thread::sleep((looked.elapsed() * 5).max(Duration::from_millis(2)));
    }
}

/// The senders were served: a server may put off a few with 503 while its disk is slow, which is
/// no loss, but nothing else.
pub(super) fn accepted(load: &LoadReport) -> Result<()> {
    let put_off = load.refused.get(&503).copied().unwrap_or(0);
    if load.failed() > put_off || put_off * 20 > load.ok {
        let trouble = load.first_trouble.as_deref().unwrap_or("without a word");
        let failed = load.failed();
        return Err(Error::Wrong(format!(
            "{failed} requests failed, {} worked: {trouble}",
            load.ok
        )));
    }
    Ok(())
}

/// How many requests were put off, if any were.
pub(super) fn put_off(load: &LoadReport) -> String {
    match load.failed() {
        0 => String::new(),
        count => format!("; {count} requests were put off with 503"),
    }
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let ticking = Ticking::start(bench)?;
    let mut rows = Vec::new();
    if bench.wants(B10) {
        std::thread::sleep(Duration::from_secs(2));
        let row = Row::told(B10, "memory of the server, idle", ticking.megabytes());
        rows.push(row.judged(Goal::at_most(60.0, 30.0)).note(ticking.tree_note()));
    }
    if [B1, B2, B10].into_iter().any(|id| bench.wants(id)) {
        bench.say("B1 warming up");
        ticking.send(bench, CONNECTIONS, (20_000, 1))?;
    }
    if bench.wants(B1) || bench.wants(B10) {
        rows.push(singles(bench, &ticking)?);
    }
    if bench.wants(B10) {
        let row = Row::told(B10, "memory of the server, after B1", ticking.megabytes());
        rows.push(row.judged(Goal::at_most(150.0, 100.0)).note(ticking.tree_note()));
    }
    if bench.wants(B2) {
        rows.push(batches(bench, &ticking)?);
    }
    if bench.wants(B4) {
        rows.extend(latency::one_at_a_time(bench, &ticking)?);
    }
    if bench.wants(B5) {
        rows.push(latency::open_loop(bench, &ticking)?);
    }
    ticking.server.stop()?;
    Ok(rows)
}

fn singles(bench: &Bench<'_>, ticking: &Ticking) -> Result<Row> {
    let (rounds, count, floor_count) =
        (bench.options.form.pick(3, 7), bench.options.form.pick(80_000, 300_000), 100_000);
    let (mut floors, mut rates, mut last) = (Vec::new(), Vec::new(), None);
    for round in 1..=rounds {
        bench.say(&format!("B1 round {round} of {rounds}: SQLite, then Evoke"));
        floors.push(floors::group_commit(bench.folder, floor_count)?);
        let recorded = ticking.send(bench, CONNECTIONS, (count, 1))?;
        rates.push(recorded.events_per_second);
        last = Some(recorded);
    }
    let what = "durable events/s, single POSTs over 64 connections, Node function, recorded";
    Ok(Row::told(B1, what, Figure::of(&rates, Unit::PerSecond))
        .against("SQLite group commit", Figure::of(&floors, Unit::PerSecond), Unit::Share)
        .judged(Goal::at_least(0.25, 0.45))
        .note(last.map(|recorded| recorded.note("event")).unwrap_or_default()))
}

fn batches(bench: &Bench<'_>, ticking: &Ticking) -> Result<Row> {
    let (rounds, count, floor_count) =
        (bench.options.form.pick(3, 7), bench.options.form.pick(150_000, 600_000), 200_000);
    let (mut floors, mut rates, mut last) = (Vec::new(), Vec::new(), None);
    for round in 1..=rounds {
        bench.say(&format!("B2 round {round} of {rounds}: SQLite, then Evoke"));
        floors.push(floors::one_thread(bench.folder, floor_count)?);
        let recorded = ticking.send(bench, 8, (count, BATCH))?;
        rates.push(recorded.events_per_second);
        last = Some(recorded);
    }
    Ok(Row::told(B2, "the same in batches of 100", Figure::of(&rates, Unit::PerSecond))
        .against("SQLite on one thread", Figure::of(&floors, Unit::PerSecond), Unit::Share)
        .judged(Goal::at_least(0.35, 0.65))
        .note(last.map(|recorded| recorded.note("event")).unwrap_or_default()))
}

impl Recorded {
    /// Where the CPU time of one event went, which is called so, and how long its sender waited.
    pub(super) fn note(&self, each: &str) -> String {
        let [server, workers, generator] = self.cpu_us;
        let latency = self.load.latency;
        format!(
            "accepted after p50 {}, p99 {}; CPU per {each}: server {server:.1} µs, worker \
             {workers:.1} µs, load generator {generator:.1} µs{}",
            Unit::Micros.show(latency.p50_us),
            Unit::Micros.show(latency.p99_us),
            put_off(&self.load)
        )
    }
}

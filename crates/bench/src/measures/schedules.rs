//! B13: how late functions start when a thousand schedules are due in the same second, beside the
//! same calls handed in as one batch of events, and beside schedules whose function is slow.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::events::{Ticking, accepted};
use super::{Amount, B13, Bench, add_tick, batch, post};
use crate::error::{Error, Result};
use crate::floors::Language;
use crate::histogram::{Histogram, Latency};
use crate::load::PLACEHOLDER;
use crate::process::unix_us;
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Firing, Function, Project, Samples};

/// Schedules that are due together.
const SCHEDULES: u64 = 1_000;
/// Schedules of the slow function, due at the same instants.
const SLOW: u64 = 100;
const CRON: &str = "*/10 * * * * *";
/// Between two instants of that expression, in microseconds.
const EVERY_US: u64 = 10_000_000;
/// From an instant until the batch of events is handed in: all calls of the instant are over.
const BATCH_AFTER_US: u64 = EVERY_US / 2;
/// Batches that warm up the worker and the store.
const WARM_UP: u64 = 10;
/// The longest until the last call of the last instant is recorded.
const RECORD_WAIT_MAX: Duration = Duration::from_secs(30);

/// A server with a thousand schedules.
struct Due<'a> {
    bench: &'a Bench<'a>,
    ticking: Ticking,
}

/// What was seen at some instants.
#[derive(Default)]
struct Seen {
    /// From the scheduled instant to the handler's first line.
    handlers: Histogram,
    /// From the scheduled instant to the start of the attempt, as it is recorded.
    starts: Histogram,
    /// The p99 of the first at each instant, in milliseconds.
    rounds: Vec<f64>,
    /// Of each instant in milliseconds: until the host of schedules had seen it, until the first
    /// attempt began and until the last did.
    steps: [Vec<f64>; 3],
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let due = Due::start(bench)?;
    bench.say("B13 warming up");
    for _ in 0..WARM_UP {
        due.hand_in()?;
    }
    bench.say(&format!("B13 {SCHEDULES} schedules"));
    let creation = due.create("quick", "tick", SCHEDULES)?;
    let rounds = bench.options.form.pick(4, 12);
    bench.say(&format!("B13 {rounds} instants, and as many batches of events between them"));
    // Calls of an instant at which the schedules were made count to neither side.
    due.ticking.recorded()?;
    let before = due.drift()?;
    let newest = due.ticking.record.newest()?.event;
    let quiet = due.watch(rounds, || due.hand_in())?;
    let after = due.drift()?;
    let batches = due.ticking.record.waits("bench.tick", newest)?.summary();
    if batches.count != rounds * SCHEDULES {
        let (ran, sent) = (batches.count, rounds * SCHEDULES);
        return Err(Error::Wrong(format!("of {sent} events of the batches {ran} ran")));
    }
    bench.say(&format!("B13 {rounds} instants beside {SLOW} schedules of a slow function"));
    due.create("slow", "slow", SLOW)?;
    let beside = due.watch(rounds, || Ok(()))?;
    let waiting = due.ticking.record.open_executions()?;
    if waiting < SLOW {
        return Err(Error::Wrong(format!("only {waiting} calls of the slow function were open")));
    }
    // The slow ones are not waited for.
    due.ticking.server.kill()?;
    let metric = agreement(&quiet.starts.summary(), [before, after])?;
    let made = format!("schedules made at {}", Unit::PerSecond.show(creation));
    Ok(vec![
        quiet
            .row("1,000 schedules due at once: instant to handler start, p99")
            .note(format!("{}; {metric}; {made}", quiet.note())),
        Row::told(B13, "the same against one batch of 1,000 events", quiet.p99())
            .against("batch, acceptance to handler start, p99", millis(batches.p99_us), Unit::Times)
            .note(format!(
                "batch: p50 {}, max {}",
                Unit::Micros.show(batches.p50_us),
                Unit::Micros.show(batches.max_us)
            )),
        beside
            .row("the same beside 100 schedules of a function that takes 10 s")
            .note(format!("{waiting} executions were open at the end; {}", beside.note())),
        Row::told(B13, "the same against nothing slow", beside.p99()).against(
            "nothing slow",
            quiet.p99(),
            Unit::Times,
        ),
    ])
}

impl<'a> Due<'a> {
    fn start(bench: &'a Bench<'a>) -> Result<Self> {
        let project = Project::new(bench.folder)?;
        add_tick(&project)?;
        project.add(&Function {
            name: "slow",
            runtime: &Language::Node.runtime()?,
            manifest: "handler: index.handler\n\
                       scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 10 }\n",
            code: include_str!("../../assets/slow.mjs"),
        })?;
        Ok(Self { bench, ticking: Ticking::on(bench, project)? })
    }

    /// Makes schedules through the API; gives how many a second.
    fn create(&self, name: &str, function: &str, count: u64) -> Result<f64> {
        let body = json!({
            "name": format!("{name}-{PLACEHOLDER}"),
            "type": "schedule",
            "config": { "cron": CRON },
            "target": { "type": "function", "name": function },
        });
        let request = post(&self.ticking.server.control, "/api/triggers", body.to_string());
        let load =
            self.bench.closed(&self.ticking.server.control, request, Amount::requests(4, count))?;
        accepted(&load)?;
        if load.ok == count { Ok(load.per_second()) } else { Err(not_all("made", load.ok, count)) }
    }

    /// Hands in as many calls as there are schedules, as one batch, and waits until they are over.
    fn hand_in(&self) -> Result<()> {
        let events = batch("bench.tick", SCHEDULES as usize);
        self.ticking.server.control.json("POST", "/api/events", &events)?;
        self.ticking.recorded().map(drop)
    }

    /// Watches so many instants; half-way to the next, something else may be done.
    fn watch(&self, rounds: u64, between: impl Fn() -> Result<()>) -> Result<Seen> {
        let first = (unix_us() / EVERY_US + 1) * EVERY_US;
        let last = first + (rounds - 1) * EVERY_US;
        for round in 0..rounds {
            sleep_until(first + round * EVERY_US + BATCH_AFTER_US);
            between()?;
        }
        let until = Instant::now() + RECORD_WAIT_MAX;
        loop {
            let fired = self.ticking.record.fired("schedule.quick-%", [first, last])?;
            let over = fired.iter().filter(|firing| firing.handler_us.is_some()).count() as u64;
            if over == rounds * SCHEDULES {
                return Seen::of(&fired, rounds);
            }
            if Instant::now() > until {
                return Err(not_all("run", over, rounds * SCHEDULES));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// How many drifts the server counted by itself, and their sum in seconds.
    fn drift(&self) -> Result<[f64; 2]> {
        let samples: Samples = self.ticking.server.control.metrics()?;
        let name = "evoke_schedule_drift_seconds";
        Ok(["count", "sum"].map(|what| samples.sum(&format!("{name}_{what}"), &[])))
    }
}

fn sleep_until(at_us: u64) {
    thread::sleep(Duration::from_micros(at_us.saturating_sub(unix_us())));
}

fn not_all(what: &str, count: u64, expected: u64) -> Error {
    Error::Wrong(format!("{count} of {expected} schedules were {what}"))
}

fn millis(micros: f64) -> Figure {
    Figure::once(micros / 1e3, Unit::Millis)
}

impl Seen {
    /// What these firings show, which are in the order of their instants. Each schedule must have
    /// fired once at each.
    fn of(fired: &[Firing], rounds: u64) -> Result<Self> {
        let mut seen = Self::default();
        let mut instants = 0;
        for round in fired.chunk_by(|one, next| one.scheduled_us == next.scheduled_us) {
            let mut kinds: Vec<_> = round.iter().map(|firing| firing.kind.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            if kinds.len() as u64 != SCHEDULES || kinds.len() != round.len() {
                let (all, different) = (round.len(), kinds.len());
                let what = format!("{different} schedules made {all} events at one instant");
                return Err(Error::Wrong(what));
            }
            seen.add(round);
            instants += 1;
        }
        if instants == rounds { Ok(seen) } else { Err(not_all("seen", instants, rounds)) }
    }

    /// Adds the firings of one instant.
    fn add(&mut self, round: &[Firing]) {
        let mut handlers = Histogram::default();
        let mut starts = Histogram::default();
        let mut fired = Histogram::default();
        let late = |firing: &Firing, at_us: u64| at_us.saturating_sub(firing.scheduled_us) * 1_000;
        for firing in round {
            handlers.record(late(firing, firing.handler_us.unwrap_or(0)));
            starts.record(late(firing, firing.started_us));
            fired.record(late(firing, firing.fired_us));
        }
        let (start, fired) = (starts.summary(), fired.summary());
        self.rounds.push(handlers.summary().p99_us / 1e3);
        let steps = [fired.min_us, start.min_us, start.max_us];
        self.steps.iter_mut().zip(steps).for_each(|(all, step)| all.push(step / 1e3));
        self.handlers.merge(&handlers);
        self.starts.merge(&starts);
    }

    /// The p99 over all instants.
    fn p99(&self) -> Figure {
        millis(self.handlers.summary().p99_us)
    }

    fn row(&self, what: &str) -> Row {
        Row::told(B13, what, self.p99()).judged(Goal::at_most(50.0, 10.0))
    }

    fn note(&self) -> String {
        let [handlers, starts] = [self.handlers.summary(), self.starts.summary()];
        let show = |micros| Unit::Micros.show(micros);
        let [fired, first, last] =
            self.steps.each_ref().map(|rounds| Figure::of(rounds, Unit::Millis).to_string());
        format!(
            "p50 {}, max {}, p99 of an instant {}; attempt began after p50 {}, p99 {}, max {}; \
             the host saw the instant after {fired}, the first attempt began after {first}, the \
             last after {last}; {} calls at {} instants",
            show(handlers.p50_us),
            show(handlers.max_us),
            Figure::of(&self.rounds, Unit::Millis),
            show(starts.p50_us),
            show(starts.p99_us),
            show(starts.max_us),
            handlers.count,
            self.rounds.len()
        )
    }
}

/// Whether the server's own metric of drift tells what its record does.
fn agreement(starts: &Latency, [before, after]: [[f64; 2]; 2]) -> Result<String> {
    let [count, sum] = [after[0] - before[0], after[1] - before[1]];
    let mean_us = sum * 1e6 / count.max(1.0);
    let told = format!(
        "metric: {count} drifts, mean {}; record: {}, mean {}",
        Unit::Micros.show(mean_us),
        starts.count,
        Unit::Micros.show(starts.mean_us)
    );
    let is_near = mean_us < starts.mean_us * 2.0 && mean_us > starts.mean_us / 2.0;
    if is_near && count == starts.count as f64 { Ok(told) } else { Err(Error::Wrong(told)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(scheduled_us: u64, late_us: u64) -> Vec<Firing> {
        let firing = |number| Firing {
            kind: format!("schedule.quick-{number}"),
            scheduled_us,
            fired_us: scheduled_us + 2_000,
            started_us: scheduled_us + late_us + number,
            handler_us: Some(scheduled_us + late_us + number + 500),
        };
        (0..SCHEDULES).map(firing).collect()
    }

    #[test]
    fn instants_are_taken_together() {
        let fired = [instant(EVERY_US, 3_000), instant(2 * EVERY_US, 5_000)].concat();
        let seen = Seen::of(&fired, 2).unwrap();
        assert_eq!(seen.handlers.summary().count, 2 * SCHEDULES);
        assert_eq!(seen.steps, [vec![2.0, 2.0], vec![3.0, 5.0], vec![3.999, 5.999]]);
        assert_eq!(seen.starts.summary().max_us, 5_999.0);
        assert_eq!(seen.handlers.summary().max_us, 6_499.0);
    }

    #[test]
    fn a_schedule_that_fired_twice_or_not_is_no_figure() {
        let one = instant(EVERY_US, 3_000);
        let twice = [one.clone(), one[..1].to_vec()].concat();
        assert!(Seen::of(&twice, 1).is_err());
        assert!(Seen::of(&one[1..], 1).is_err());
        assert!(Seen::of(&one, 2).is_err(), "an instant is missing");
    }

    #[test]
    fn a_metric_that_tells_something_else_is_seen() {
        let starts = Seen::of(&instant(EVERY_US, 3_000), 1).unwrap().starts.summary();
        for (count, sum, is_good) in
            [(1_000.0, 3.5, true), (999.0, 3.5, false), (1_000.0, 0.0035, false), (0.0, 0.0, false)]
        {
            let told = agreement(&starts, [[7.0, 1.0], [7.0 + count, 1.0 + sum]]);
            assert_eq!(told.is_ok(), is_good, "{told:?}");
        }
    }
}

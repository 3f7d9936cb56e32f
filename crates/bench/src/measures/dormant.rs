//! The second half of B13: what a hundred thousand schedules cost while none of them is due.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{B13, Bench, add_tick};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::process::unix_us;
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Project, Server, add_copies};

/// Schedules that wait.
const WAITING: u32 = 100_000;
/// The one that is copied.
const NAME: &str = "far-off";
/// What a server does after its start is over by then, or is no longer waited for.
const SETTLE_MAX: Duration = Duration::from_secs(180);
/// How long it is watched.
const IDLE: Duration = Duration::from_secs(10);
/// Schedules made through the API beside those that wait.
const MORE: u32 = 10;

/// What an idle server costs.
#[derive(Default)]
struct Cost {
    /// From the start of the process until it is ready, and until a function has answered.
    ready: Vec<f64>,
    answered: Vec<f64>,
    /// From the first answer until it has nothing more to do.
    settled: Vec<f64>,
    /// CPU time of its own process in 10 s, in milliseconds.
    cpu: Vec<f64>,
    /// Resident memory of its own process, in megabytes.
    memory: Vec<f64>,
}

impl Cost {
    /// Starts a server and watches it while it has nothing to do.
    fn watch(&mut self, bench: &Bench<'_>, project: &Project) -> Result<Server> {
        let began = Instant::now();
        let server = bench.serve(project)?;
        let ready = server.ready_after;
        server.control.until_ok("POST", "/api/functions/tick/invoke", r#"{"n":"first"}"#)?;
        self.answered.push(began.elapsed().as_secs_f64());
        self.ready.push(ready.as_secs_f64());
        self.settled.push(server.settle(SETTLE_MAX).as_secs_f64());
        let before = server.cpu_ms().0;
        thread::sleep(IDLE);
        self.cpu.push((server.cpu_ms().0 - before) as f64);
        self.memory.push(server.rss_megabytes());
        Ok(server)
    }
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let rounds = bench.options.form.pick(1, 3);
    let (mut without, mut with) = (Cost::default(), Cost::default());
    let (mut alone, mut beside) = (Histogram::default(), Histogram::default());
    for round in 1..=rounds {
        let project = Project::new(bench.folder)?;
        add_tick(&project)?;
        // Functions are deployed by a start that is not looked at.
        bench.serve(&project)?.stop()?;
        bench.say(&format!("B13 no schedules, round {round} of {rounds}"));
        let server = without.watch(bench, &project)?;
        make(&server, NAME)?;
        alone.merge(&make_more(&server, "alone")?);
        server.stop()?;
        add_copies(&project.data(), NAME, WAITING)?;
        bench.say(&format!("B13 {WAITING} schedules far off, round {round} of {rounds}"));
        let server = with.watch(bench, &project)?;
        all_are_there(&server)?;
        beside.merge(&make_more(&server, "beside")?);
        server.stop()?;
    }
    Ok(rows([&without, &with], [&alone, &beside]))
}

/// Instants of the year after the next one.
fn cron() -> String {
    const YEAR_US: u64 = 31_556_952_000_000;
    format!("0 0 9 1 1 * {}", 1970 + unix_us() / YEAR_US + 2)
}

fn make(server: &Server, name: &str) -> Result<()> {
    let schedule = json!({
        "name": name,
        "type": "schedule",
        "config": { "cron": cron() },
        "target": { "type": "function", "name": "tick" },
    });
    server.control.json("POST", "/api/triggers", &schedule.to_string()).map(drop)
}

/// How long it takes to make one schedule through the API.
fn make_more(server: &Server, name: &str) -> Result<Histogram> {
    let mut took = Histogram::default();
    for number in 1..=MORE {
        let began = Instant::now();
        make(server, &format!("{name}-{number}"))?;
        took.record(began.elapsed().as_nanos() as u64);
    }
    Ok(took)
}

/// The server waits for them: they did not fail to load.
fn all_are_there(server: &Server) -> Result<()> {
    let active = server.control.metrics()?.sum("evoke_schedules", &["status=\"active\""]);
    if active > f64::from(WAITING) {
        return Ok(());
    }
    Err(Error::Wrong(format!("only {active} of {WAITING} schedules wait")))
}

fn rows([without, with]: [&Cost; 2], made: [&Histogram; 2]) -> Vec<Row> {
    let millis = |cost: &Cost| Figure::of(&cost.cpu, Unit::Millis);
    let megabytes = |cost: &Cost| Figure::of(&cost.memory, Unit::Megabytes);
    let seconds = |values: &[f64]| Figure::of(values, Unit::Seconds);
    let extra = megabytes(with).median - megabytes(without).median;
    let made = made.map(|made| Unit::Micros.show(made.summary().p50_us));
    let answered = [without, with].map(|cost| seconds(&cost.answered));
    vec![
        Row::told(B13, "100,000 schedules far off: CPU of the server in 10 s", millis(with))
            .above("no schedules", millis(without))
            .judged(Goal::at_most(50.0, 10.0)),
        Row::told(B13, "memory of the server with them", megabytes(with))
            .above("no schedules", megabytes(without))
            .note(format!("{:.2} KB a schedule", extra * 1_024.0 / f64::from(WAITING))),
        Row::told(B13, "ready with them after", seconds(&with.ready))
            .above("no schedules", seconds(&without.ready))
            .note(format!(
                "first answer of a function {} after the start, {} without; one more made \
                 through the API in p50 {}, {} without",
                answered[1], answered[0], made[1], made[0]
            )),
        Row::told(B13, "busy with its start after the first answer", seconds(&with.settled))
            .above("no schedules", seconds(&without.settled)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    fn cost(cpu: f64, memory: f64) -> Cost {
        Cost {
            ready: vec![0.1],
            answered: vec![0.2],
            settled: vec![0.0],
            cpu: vec![cpu],
            memory: vec![memory],
        }
    }

    #[test]
    fn what_counts_is_what_the_schedules_add() {
        let made = Histogram::default();
        for (cpu, verdict) in
            [(50.0, Verdict::Aim), (80.0, Verdict::Must), (200.0, Verdict::Missed)]
        {
            let rows = rows([&cost(40.0, 30.0), &cost(cpu, 130.0)], [&made, &made]);
            assert_eq!(rows[0].verdict, verdict, "{cpu}");
            assert_eq!(rows[1].score.map(|score| score.value), Some(100.0));
            assert_eq!(rows[1].note, "1.02 KB a schedule");
        }
    }
}

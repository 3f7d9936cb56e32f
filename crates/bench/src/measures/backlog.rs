//! B11 and the last row of B10: intake and memory while 100,000 executions wait for a target that
//! is down.

use std::time::Duration;

use super::events::accepted;
use super::{Amount, B10, B11, Bench, CONNECTIONS, event, post};
use crate::error::{Error, Result};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Project, Record, Server, free_port};

/// Executions that wait.
const WAITING: u64 = 100_000;
/// The server has tried every target once by then, or has given up trying for now.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// A server whose only target is down.
struct Down {
    server: Server,
    record: Record,
    _project: Project,
}

impl Down {
    fn start(bench: &Bench<'_>) -> Result<Self> {
        let project = Project::new(bench.folder)?;
        let server = bench.serve(&project)?;
        // Nobody listens on this port, and nobody will: it is the system's to give.
        let url = format!("http://127.0.0.1:{}/", free_port()?);
        let trigger = serde_json::json!({
            "name": "down",
            "type": "event",
            "config": { "match": "bench.down" },
            "target": { "type": "http", "config": { "url": url, "method": "POST" } },
            "policy": { "retry": { "attempts": 100, "initial": "10m", "max": "10m" } },
        });
        server.control.json("POST", "/api/triggers", &trigger.to_string())?;
        let record = Record::open(&project.data())?;
        Ok(Self { server, record, _project: project })
    }

    /// Accepted events per second.
    fn accept(&self, bench: &Bench<'_>, count: u64) -> Result<f64> {
        let request = post(&self.server.control, "/api/events", event("bench.down"));
        let amount = Amount::requests(CONNECTIONS, count);
        let load = bench.closed(&self.server.control, request, amount)?;
        accepted(&load)?;
        Ok(load.per_second())
    }
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (rounds, count) = (bench.options.form.pick(2, 5), 20_000);
    let (mut empty, mut full, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        bench.say(&format!("B11 round {round} of {rounds}"));
        let down = Down::start(bench)?;
        down.accept(bench, 5_000)?;
        empty.push(down.accept(bench, count)?);
        let open = down.record.open_executions()?;
        down.accept(bench, WAITING.saturating_sub(open))?;
        down.server.settle(SETTLE_MAX);
        memory.push(down.server.rss_megabytes());
        full.push(down.accept(bench, count)?);
        let open = down.record.open_executions()?;
        if open < WAITING {
            return Err(Error::Wrong(format!("only {open} executions wait")));
        }
        down.server.stop()?;
    }
    let mut rows = Vec::new();
    if bench.wants(B10) {
        let figure = Figure::of(&memory, Unit::Megabytes);
        let what = "memory of the server, 100,000 executions waiting";
        rows.push(Row::told(B10, what, figure).judged(Goal::at_most(150.0, 100.0)));
    }
    if bench.wants(B11) {
        let what = "accepted events/s, all targets down and 100,000 executions waiting";
        rows.push(
            Row::told(B11, what, Figure::of(&full, Unit::PerSecond))
                .against("empty system", Figure::of(&empty, Unit::PerSecond), Unit::Share)
                .judged(Goal::at_least(0.8, 0.95)),
        );
    }
    Ok(rows)
}

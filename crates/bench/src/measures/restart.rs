//! B12: ready again after `kill -9` in the middle of the work, with a million rows.

use std::time::Duration;

use super::{Amount, B12, Bench, add_tick, batch, post};
use crate::error::{Error, Result, Tried};
use crate::load::{LoadSpec, Pace};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Project, Record};

/// Rows of events and executions together.
const ROWS: u64 = 1_000_000;
const BATCH: u64 = 100;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let project = Project::new(bench.folder)?;
    add_tick(&project)?;
    let mut server = bench.serve(&project)?;
    let fresh = server.ready_after.as_secs_f64();
    bench.say("B12 a million rows");
    let request = post(&server.control, "/api/events", batch("bench.tick", BATCH as usize));
    let amount = Amount::requests(8, ROWS / 2 / BATCH);
    bench.closed(&server.control, request.clone(), amount)?;
    let record = Record::open(&project.data())?;
    let mut times = Vec::new();
    let (mut rows, mut open) = (0, 0);
    for round in 1..=bench.options.form.pick(2, 5) {
        bench.say(&format!("B12 kill {round}"));
        let spec = LoadSpec {
            address: server.control.address,
            connections: 8,
            request: request.clone(),
            pace: Pace::Closed,
            requests: None,
            millis: Some(1_500),
            first: 0,
        };
        let load = bench.options.generator.start(&spec).tried(|| "start the load".into())?;
        std::thread::sleep(Duration::from_millis(1_000));
        server.kill()?;
        // The connections break under it: that is what the load is there for.
        load.wait().tried(|| "run the load generator".into())?;
        (rows, open) = (record.rows()?, record.open_executions()?);
        server = bench.serve(&project)?;
        times.push(server.ready_after.as_secs_f64());
    }
    server.stop()?;
    if rows < ROWS * 9 / 10 {
        return Err(Error::Wrong(format!("only {rows} rows were there")));
    }
    let figure = Figure::of(&times, Unit::Seconds);
    Ok(vec![
        Row::told(B12, "ready again after kill -9 with a million rows", figure)
            .judged(Goal::at_most(3.0, 1.0))
            .note(format!("{rows} rows, {open} executions open; {fresh:.2} s with an empty store")),
    ])
}

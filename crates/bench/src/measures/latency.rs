//! B4 and B5: how long one event takes, alone and at a fixed rate.

use std::time::{Duration, Instant};

use super::events::{Ticking, put_off};
use super::{B4, B5, Bench, CONNECTIONS, event, post};
use crate::error::{Error, Result, Tried};
use crate::floors::Restate;
use crate::histogram::{Histogram, Latency};
use crate::load::{LoadSpec, Pace, Wire};
use crate::report::{Figure, Goal, Row, Unit};

/// No single event takes longer.
const END_WAIT_MAX: Duration = Duration::from_secs(10);

/// B4: one event at a time, from sending it to the moment its end can be read in the store.
pub(super) fn one_at_a_time(bench: &Bench<'_>, ticking: &Ticking) -> Result<Vec<Row>> {
    let count = bench.options.form.pick(1_500, 10_000);
    bench.say("B4 one at a time");
    alone(ticking, 200)?;
    let (ended, began) = alone(ticking, count)?;
    let figure = Figure::once(ended.p50_us, Unit::Micros);
    let row = Row::told(B4, "one at a time, POST to recorded end, p50", figure).note(format!(
        "p99 {}; acceptance to handler start p50 {}, p99 {}",
        Unit::Micros.show(ended.p99_us),
        Unit::Micros.show(began.p50_us),
        Unit::Micros.show(began.p99_us)
    ));
    let Some(folder) = &bench.options.restate else {
        return Ok(vec![row.judged_only_with_a_peer()]);
    };
    bench.say("B4 one at a time, Restate");
    let restate = Restate::start(folder, bench.folder)?;
    let peer = restate.alone(bench.options.form.pick(300, 1_000))?;
    let floor = Figure::once(peer.p50_us, Unit::Micros);
    Ok(vec![
        row.against("Restate, POST to handler start", floor, Unit::Times)
            .judged(Goal::at_most(0.5, 0.2)),
    ])
}

/// From sending to the recorded end, and from acceptance to the handler's first line.
fn alone(ticking: &Ticking, count: u64) -> Result<(Latency, Latency)> {
    let control = &ticking.server.control;
    let mut wire = Wire::connect(control.address).tried(|| "connect".into())?;
    let body = event("bench.tick");
    let request = format!(
        "POST /api/events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        control.address,
        body.len()
    );
    let first = ticking.record.newest()?.event;
    let mut last = first;
    let mut ends = Histogram::default();
    for _ in 0..count {
        let sent = Instant::now();
        let answer = wire.exchange(request.as_bytes()).tried(|| "send an event".into())?;
        if answer.status != 202 {
            let answer = String::from_utf8_lossy(wire.body(answer)).into_owned();
            return Err(Error::Answer { what: "POST /api/events".into(), answer });
        }
        // Reading the store's newest row takes a few microseconds and no turn of the server.
        loop {
            let newest = ticking.record.newest()?;
            if newest.event > last && newest.is_success {
                last = newest.event;
                break;
            }
            if sent.elapsed() > END_WAIT_MAX {
                return Err(Error::Wrong("a single event was not recorded as done".into()));
            }
            std::thread::yield_now();
        }
        ends.record(sent.elapsed().as_nanos() as u64);
    }
    Ok((ends.summary(), ticking.record.event_to_handler(first)?))
}

/// B5: events due at a fixed rate, whatever the server does.
pub(super) fn open_loop(bench: &Bench<'_>, ticking: &Ticking) -> Result<Row> {
    const PER_SECOND: u32 = 10_000;
    let seconds = bench.options.form.pick(10, 60);
    bench.say(&format!("B5 open loop for {seconds} s"));
    let after = ticking.record.newest()?.event;
    let control = &ticking.server.control;
    let load = bench.load(&LoadSpec {
        address: control.address,
        connections: CONNECTIONS,
        request: post(control, "/api/events", event("bench.tick")),
        pace: Pace::Open { per_second: PER_SECOND },
        requests: None,
        millis: Some(seconds * 1_000),
        first: 0,
    })?;
    ticking.recorded()?;
    ticking.check(after, load.ok, &load)?;
    let waits = ticking.record.event_to_handler(after)?;
    let figure = Figure::once(waits.p99_us / 1e3, Unit::Millis);
    let what = "open loop 10,000 events/s: event to handler start, p99";
    Ok(Row::told(B5, what, figure).judged(Goal::at_most(25.0, 5.0)).note(format!(
        "{seconds} s at {}; handler start p50 {}, p99.9 {}, max {}; accepted after p50 {}, p99 {}{}",
        Unit::PerSecond.show(load.per_second()),
        Unit::Micros.show(waits.p50_us),
        Unit::Micros.show(waits.p999_us),
        Unit::Micros.show(waits.max_us),
        Unit::Micros.show(load.latency.p50_us),
        Unit::Micros.show(load.latency.p99_us),
        put_off(&load)
    )))
}

impl Row {
    /// The goal is a ratio to the peer: without it the figure is only told.
    fn judged_only_with_a_peer(mut self) -> Self {
        self.note = format!("{}; {}", self.note, Restate::HOW_TO_INSTALL);
        self
    }
}

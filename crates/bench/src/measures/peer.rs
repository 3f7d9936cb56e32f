//! B3: the same events, in the same minute, through Restate.

use super::events::Ticking;
use super::{B3, Bench, CONNECTIONS};
use crate::error::{Error, Result};
use crate::floors::Restate;
use crate::report::{Figure, Goal, Row, Unit};

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let Some(folder) = &bench.options.restate else {
        return Err(Error::Missing(Restate::HOW_TO_INSTALL.into()));
    };
    let restate = Restate::start(folder, bench.folder)?;
    let ticking = Ticking::start(bench)?;
    let mut rows = Vec::new();
    restate.send(bench, CONNECTIONS, 500)?;
    ticking.send(bench, CONNECTIONS, (20_000, 1))?;
    for connections in [64, 256] {
        rows.extend(against(bench, (&restate, &ticking), connections)?);
    }
    ticking.server.stop()?;
    Ok(rows)
}

fn against(
    bench: &Bench<'_>,
    (restate, ticking): (&Restate, &Ticking),
    connections: u32,
) -> Result<[Row; 2]> {
    let form = bench.options.form;
    let (mut peers, mut singles, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=form.pick(2, 3) {
        bench.say(&format!("B3 round {round} over {connections} connections: Restate, Evoke"));
        peers.push(restate.send(bench, connections, form.pick(5_000, 20_000))?);
        let count = form.pick(60_000, 200_000);
        singles.push(ticking.send(bench, connections, (count, 1))?.events_per_second);
        batches.push(ticking.send(bench, connections.min(8), (count, 100))?.events_per_second);
    }
    let row = |what: String, rates: &[f64], goal| {
        let name = format!("Restate, one-way, {connections} connections");
        Row::told(B3, what, Figure::of(rates, Unit::PerSecond))
            .against(name, Figure::of(&peers, Unit::PerSecond), Unit::Times)
            .judged(goal)
    };
    Ok([
        row(
            format!("single POSTs over {connections} connections against Restate"),
            &singles,
            Goal::at_least(10.0, 25.0),
        ),
        row("batches of 100 against Restate".into(), &batches, Goal::at_least(20.0, 40.0)),
    ])
}

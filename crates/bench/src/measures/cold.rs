//! B8: the first answer of a function nobody has called, beside a bare `node` from its start to its
//! first answer.

use std::time::{Duration, Instant};

use super::{B8, Bench};
use crate::error::{Error, Result};
use crate::floors::{Language, spawn_to_answer};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Control, Function, Project};

/// Deployment has started a worker of each function to see that its code loads. With this setting
/// they are soon gone, and nothing is left but what the platform keeps for all.
const SETTINGS: &str = "[runtimes]\nidle = \"1s\"\n";
/// By then they are.
const REAP_WAIT_MAX: Duration = Duration::from_secs(60);

const BODY: &str = r#"{"name":"cold"}"#;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let count = bench.options.form.pick(8, 30);
    let project = Project::new(bench.folder)?;
    project.configure(SETTINGS)?;
    let runtime = Language::Node.runtime()?;
    for number in 0..count {
        project.add(&Function {
            name: &format!("cold{number}"),
            runtime: &runtime,
            manifest: &format!(
                "handler: index.handler\nscaling: {{ minInstances: 0 }}\n\
                 triggers:\n  - {{ type: http, path: /cold{number}, methods: [POST] }}\n"
            ),
            code: include_str!("../../assets/cold.mjs"),
        })?;
    }
    let server = bench.serve(&project)?;
    let starts = || server.control.metrics().map(|all| all.sum("evoke_cold_starts_total", &[]));
    wait_until_cold(&server.control)?;
    let before = starts()?;
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for number in 0..count {
        bench.say(&format!("B8 cold start {} of {count}", number + 1));
        floors.push(spawn_to_answer(Language::Node, bench.folder)?.as_secs_f64() * 1e3);
        let began = Instant::now();
        server.control.json("POST", &format!("/cold{number}"), BODY)?;
        ours.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let started = starts()? - before;
    server.stop()?;
    if started < f64::from(count) {
        return Err(Error::Wrong(format!("only {started} of {count} calls were cold")));
    }
    let what = "cold start of a Node function, call to answer";
    Ok(vec![
        Row::told(B8, what, Figure::of(&ours, Unit::Millis))
            .against("bare node", Figure::of(&floors, Unit::Millis), Unit::Times)
            .judged(Goal::at_most(1.25, 0.25)),
    ])
}

/// Waits until no function has a worker.
fn wait_until_cold(control: &Control) -> Result<()> {
    let until = Instant::now() + REAP_WAIT_MAX;
    loop {
        let workers = control.metrics()?.sum("evoke_workers", &[]);
        if workers == 0.0 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Error::Wrong(format!("{workers} idle workers were not ended")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

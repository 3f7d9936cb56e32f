//! B14: what each policy costs: the events of B2 through the same function, under a trigger with
//! one policy, between two loads under a trigger without any.

use std::fmt::Write as _;

use super::events::{Events, Recorded, Ticking};
use super::{B14, Bench};
use crate::error::Result;
use crate::floors::Language;
use crate::report::{Figure, Row, Unit};
use crate::server::{Function, Project};

/// Connections, and events of one request: as in B2, where the least of the time goes to
/// connections and the most to what a policy can make dearer.
const CONNECTIONS: u32 = 8;
const BATCH: usize = 100;

/// A trigger with one policy.
struct Case {
    /// The last word of the type it takes.
    name: &'static str,
    what: &'static str,
    /// The policy as a manifest has it.
    policy: &'static str,
}

const PLAIN: Case = Case { name: "plain", what: "no policy", policy: "" };

/// The policies, each as it is when it holds nothing back: what is measured is the machinery.
const CASES: [Case; 11] = [
    Case {
        name: "filter",
        what: "filter that takes all",
        policy: "filter: event.data.total > 100.0",
    },
    Case {
        name: "idempotency",
        what: "idempotency, all keys new",
        policy: "idempotency: { key: event.data.n }",
    },
    Case {
        name: "debounce",
        what: "debounce of 1 ms, all keys new",
        policy: "debounce: { wait: 1ms, key: event.data.n }",
    },
    Case {
        name: "order",
        what: "order_by, 1,000 keys",
        policy: "order_by: int(event.data.n) % 1000",
    },
    Case { name: "batch", what: "batch of 50", policy: "batch: { size: 50, wait: 5ms }" },
    Case {
        name: "concurrency",
        what: "concurrency by key, 1,000 keys",
        policy: "concurrency: { limit: 50, key: int(event.data.n) % 1000 }",
    },
    Case {
        name: "rate",
        what: "rate that never binds",
        policy: "rate: { limit: 1000000, per: 1s }",
    },
    Case {
        name: "rate_key",
        what: "rate by key that never binds, 1,000 keys",
        policy: "rate: { limit: 1000000, per: 1s, key: int(event.data.n) % 1000 }",
    },
    Case {
        name: "priority",
        what: "priority by CEL",
        policy: "priority: \"int(event.data.n) % 2 == 0 ? 60 : 0\"",
    },
    Case {
        name: "transform",
        what: "transform",
        policy: "transform: \"{'n': event.data.n, 'skus': event.data.items.map(i, i.sku)}\"",
    },
    Case {
        name: "dead_letter",
        what: "dead_letter that publishes, unused",
        policy: "dead_letter: { publish: bench.dead }",
    },
];

/// What was found under one policy, and beside it.
#[derive(Default)]
struct Found {
    rates: Vec<f64>,
    floors: Vec<f64>,
    cpu_us: Vec<f64>,
    floors_cpu_us: Vec<f64>,
}

/// The server, and how many events it was sent: keys are made of their numbers.
struct Sender<'a> {
    bench: &'a Bench<'a>,
    ticking: Ticking,
    sent: u64,
}

impl Sender<'_> {
    fn send(&mut self, case: &Case, count: u64) -> Result<Recorded> {
        let kind = format!("bench.{}", case.name);
        let events = Events { kind: &kind, count, size: BATCH, first: self.sent };
        self.sent += count;
        self.ticking.send_some(self.bench, CONNECTIONS, events)
    }
}

fn add_function(project: &Project) -> Result<()> {
    let mut manifest = "handler: index.handler\n\
        scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 256 }\n\
        triggers:\n"
        .to_owned();
    for Case { name, policy, .. } in [&PLAIN].into_iter().chain(&CASES) {
        // Writing to a String cannot fail.
        write!(manifest, "  - type: event\n    match: bench.{name}\n    {policy}\n").ok();
    }
    project.add(&Function {
        name: "busy",
        runtime: &Language::Node.runtime()?,
        manifest: &manifest,
        code: include_str!("../../assets/busy.mjs"),
    })
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let (rounds, count) = (bench.options.form.pick(3, 7), bench.options.form.pick(50_000, 200_000));
    let project = Project::new(bench.folder)?;
    add_function(&project)?;
    let mut sender = Sender { bench, ticking: Ticking::on(bench, project)?, sent: 0 };
    bench.say("B14 warming up");
    sender.send(&PLAIN, count)?;
    let mut found: Vec<Found> = CASES.iter().map(|_| Found::default()).collect();
    for round in 1..=rounds {
        let mut before = sender.send(&PLAIN, count)?;
        for (case, found) in CASES.iter().zip(&mut found) {
            bench.say(&format!("B14 round {round} of {rounds}: {}, then no policy", case.what));
            let with = sender.send(case, count)?;
            let after = sender.send(&PLAIN, count)?;
            found.rates.push(with.events_per_second);
            found.floors.push(f64::midpoint(before.events_per_second, after.events_per_second));
            found.cpu_us.push(with.cpu_us[0]);
            found.floors_cpu_us.push(f64::midpoint(before.cpu_us[0], after.cpu_us[0]));
            before = after;
        }
    }
    sender.ticking.server.stop()?;
    Ok(CASES.iter().zip(&found).map(|(case, found)| found.row(case)).collect())
}

impl Found {
    fn row(&self, case: &Case) -> Row {
        let what = format!("batches of 100: {}", case.what);
        let of = |values: &[f64], unit| Figure::of(values, unit);
        let cpu = of(&self.cpu_us, Unit::Micros).median;
        let floor = of(&self.floors_cpu_us, Unit::Micros).median;
        Row::told(B14, what, of(&self.rates, Unit::PerSecond))
            .against(PLAIN.what, of(&self.floors, Unit::PerSecond), Unit::Share)
            .note(format!(
                "CPU of the server per event {cpu:.1} µs, {floor:.1} µs without: {:.2}x",
                cpu / floor.max(0.1)
            ))
    }
}

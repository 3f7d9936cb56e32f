//! B17: documents created over HTTP, each with a function behind it, in lists, one by one and at a
//! fixed rate, beside the raw store writing the same rows; and with a hook in front.

use serde_json::Value;

use super::events::{Recorded, Ticking, put_off};
use super::{Amount, B17, Bench, CONNECTIONS, post};
use crate::error::{Error, Result};
use crate::floors::{self, Language};
use crate::load::{LoadSpec, PLACEHOLDER, Pace, Request};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Function, Project};

/// Documents of one request, and the connections that send such lists.
const LIST: usize = 100;
const LIST_CONNECTIONS: u32 = 4;
/// A load ends by then, with however many documents.
const LOAD_MAX_MILLIS: u64 = 60_000;
/// The rate of the open loop.
const PER_SECOND: u32 = 1_000;

/// Collections of their own, so that no load inherits the size of another's table.
const LISTS: &str = "lists";
const SINGLES: &str = "singles";
const PACED: &str = "paced";
const HOOKED: &str = "hooked";

/// A server whose function runs behind each document, and how many documents it was given.
struct Creating<'a> {
    bench: &'a Bench<'a>,
    ticking: Ticking,
}

/// Documents to be created with closed loops.
#[derive(Clone, Copy)]
struct Load {
    collection: &'static str,
    /// How many go in one request.
    size: usize,
    connections: u32,
    /// How many in all.
    count: u64,
}

/// What the rounds of a load found.
#[derive(Default)]
struct Found {
    rates: Vec<f64>,
    floors: Vec<f64>,
    note: String,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let form = bench.options.form;
    let creating = Creating::start(bench)?;
    let lists = Load {
        collection: LISTS,
        size: LIST,
        connections: LIST_CONNECTIONS,
        count: form.pick(60_000, 300_000),
    };
    let singles = Load {
        collection: SINGLES,
        size: 1,
        connections: CONNECTIONS,
        count: form.pick(30_000, 150_000),
    };
    let hooked = Load { collection: HOOKED, count: form.pick(20_000, 100_000), ..singles };
    let in_lists = creating.beside_floor("lists of 100", lists)?;
    let one_by_one = creating.beside_floor("single creates", singles)?;
    let paced = creating.open_loop()?;
    let asked = creating.rounds("with a hook", hooked, || Ok(None))?;
    creating.ticking.server.stop()?;
    let what = "documents created/s in lists of 100 over 4 connections, Node function, recorded";
    let mut rows = in_lists.rows(what, Goal::at_least(10_000.0, 20_000.0)).to_vec();
    let what = "documents created/s one by one over 64 connections, Node function, recorded";
    rows.extend(one_by_one.rows(what, Goal::at_least(3_000.0, 10_000.0)));
    rows.push(paced);
    let what = "documents created/s one by one over 64 connections, one Node hook before each";
    rows.push(
        Row::told(B17, what, asked.rate())
            .against("a function behind instead", one_by_one.rate(), Unit::Times)
            .note(asked.note),
    );
    Ok(rows)
}

impl<'a> Creating<'a> {
    fn start(bench: &'a Bench<'a>) -> Result<Self> {
        let project = Project::new(bench.folder)?;
        let runtime = Language::Node.runtime()?;
        let manifest = |trigger: &str| {
            format!(
                "handler: index.handler\n\
                 scaling: {{ minInstances: 1, maxInstances: 1, targetConcurrency: 256 }}\n\
                 triggers:\n  - {{ type: database, events: [create], {trigger} }}\n"
            )
        };
        project.add(&Function {
            name: "created",
            runtime: &runtime,
            manifest: &manifest(&format!("collection: [{LISTS}, {SINGLES}, {PACED}]")),
            code: include_str!("../../assets/created.mjs"),
        })?;
        project.add(&Function {
            name: "agree",
            runtime: &runtime,
            manifest: &manifest(&format!("collection: {HOOKED}, mode: sync")),
            code: include_str!("../../assets/agree.mjs"),
        })?;
        let ticking = Ticking::on(bench, project)?;
        for collection in [LISTS, SINGLES, PACED, HOOKED] {
            ticking.server.control.json("PUT", &format!("/api/collections/{collection}"), "{}")?;
        }
        Ok(Self { bench, ticking })
    }

    /// A load in rounds, each behind one of the raw store with as many documents in a transaction
    /// as the load has under way at once, which is the most the server can commit together.
    fn beside_floor(&self, what: &str, load: Load) -> Result<Found> {
        let count = self.bench.options.form.pick(60_000, 150_000);
        let size = load.size * load.connections as usize;
        self.rounds(what, load, || {
            floors::create_documents(self.bench.folder, (&document(), size), count).map(Some)
        })
    }

    fn rounds(
        &self,
        what: &str,
        load: Load,
        floor: impl Fn() -> Result<Option<f64>>,
    ) -> Result<Found> {
        let rounds = self.bench.options.form.pick(3, 7);
        self.bench.say(&format!("B17 {what}, warming up"));
        self.create(Load { count: load.count / 10, ..load })?;
        let mut found = Found::default();
        for round in 1..=rounds {
            self.bench.say(&format!("B17 {what}, round {round} of {rounds}"));
            found.floors.extend(floor()?);
            let recorded = self.create(load)?;
            found.rates.push(recorded.events_per_second);
            let accepted = recorded.load.per_second() * load.size as f64;
            found.note = format!(
                "answered {}; {}",
                Unit::PerSecond.show(accepted),
                recorded.note("document")
            );
        }
        Ok(found)
    }

    /// Creates documents and waits until what they started is recorded.
    fn create(&self, load: Load) -> Result<Recorded> {
        let before = self.count(load.collection)?;
        let amount = Amount {
            millis: Some(LOAD_MAX_MILLIS),
            ..Amount::requests(load.connections, load.count / load.size as u64)
        };
        let request = self.request(load.collection, load.size);
        let recorded = self.ticking.carry_out(self.bench, (request, load.size), amount)?;
        self.check(load.collection, before + recorded.load.ok * load.size as u64)?;
        Ok(recorded)
    }

    fn request(&self, collection: &str, size: usize) -> Request {
        let body = match size {
            1 => document(),
            _ => format!("[{}]", vec![document(); size].join(",")),
        };
        post(&self.ticking.server.control, &documents(collection), body)
    }

    /// Documents due at a fixed rate, whatever the server does.
    fn open_loop(&self) -> Result<Row> {
        let seconds = self.bench.options.form.pick(10, 60);
        self.bench.say(&format!("B17 open loop for {seconds} s"));
        self.create(Load { collection: PACED, size: 1, connections: CONNECTIONS, count: 2_000 })?;
        let before = self.count(PACED)?;
        let Ticking { server, record, .. } = &self.ticking;
        let after = record.newest()?.event;
        let load = self.bench.load(&LoadSpec {
            address: server.control.address,
            connections: CONNECTIONS,
            request: self.request(PACED, 1),
            pace: Pace::Open { per_second: PER_SECOND },
            requests: None,
            millis: Some(seconds * 1_000),
            first: 0,
        })?;
        self.ticking.recorded()?;
        self.ticking.check(after, load.ok, &load)?;
        self.check(PACED, before + load.ok)?;
        let waits = record.event_to_handler(after)?;
        let show = |micros| Unit::Micros.show(micros);
        let what = "open loop, 1,000 documents created/s: event to handler start, p99";
        Ok(Row::told(B17, what, Figure::once(waits.p99_us / 1e3, Unit::Millis))
            .judged(Goal::at_most(100.0, 10.0))
            .note(format!(
                "{seconds} s at {}; handler start p50 {}, p99.9 {}, max {}; answered after p50 \
                 {}, p99 {}{}",
                Unit::PerSecond.show(load.per_second()),
                show(waits.p50_us),
                show(waits.p999_us),
                show(waits.max_us),
                show(load.latency.p50_us),
                show(load.latency.p99_us),
                put_off(&load)
            )))
    }

    /// How many documents a collection has.
    fn count(&self, collection: &str) -> Result<u64> {
        let path = format!("/api/collections/{collection}/count");
        let answer = self.ticking.server.control.json("POST", &path, "{}")?;
        let count = answer.get("count").and_then(Value::as_u64);
        count.ok_or_else(|| Error::Answer { what: path, answer: answer.to_string() })
    }

    /// Every document that was answered is there, and no other.
    fn check(&self, collection: &str, expected: u64) -> Result<()> {
        match self.count(collection)? {
            count if count == expected => Ok(()),
            count => {
                let what = format!("{collection} has {count} documents, {expected} were answered");
                Err(Error::Wrong(what))
            }
        }
    }
}

impl Found {
    fn rate(&self) -> Figure {
        Figure::of(&self.rates, Unit::PerSecond)
    }

    /// What is judged, and what it is against the raw store.
    fn rows(&self, what: &str, goal: Goal) -> [Row; 2] {
        let floor = Figure::of(&self.floors, Unit::PerSecond);
        [
            Row::told(B17, what, self.rate()).judged(goal).note(self.note.clone()),
            Row::told(B17, "the same against the raw store", self.rate()).against(
                "SQLite on one thread",
                floor,
                Unit::Share,
            ),
        ]
    }
}

fn documents(collection: &str) -> String {
    format!("/api/collections/{collection}/documents")
}

/// One document, as large as the payload of the events of B1.
fn document() -> String {
    format!(
        r#"{{"run":"bench","n":"{PLACEHOLDER}","customer":"cus_81","total":129.95,"currency":"EUR","items":[{{"sku":"A-1","quantity":2}},{{"sku":"B-7","quantity":1}}],"note":"as large as the floor's"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_rate_is_judged_and_the_floor_is_told() {
        let found = Found {
            rates: vec![9_000.0, 12_000.0, 15_000.0],
            floors: vec![48_000.0],
            note: String::new(),
        };
        for (must, verdict) in [(10_000.0, Verdict::Must), (13_000.0, Verdict::Missed)] {
            let [judged, told] = found.rows("x", Goal::at_least(must, 20_000.0));
            assert_eq!((judged.verdict, told.verdict), (verdict, Verdict::Told));
            assert_eq!(judged.score.map(|score| score.value), Some(12_000.0));
            assert_eq!(told.score.map(|score| score.value), Some(0.25));
        }
    }
}

//! B15: how long a single event waits for its handler while another trigger works off a long queue,
//! with the same function and with another one.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::events::{accepted, recorded};
use super::{Amount, B15, Bench, batch, event, post};
use crate::error::{Error, Result, Tried};
use crate::floors::Language;
use crate::histogram::Histogram;
use crate::load::Wire;
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Function, Project, Record, Server};

/// Between two single events of the same trigger.
const EVERY: Duration = Duration::from_millis(50);
/// The triggers whose single events are followed: one of the function with the queue, one of
/// another function.
const SINGLES: [(&str, &str); 2] =
    [("bench.same", "the same function"), ("bench.other", "another function")];
/// The events of one request that fills the queue.
const BATCH: usize = 100;
/// A queue that is shorter than this is about to end.
const NEARLY_DONE: u64 = 2_000;

/// A queue that is worked off.
struct Case {
    what: &'static str,
    /// Calls at once.
    places: u32,
    /// What one of them waits for.
    call_ms: u64,
    /// How often the queue is filled and worked off.
    rounds: u32,
    /// For how long it is watched at most.
    watched: Duration,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let form = bench.options.form;
    let waiting = form.pick(100_000, 1_000_000);
    let cases = [
        Case {
            what: "32 calls of 10 ms at once",
            places: 32,
            call_ms: 10,
            rounds: 1,
            watched: Duration::from_secs(form.pick(15, 60)),
        },
        Case {
            what: "as fast as it goes",
            places: 256,
            call_ms: 0,
            rounds: form.pick(5, 3),
            watched: Duration::from_secs(120),
        },
    ];
    let mut rows = Vec::new();
    for case in &cases {
        rows.extend(beside_queue(bench, case, waiting)?);
    }
    Ok(rows)
}

/// A server with both functions and the trigger of the queue.
struct Queue<'a> {
    bench: &'a Bench<'a>,
    case: &'a Case,
    server: Server,
    record: Record,
    trigger: String,
    /// Dropped last: the folder goes with it.
    _project: Project,
}

impl<'a> Queue<'a> {
    fn start(bench: &'a Bench<'a>, case: &'a Case) -> Result<Self> {
        let project = Project::new(bench.folder)?;
        for (name, kind, places) in
            [("shared", SINGLES[0].0, case.places), ("other", SINGLES[1].0, 32)]
        {
            project.add(&Function {
                name,
                runtime: &Language::Node.runtime()?,
                manifest: &format!(
                    "handler: index.handler\n\
                     scaling: {{ minInstances: 1, maxInstances: 1, targetConcurrency: {places} }}\n\
                     triggers:\n  - {{ type: event, match: {kind} }}\n"
                ),
                code: include_str!("../../assets/busy.mjs"),
            })?;
        }
        let server = bench.serve(&project)?;
        let trigger = json!({
            "name": "queue",
            "type": "event",
            "config": { "match": "bench.queue" },
            "target": { "type": "function", "name": "shared" },
        });
        let made = server.control.json("POST", "/api/triggers", &trigger.to_string())?;
        let trigger = made["id"].as_str().unwrap_or_default().to_owned();
        let record = Record::open(&project.data())?;
        Ok(Self { bench, case, server, record, trigger, _project: project })
    }

    /// Lets everything wait that comes for the trigger of the queue, or nothing.
    fn hold(&self, rate: &serde_json::Value) -> Result<()> {
        let body = json!({ "policy": { "rate": rate } }).to_string();
        let path = format!("/api/triggers/{}", self.trigger);
        self.server.control.json("PATCH", &path, &body).map(drop)
    }

    fn fill(&self, waiting: u64) -> Result<()> {
        let wait = format!(r#""run":"bench","wait":{}"#, self.case.call_ms);
        let body = batch("bench.queue", BATCH).replace(r#""run":"bench""#, &wait);
        let request = post(&self.server.control, "/api/events", body);
        let amount = Amount::requests(8, waiting / BATCH as u64);
        let load = self.bench.closed(&self.server.control, request, amount)?;
        accepted(&load)
    }

    /// Sends single events to both triggers by turns as long as it is told to go on. Gives how long
    /// each sender waited for its answer, which is the part of the commit.
    fn send_singles(&self, go_on: impl Fn(Instant) -> Result<bool>) -> Result<Histogram> {
        let control = &self.server.control;
        let mut wire = Wire::connect(control.address).tried(|| "connect".into())?;
        let requests = SINGLES.map(|(kind, _)| {
            let body = event(kind);
            format!(
                "POST /api/events HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                control.address,
                body.len()
            )
        });
        let began = Instant::now();
        let mut turns = 0;
        let mut answers = Histogram::default();
        while go_on(began)? {
            for request in &requests {
                let due = began + (EVERY / 2) * turns;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                let answer = wire.exchange(request.as_bytes()).tried(|| "send an event".into())?;
                answers.record(sent.elapsed().as_nanos() as u64);
                if answer.status != 202 {
                    let answer = String::from_utf8_lossy(wire.body(answer)).into_owned();
                    return Err(Error::Answer { what: "POST /api/events".into(), answer });
                }
                turns += 1;
            }
        }
        Ok(answers)
    }

    /// From acceptance to the handler, for both triggers; every event has run by now.
    fn waits(&self, after: i64, sent: &Histogram) -> Result<[Histogram; 2]> {
        let sent = sent.summary().count / 2;
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let [same, other] = SINGLES.map(|(kind, _)| self.record.waits(kind, after));
            let waits = [same?, other?];
            let missing = waits.iter().any(|waits| waits.summary().count < sent);
            if !missing {
                return Ok(waits);
            }
            if Instant::now() > until {
                return Err(Error::Wrong(format!("not all of {sent} single events have run")));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn beside_queue(bench: &Bench<'_>, case: &Case, waiting: u64) -> Result<[Row; 2]> {
    let queue = Queue::start(bench, case)?;
    let for_seconds = |seconds: u64| move |began: Instant| Ok(began.elapsed().as_secs() < seconds);
    bench.say("B15 nothing waits");
    queue.send_singles(for_seconds(1))?;
    recorded(&queue.record)?;
    let after = queue.record.newest()?.event;
    let sent = queue.send_singles(for_seconds(bench.options.form.pick(10, 30)))?;
    let quiet = queue.waits(after, &sent)?;
    let mut busy = [Histogram::default(), Histogram::default()];
    let (mut took, mut answers) = (Vec::new(), Histogram::default());
    for round in 1..=case.rounds {
        bench.say(&format!("B15 {waiting} wait, {}, round {round}", case.what));
        queue.hold(&json!({ "limit": 1, "per": "7d" }))?;
        queue.fill(waiting)?;
        let after = queue.record.newest()?.event;
        queue.hold(&serde_json::Value::Null)?;
        let began = Instant::now();
        let sent = queue.send_singles(|began| {
            Ok(began.elapsed() < case.watched && queue.record.has_open(NEARLY_DONE)?)
        })?;
        took.push(began.elapsed().as_secs_f64());
        answers.merge(&sent);
        let waits = queue.waits(after, &sent)?;
        busy.iter_mut().zip(&waits).for_each(|(all, some)| all.merge(some));
        if round < case.rounds {
            recorded(&queue.record)?;
        }
    }
    let note = format!(
        "{waiting} waited; watched for {} a round; answered after p50 {}, p99 {}",
        Figure::of(&took, Unit::Seconds),
        Unit::Micros.show(answers.summary().p50_us),
        Unit::Micros.show(answers.summary().p99_us)
    );
    // What still waits is not waited for.
    queue.server.kill()?;
    Ok([0, 1].map(|place| row(SINGLES[place].1, case, [&busy[place], &quiet[place]]).noted(&note)))
}

fn row(function: &str, case: &Case, [busy, quiet]: [&Histogram; 2]) -> Row {
    let [busy, quiet] = [busy.summary(), quiet.summary()];
    let millis = |micros: f64| Figure::once(micros / 1e3, Unit::Millis);
    let what = format!(
        "single events of {function} beside a queue, {}: acceptance to handler start, p99",
        case.what
    );
    Row::told(B15, what, millis(busy.p99_us))
        .above("nothing waits", millis(quiet.p99_us))
        .judged(Goal::at_most(50.0, 10.0))
        .note(format!(
            "p50 {}, {} without the queue; max {}, {}; {} events, {}",
            Unit::Micros.show(busy.p50_us),
            Unit::Micros.show(quiet.p50_us),
            Unit::Micros.show(busy.max_us),
            Unit::Micros.show(quiet.max_us),
            busy.count,
            quiet.count
        ))
}

impl Row {
    fn noted(mut self, more: &str) -> Self {
        self.note = format!("{}; {more}", self.note);
        self
    }
}

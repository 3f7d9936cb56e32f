//! B6, B7 and B9: synchronous calls of HTTP functions, beside the bare language servers.

use std::time::Duration;

use super::{Amount, B6, B7, B9, Bench, CONNECTIONS, post};
use crate::error::{Error, Result, Tried};
use crate::floors::{Bare, Language};
use crate::load::{LoadReport, LoadSpec, Pace};
use crate::report::{Figure, Goal, Row, Unit};
use crate::server::{Control, Function, Project, Server};

const BODY: &str = r#"{"name":"world"}"#;

pub(super) fn measure(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for language in [Language::Node, Language::Bun] {
        match of_language(bench, language) {
            Ok(measured) => rows.extend(measured),
            Err(Error::Missing(why)) => {
                let what = format!("a {} function", language.program());
                rows.push(Row::skipped(B6, what, why));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

fn of_language(bench: &Bench<'_>, language: Language) -> Result<Vec<Row>> {
    let bare = Bare::start(language, bench.folder)?;
    let project = Project::new(bench.folder)?;
    add_hello(&project, language)?;
    let server = bench.serve(&project)?;
    server.control.until_ok("POST", "/hello", BODY)?;
    let mut rows = Vec::new();
    if bench.wants(B6) {
        rows.push(throughput(bench, language, (&server, &bare))?);
    }
    if bench.wants(B7) && language == Language::Node {
        rows.push(added_latency(bench, (&server, &bare))?);
    }
    server.stop()?;
    Ok(rows)
}

fn add_hello(project: &Project, language: Language) -> Result<()> {
    project.add(&Function {
        name: "hello",
        runtime: &language.runtime()?,
        manifest: "handler: index.handler\n\
                   scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 256 }\n\
                   triggers:\n  - { type: http, path: /hello, methods: [POST] }\n",
        code: include_str!("../../assets/hello.mjs"),
    })
}

/// Calls over so many connections; every one has to be answered with 2xx.
fn calls(bench: &Bench<'_>, to: &Control, path: &str, amount: Amount) -> Result<LoadReport> {
    let load = bench.closed(to, post(to, path, BODY), amount)?;
    match (load.failed(), &load.first_trouble) {
        (0, _) => Ok(load),
        (count, trouble) => Err(Error::Wrong(format!(
            "{count} calls of {path} failed: {}",
            trouble.as_deref().unwrap_or("without a word")
        ))),
    }
}

fn throughput(
    bench: &Bench<'_>,
    language: Language,
    (server, bare): (&Server, &Bare),
) -> Result<Row> {
    let (rounds, millis) = (bench.options.form.pick(2, 5), bench.options.form.pick(1_500, 5_000));
    let (mut floors, mut rates, mut note) = (Vec::new(), Vec::new(), String::new());
    let run =
        |to: &Control, path, millis| calls(bench, to, path, Amount::millis(CONNECTIONS, millis));
    run(&bare.control, "/", 700)?;
    run(&server.control, "/hello", 700)?;
    for round in 1..=rounds {
        let bare_name = language.server();
        bench.say(&format!("B6 round {round} of {rounds}: {bare_name}, then Evoke"));
        floors.push(run(&bare.control, "/", millis)?.per_second());
        let before = server.cpu_ms();
        let load = run(&server.control, "/hello", millis)?;
        let cpu = server.cpu_ms();
        let each = |ms: u64| ms as f64 * 1e3 / load.ok.max(1) as f64;
        note = format!(
            "p50 {}, p99 {}; CPU per call: server {:.1} µs, worker {:.1} µs, load generator {:.1} µs",
            Unit::Micros.show(load.latency.p50_us),
            Unit::Micros.show(load.latency.p99_us),
            each(cpu.0 - before.0),
            each(cpu.1 - before.1),
            each(load.cpu_ms)
        );
        rates.push(load.per_second());
    }
    let goal = match language {
        Language::Node => Goal::at_least(0.7, 1.1),
        Language::Bun => Goal::at_least(0.5, 0.75),
    };
    let what = format!("synchronous {} function over 64 connections", language.program());
    Ok(Row::told(B6, what, Figure::of(&rates, Unit::PerSecond))
        .against(language.server(), Figure::of(&floors, Unit::PerSecond), Unit::Times)
        .judged(goal)
        .note(note))
}

fn added_latency(bench: &Bench<'_>, (server, bare): (&Server, &Bare)) -> Result<Row> {
    let (rounds, count) = (bench.options.form.pick(3, 7), bench.options.form.pick(3_000, 10_000));
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        bench.say(&format!("B7 round {round} of {rounds}"));
        let one = Amount::requests(1, count);
        floors.push(calls(bench, &bare.control, "/", one)?.latency.p50_us);
        ours.push(calls(bench, &server.control, "/hello", one)?.latency.p50_us);
    }
    Ok(Row::told(B7, "one call at a time, p50, over node:http", Figure::of(&ours, Unit::Micros))
        .above("node:http", Figure::of(&floors, Unit::Micros))
        .judged(Goal::at_most(300.0, 60.0)))
}

/// B9: a thousand calls that wait, at once, to one function.
pub(super) fn in_flight(bench: &Bench<'_>) -> Result<Vec<Row>> {
    const CALLS: u32 = 1_000;
    let project = Project::new(bench.folder)?;
    project.add(&Function {
        name: "wait",
        runtime: &Language::Node.runtime()?,
        manifest: "handler: index.handler\n\
                   scaling: { minInstances: 1, maxInstances: 1, targetConcurrency: 1000 }\n\
                   triggers:\n  - { type: http, path: /wait, methods: [POST] }\n",
        code: include_str!("../../assets/wait.mjs"),
    })?;
    let server = bench.serve(&project)?;
    server.control.until_ok("POST", "/wait", BODY)?;
    let before = server.rss_bytes();
    let seconds = bench.options.form.pick(5, 20);
    bench.say(&format!("B9 1,000 calls in flight for {seconds} s"));
    let spec = LoadSpec {
        address: server.control.address,
        connections: CALLS,
        request: post(&server.control, "/wait", BODY),
        pace: Pace::Closed,
        requests: Some(u64::from(CALLS) * seconds),
        millis: None,
        first: 0,
    };
    let running = bench.options.generator.start(&spec).tried(|| "start the load".into())?;
    std::thread::sleep(Duration::from_millis(2_500));
    let extra = server.rss_bytes().saturating_sub(before) as f64 / 1_048_576.0;
    let load = running.wait().tried(|| "run the load generator".into())?;
    server.stop()?;
    if load.failed() > 0 {
        let trouble = load.first_trouble.unwrap_or_default();
        return Err(Error::Wrong(format!("{} waiting calls failed: {trouble}", load.broken)));
    }
    let what = "1,000 calls in flight to one function that waits 1 s";
    let ideal = Figure::once(f64::from(CALLS), Unit::PerSecond);
    Ok(vec![
        Row::told(B9, what, Figure::once(load.per_second(), Unit::PerSecond))
            .against("ideal", ideal, Unit::Share)
            .judged(Goal::at_least(0.9, 0.98))
            .note(format!("p99 {}", Unit::Micros.show(load.latency.p99_us))),
        Row::told(B9, "extra memory of the server", Figure::once(extra, Unit::Megabytes))
            .judged(Goal::at_most(64.0, 16.0)),
    ])
}

//! Asking the peers. Whoever has no answer, because the expression is refused or never fires, has
//! an empty one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use evoke_model::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde_json::{Value, json};

use crate::cases::Case;

/// How many instants are asked for.
pub const COUNT: usize = 5;

/// Croner for Rust.
pub fn croner_rs(case: &Case) -> Vec<Timestamp> {
    let Ok(cron) = case.expression.parse::<croner::Cron>() else { return Vec::new() };
    let zone = TimeZoneDatabase::bundled().get(case.zone).expect("a zone");
    let mut at =
        jiff::Timestamp::from_microsecond(start(case).as_micros()).expect("a time").to_zoned(zone);
    let next = || {
        at = cron.find_next_occurrence(&at, false).ok()?;
        Some(Timestamp::from_micros(at.timestamp().as_microsecond()))
    };
    std::iter::from_fn(next).take(COUNT).collect()
}

/// A package from npm, as `peers.mjs` calls it.
pub fn of_npm(peer: &str, cases: &[Case]) -> Vec<Vec<Timestamp>> {
    let mut node = Command::new(tools().join("bin/node22"));
    node.arg(script("peers.mjs")).arg(tools().join("node_modules/"));
    ask(&mut node, peer, cases)
}

/// Croniter, from PyPI, with the tz database from there.
pub fn croniter(cases: &[Case]) -> Vec<Vec<Timestamp>> {
    let mut python = Command::new(tools().join("venv/bin/python"));
    python.arg(script("peers.py")).env("PYTHONTZPATH", "");
    ask(&mut python, "croniter", cases)
}

/// When a case begins.
pub fn start(case: &Case) -> Timestamp {
    case.start.parse().expect("a time")
}

fn tools() -> PathBuf {
    std::env::var_os("EVOKE_TOOLS").map(PathBuf::from).expect("cargo sets EVOKE_TOOLS")
}

fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/differential", name].iter().collect()
}

fn ask(command: &mut Command, peer: &str, cases: &[Case]) -> Vec<Vec<Timestamp>> {
    let questions: String =
        cases.iter().map(|case| format!("{}\n", question(peer, case))).collect();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("cargo xtask setup installs what {command:?} needs: {error}")
        });
    let mut stdin = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "cargo xtask setup installs {peer}");
    writer.join().expect("no panic").expect("all is asked");
    let answers: Vec<_> = output.stdout.split(|byte| *byte == b'\n').filter_map(answer).collect();
    assert_eq!(answers.len(), cases.len());
    answers
}

fn question(peer: &str, case: &Case) -> Value {
    json!({
        "peer": peer,
        "expression": case.expression,
        "zone": case.zone,
        "start": start(case).as_millis(),
        "count": COUNT,
    })
}

fn answer(line: &[u8]) -> Option<Vec<Timestamp>> {
    let answer: Value = serde_json::from_slice(line).ok()?;
    let instants = answer["instants"].as_array().cloned().unwrap_or_default();
    Some(instants.iter().filter_map(Value::as_i64).map(Timestamp::from_millis).collect())
}

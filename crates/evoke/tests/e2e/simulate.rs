//! `evoke schedules simulate`: what schedules will do, without a server and without waiting.

use std::path::Path;
use std::process::{Command, Output};

use evoke_testkit::server::write_files;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::BINARY;

const NIGHTLY: &str = r#"
name: nightly
runtime: node
timeout: 15m
triggers:
  - type: schedule
    name: report
    cron: "30 2 * * *"
    timezone: Europe/Berlin
    retry: { attempts: 2, backoff: fixed, initial: 10m, jitter: false }
  - { type: schedule, name: sync, cron: "*/10 * * * *", skip_if_running: true }
  - { type: schedule, name: off, every: 1m, enabled: false }
"#;

fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("functions/nightly/function.yaml", NIGHTLY),
        ("functions/nightly/index.mjs", "export async function handler() {}\n"),
    ];
    write_files(folder.path(), &files);
    folder
}

fn simulate(project: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["schedules", "simulate", "--dir"]).arg(project).args(args);
    command.output().expect("the command runs")
}

#[test]
fn months_are_told_at_once_by_the_clock_of_the_zone() {
    let project = project();
    let args = ["--from", "2027-03-27", "--days", "60", "--zone", "Europe/Berlin"];
    let args = [&args[..], &["--schedule", "report", "-o", "json"]].concat();
    let output = simulate(project.path(), &args);
    let timeline: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let totals = timeline["totals"].as_array().expect("totals");
    let names: Vec<_> = totals.iter().filter_map(|total| total["trigger"].as_str()).collect();
    assert_eq!(names, ["report"]);
    assert_eq!(totals[0]["fired"], 60);
    let entries = timeline["entries"].as_array().expect("entries");
    let fired = |day: &str| {
        let of = |entry: &&Value| {
            entry["what"] == "fired"
                && entry["trigger"] == "report"
                && entry["at"].as_str().is_some_and(|at| at.starts_with(day))
        };
        entries.iter().find(of).map(|entry| entry["at"].as_str().unwrap_or_default())
    };
    assert_eq!(fired("2027-03-27"), Some("2027-03-27T02:30:00+01:00"));
    assert_eq!(fired("2027-03-28"), Some("2027-03-28T03:00:00+02:00"), "right after the gap");
    assert!(!project.path().join(".evoke/evoke.db").exists(), "no store is made");
}

#[test]
fn retries_and_overlaps_are_told_for_people() {
    let project = project();
    let args = [
        "--from",
        "2027-01-01T00:00:00Z",
        "--days",
        "1",
        "--takes",
        "sync=12m",
        "--takes",
        "report=5m",
        "--fail-first",
        "report=2",
    ];
    let output = simulate(project.path(), &args);
    let text = String::from_utf8(output.stdout).expect("text");
    for line in [
        "2027-01-01 01:30:00  report  fires",
        "2027-01-01 01:35:00  report  attempt 1 fails, again at 2027-01-01 01:45:00",
        "2027-01-01 01:50:00  report  attempt 2 fails, the last",
        "2027-01-01 00:20:00  sync    is skipped: 1 were running, which is the limit",
        "2027-01-01 00:22:00  sync    succeeds",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(" off "), "what is off does not fire:\n{text}");
}

#[test]
fn what_is_wrong_is_told_with_the_nearest_name() {
    let project = project();
    for (args, told) in [
        (&["--schedule", "reprot"][..], "did you mean \"report\"?"),
        (&["--zone", "Europe/Berln"], "did you mean \"Europe/Berlin\"?"),
        (&["--takes", "report=5x"], "--takes: \"5x\""),
        (&["--takes", "nitghly=5m"], "did you mean \"nightly\"?"),
        (&["--from", "tomorrow"], "--from: "),
        (&["--days", "0"], "0 is not in 1..=3660"),
    ] {
        let output = simulate(project.path(), args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(told), "{args:?}: {told} is not in {text}");
        assert_eq!(output.status.code(), Some(1), "{text}");
    }
}

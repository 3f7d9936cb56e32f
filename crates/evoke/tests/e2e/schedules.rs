//! Schedules of the built binary: instants that really run functions, whatever happens to the
//! server meanwhile. What is compared are the instants that were recorded, not how long a test
//! took.

use std::collections::BTreeMap;
use std::time::Duration;

use evoke_model::{Millis, Timestamp};
use evoke_ports::{Clock, SystemClock};
use evoke_schedule::LATE_MAX;
use evoke_testkit::TestServer;
use serde_json::{Value, json};

use crate::commands::{gives, prints};
use crate::facts::{explained, printed, until};
use crate::kill9::all;
use crate::ordering::open;
use crate::pages::{files, steps, walk};
use crate::support::dev;

const SECOND: Millis = Millis::from_secs(1);
const QUICK: &str = "export const handler = (event) => event.data.scheduled_time;\n";

/// A handler that waits until a file is there.
const GATED: &str = "import { existsSync } from 'node:fs';\n\
     export const handler = async () => {\n  while (!existsSync(process.cwd() + '/../../gate'))\n    \
     await new Promise((done) => setTimeout(done, 10));\n  return 'slow';\n};\n";

/// A manifest with these triggers.
fn manifest(triggers: &[Value]) -> String {
    json!({ "runtime": "node", "triggers": triggers }).to_string()
}

/// A function with these triggers and this code.
async fn serve(triggers: &[Value], code: &str) -> TestServer {
    let manifest = manifest(triggers);
    dev(&[("functions/f/function.json", &manifest), ("functions/f/index.mjs", code)]).await
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("a time: {value}"))
}

async fn shown(server: &TestServer, name: &str) -> Value {
    server.get(&format!("/api/schedules/{name}")).await.expect(200).json()
}

/// What the occurrences of a schedule told, oldest first.
async fn occurrences(server: &TestServer, name: &str) -> Vec<Value> {
    let mut events = all(server, &format!("events?type=schedule.{name}")).await;
    events.sort_by_key(|event| time(&event["data"]["scheduled_time"]));
    events.into_iter().map(|event| event["data"].clone()).collect()
}

/// Waits until so many occurrences fired.
async fn fired(server: &TestServer, name: &str, count: usize) -> Vec<Value> {
    until(&format!("{name} fired {count} times"), async || {
        let told = occurrences(server, name).await;
        (told.len() >= count).then_some(told)
    })
    .await
}

fn instants(told: &[Value]) -> Vec<Timestamp> {
    told.iter().map(|told| time(&told["scheduled_time"])).collect()
}

/// Each instant follows the one before it by this.
fn follow(instants: &[Timestamp], step: Millis) {
    for pair in instants.windows(2) {
        assert_eq!(pair[0].plus(step), pair[1], "{instants:?}");
    }
}

#[tokio::test]
async fn an_interval_really_runs_its_function() {
    let trigger = json!({
        "type": "schedule", "name": "tick", "every": "1s", "timezone": "Europe/Berlin",
        "input": { "days": 7 },
    });
    let code = "export const handler = (event, context) => {\n  \
        console.log('tick', event.data.input.days);\n  \
        return { type: event.type, trigger: context.trigger, days: event.data.input.days };\n};\n";
    let server = serve(&[trigger], code).await;
    server.ended("trigger=tick&status=success", 3).await;
    let told = fired(&server, "tick", 3).await;
    follow(&instants(&told), SECOND);
    let schedule = shown(&server, "tick").await;
    for told in &told {
        let expected = json!({
            "schedule_id": schedule["id"], "name": "tick", "timezone": "Europe/Berlin",
            "expression": "every 1s", "missed": 0, "input": { "days": 7 },
            "scheduled_time": told["scheduled_time"], "fired_at": told["fired_at"],
        });
        assert_eq!(*told, expected);
        assert!(time(&told["fired_at"]) >= time(&told["scheduled_time"]), "{told}");
    }
    let ended = server.ended("trigger_type=schedule&status=success", 3).await;
    let execution = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(execution["output"]["type"], "schedule.tick", "{execution}");
    assert_eq!(execution["output"]["days"], 7);
    assert_eq!(execution["logs"][0]["message"], "tick 7");
    assert_eq!(execution["input"]["name"], "tick");
    assert!(execution["duration_ms"].is_number());
    let trigger = server.get("/api/triggers/tick").await.expect(200).json();
    assert_eq!(trigger["status"], "active");
    assert!(time(&trigger["next_run"]) > time(&trigger["last_run"]), "{trigger}");
    let ran = ["pending", "running", "success"];
    assert!(ran.contains(&trigger["last_status"].as_str().unwrap_or_default()), "{trigger}");
    server.metric("evoke_schedule_drift_seconds_count", |count| count >= 3.0).await;
    server.metric("evoke_schedules{status=\"active\"}", |count| count == 1.0).await;
    server.metric("evoke_events_ingested_total{source=\"schedule\"}", |count| count >= 3.0).await;
}

#[tokio::test]
async fn cron_has_seconds_and_a_single_instant_fires_once() {
    let even = json!({ "type": "schedule", "name": "even", "cron": "*/2 * * * * *" });
    let server = serve(&[even], QUICK).await;
    let at = SystemClock.now().plus(Millis::from_secs(2));
    let once = json!({
        "name": "once", "type": "one_time", "expression": at, "function": "f",
        "config": { "retry_on_failure": false },
    });
    server.post("/api/schedules", once).await.expect(201);
    let told = instants(&fired(&server, "even", 3).await);
    follow(&told, Millis::from_secs(2));
    assert!(told.iter().all(|at| at.as_micros() % 2_000_000 == 0), "{told:?}");
    let ended = server.ended("trigger=once", 1).await;
    assert_eq!((ended.len(), &ended[0]["status"]), (1, &json!("success")));
    let once = shown(&server, "once").await;
    assert_eq!((&once["status"], &once["next_run"]), (&json!("ended"), &Value::Null));
    assert_eq!((time(&once["last_run"]), &once["last_status"]), (at, &json!("success")));
    assert_eq!(instants(&occurrences(&server, "once").await), [at]);
    let again = json!({ "name": "late", "at": at, "function": "f" });
    let refused = server.post("/api/schedules", again).await.expect(400);
    let error = refused.json()["error"].clone();
    assert_eq!((&error["code"], &error["problems"][0]["field"]), (&json!("TR_002"), &json!("at")));
}

#[tokio::test]
async fn what_was_missed_while_the_server_was_down_follows_its_policy() {
    let names = ["skip", "last", "all"];
    let triggers = names.map(
        |policy| json!({ "type": "schedule", "name": policy, "every": "1s", "missed": policy }),
    );
    let mut server = serve(&triggers, QUICK).await;
    for name in names {
        fired(&server, name, 1).await;
    }
    server.kill();
    // An occurrence that is younger than this is late and fires whatever the policy says.
    tokio::time::sleep(LATE_MAX.duration() + Duration::from_secs(5)).await;
    let up = SystemClock.now();
    server.restart().await;
    for name in names {
        let after = async || {
            let told = occurrences(&server, name).await;
            let last = told.last().map(|told| time(&told["scheduled_time"]));
            (last > Some(up)).then_some(told)
        };
        let told = until("it goes on", after).await;
        let (before, after): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|told| time(&told["fired_at"]) < up);
        let last = time(&before.last().expect("one before")["scheduled_time"]);
        let back = after.iter().map(|told| time(&told["fired_at"])).min().expect("one after");
        let late_from = back.minus(LATE_MAX);
        let is_missed = |told: &&Value| time(&told["scheduled_time"]) < late_from;
        let missed: Vec<Value> = after.iter().filter(is_missed).cloned().collect();
        let mut expected: Vec<Timestamp> = (1..)
            .map(|n| last.plus(Millis::from_secs(n)))
            .take_while(|at| *at < late_from)
            .collect();
        assert!(expected.len() >= 2, "the server was away for long: {last} to {back}");
        let count = expected.len();
        match name {
            "skip" => expected.clear(),
            "last" => expected = expected.split_off(count - 1),
            _ => {}
        }
        assert_eq!(instants(&missed), expected, "{name}");
        let told: Vec<u64> = missed.iter().filter_map(|told| told["missed"].as_u64()).collect();
        let others = if name == "last" { count as u64 - 1 } else { 0 };
        assert!(told.first().is_none_or(|first| *first == others), "{name}: {told:?}");
        follow(&instants(&after[missed.len()..]), SECOND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_it_fires_neither_loses_nor_doubles_an_instant() {
    const ROUNDS: u64 = 6;
    let names: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    let triggers: Vec<Value> = names
        .iter()
        .map(|name| {
            let missed = json!({ "policy": "all", "max": 1_000 });
            let cron = "* * * * * *";
            json!({ "type": "schedule", "name": name, "cron": cron, "missed": missed })
        })
        .collect();
    let mut server = serve(&triggers, QUICK).await;
    fired(&server, "s0", 1).await;
    for round in 0..ROUNDS {
        // Just before, just at, and just after the instant at which all of them fire.
        let within = SystemClock.now().as_micros() % 1_000_000;
        let wait = 1_000_000 - within + 4_000 * round as i64 - 6_000;
        tokio::time::sleep(Duration::from_micros(wait.unsigned_abs())).await;
        server.kill();
        server.restart().await;
    }
    let up = SystemClock.now();
    for name in &names {
        let told = until("it goes on", async || {
            let told = instants(&occurrences(&server, name).await);
            (told.last() > Some(&up)).then_some(told)
        });
        // One after the other: none is lost, and none is there twice.
        follow(&told.await, SECOND);
    }
    for name in &names {
        server.post(&format!("/api/schedules/{name}/pause"), json!({})).await.expect(200);
    }
    server.metric("evoke_schedules{status=\"paused\"}", |count| count == 40.0).await;
    // Those that were paused keep what waits.
    let executions = until("nothing runs", async || {
        let executions = all(&server, "executions?status=pending,running,success,failed").await;
        let runs = executions.iter().any(|one| one["status"] == "running");
        (!runs).then_some(executions)
    })
    .await;
    let mut by_event: BTreeMap<String, usize> = BTreeMap::new();
    for execution in &executions {
        assert_ne!(execution["status"], "failed", "{execution}");
        *by_event.entry(execution["event_id"].to_string()).or_default() += 1;
    }
    assert!(by_event.values().all(|count| *count == 1), "one execution for each event");
    assert_eq!(by_event.len(), all(&server, "events").await.len());
}

#[tokio::test]
async fn a_slow_target_delays_no_schedule() {
    let slow = manifest(&[json!({ "type": "schedule", "name": "slow", "every": "1s" })]);
    let quick = manifest(&[json!({ "type": "schedule", "name": "quick", "every": "1s" })]);
    let server = dev(&[
        ("functions/slow/function.json", &slow),
        ("functions/slow/index.mjs", GATED),
        ("functions/quick/function.json", &quick),
        ("functions/quick/index.mjs", QUICK),
    ])
    .await;
    // Ten seconds of schedules while nothing of the slow one ends.
    let ended = server.ended("trigger=quick&status=success", 10).await;
    assert!(server.executions("trigger=slow&status=success").await.is_empty());
    follow(&instants(&occurrences(&server, "quick").await), SECOND);
    follow(&instants(&fired(&server, "slow", 10).await), SECOND);
    for execution in ended {
        let execution = server.execution(execution["id"].as_str().expect("an id")).await;
        assert_eq!(execution["output"], execution["input"]["scheduled_time"]);
    }
    open(&server, "gate");
    server.ended("trigger=slow&status=success", 10).await;
}

#[tokio::test]
async fn a_target_that_fails_keeps_its_future() {
    let retry = json!({ "attempts": 1 });
    let trigger = json!({ "type": "schedule", "name": "broken", "every": "1s", "retry": retry });
    let server =
        serve(&[trigger], "export const handler = () => { throw new Error('no'); };").await;
    server.ended("trigger=broken&status=failed", 8).await;
    follow(&instants(&fired(&server, "broken", 8).await), SECOND);
    let schedule = until("it failed", async || {
        let schedule = shown(&server, "broken").await;
        (schedule["last_status"] == "failed").then_some(schedule)
    })
    .await;
    assert_eq!(schedule["status"], "active");
    assert!(time(&schedule["next_run"]) > time(&schedule["last_run"]), "{schedule}");
    assert_eq!(
        (&schedule["config"]["retry_on_failure"], &schedule["config"]["max_retries"]),
        (&json!(false), &json!(0))
    );
}

#[tokio::test]
async fn an_occurrence_is_left_out_while_the_one_before_it_runs() {
    let trigger =
        json!({ "type": "schedule", "name": "alone", "every": "1s", "skip_if_running": true });
    let server = serve(&[trigger], GATED).await;
    let skipped = server.ended("trigger=alone&status=cancelled", 3).await;
    assert_eq!(server.executions("trigger=alone&status=running").await.len(), 1);
    for execution in skipped {
        assert_eq!(execution["error"]["code"], "EX_004", "{execution}");
        let said = explained(&server, execution["id"].as_str().expect("an id")).await;
        assert!(said["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{said}");
    }
    let schedule = shown(&server, "alone").await;
    assert_eq!(schedule["config"]["skip_if_running"], true);
    open(&server, "gate");
    let done = server.ended("trigger=alone&status=success", 2).await;
    assert!(done.len() >= 2, "it goes on when the first is done");
    follow(&instants(&occurrences(&server, "alone").await), SECOND);
}

#[tokio::test]
async fn a_typo_in_any_setting_names_the_nearest() {
    let typos = [
        ("corn", "cron"),
        ("evry", "every"),
        ("timezne", "timezone"),
        ("strat", "start"),
        ("edn", "end"),
        ("jiter", "jitter"),
        ("mised", "missed"),
        ("inptu", "input"),
        ("skip_if_runing", "skip_if_running"),
        ("max_overlp", "max_overlap"),
        ("ovrlap", "overlap"),
        ("enabld", "enabled"),
        ("concurency", "concurrency"),
    ];
    let values = [
        ("tz", json!({ "cron": "@daily", "timezone": "Europe/Berln" }), "Europe/Berlin"),
        ("nick", json!({ "cron": "@dialy" }), "@daily"),
        ("policy", json!({ "cron": "@daily", "missed": "lst" }), "last"),
        (
            "within",
            json!({ "cron": "@daily", "missed": { "policy": "all", "wihtin": "1h" } }),
            "within",
        ),
        ("word", json!({ "cron": "@daily", "overlap": "skipp" }), "skip"),
    ];
    let mut files: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, mut trigger: Value| {
        trigger["type"] = json!("schedule");
        files.push((format!("functions/{name}/function.json"), manifest(&[trigger])));
        files.push((format!("functions/{name}/index.mjs"), QUICK.to_owned()));
    };
    for (typo, _) in typos {
        add(&typo.replace('_', "-"), json!({ "cron": "@daily", typo: 1 }));
    }
    for (name, trigger, _) in &values {
        add(name, trigger.clone());
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let server = dev(&files).await;
    for (name, nearest) in typos
        .map(|(typo, nearest)| (typo.replace('_', "-"), nearest))
        .into_iter()
        .chain(values.map(|(name, _, nearest)| (name.to_owned(), nearest)))
    {
        printed(&server, &format!("functions/{name}/function.json")).await;
        printed(&server, nearest).await;
        let said = server.output();
        let at = format!("functions/{name}/function.json");
        let lines: String = said.lines().filter(|line| line.contains(&at)).collect();
        assert!(lines.contains(&format!("\"{nearest}\"")), "{name}: {lines}\n{said}");
    }
    let page = server.get("/api/schedules").await.expect(200).json();
    assert_eq!(page["data"], json!([]), "what is wrong does not run");
}

#[tokio::test]
async fn a_manifest_whose_time_is_over_deploys_with_a_warning() {
    let over = json!({ "type": "schedule", "name": "over", "at": "2020-01-01T00:00:00Z" });
    let bound =
        json!({ "type": "schedule", "name": "bound", "cron": "@daily", "end": "2020-01-01" });
    let server = serve(&[over, bound], QUICK).await;
    for name in ["over", "bound"] {
        printed(&server, &format!("Schedule \"{name}\" has ended")).await;
        let schedule = shown(&server, name).await;
        assert_eq!((&schedule["status"], &schedule["next_run"]), (&json!("ended"), &Value::Null));
    }
    server.metric("evoke_schedules{status=\"ended\"}", |count| count == 2.0).await;
    assert!(server.executions("").await.is_empty());
}

#[tokio::test]
async fn a_saved_manifest_changes_the_future_and_a_removed_trigger_cancels_what_waits() {
    let yearly = |cron: &str, name: &str| json!({ "type": "schedule", "name": name, "cron": cron });
    let tick = json!({ "type": "schedule", "name": "tick", "every": "1s", "max_overlap": 1 });
    let server = serve(&[yearly("0 0 1 1 *", "far"), tick], GATED).await;
    let before = shown(&server, "far").await["next_run"].clone();
    until("one waits", async || {
        let waiting = server.executions("trigger=tick&status=pending").await;
        (waiting.len() >= 2).then_some(())
    })
    .await;
    let saved = manifest(&[yearly("0 0 2 7 *", "far")]);
    server.write(&[("functions/f/function.json", &saved)]);
    let after = until("the new instant is planned", async || {
        let next = shown(&server, "far").await["next_run"].clone();
        (next != before).then_some(next)
    })
    .await;
    assert!(after.as_str().is_some_and(|at| at.ends_with("-07-02T00:00:00Z")), "{after}");
    until("the other is gone", async || {
        (server.get("/api/schedules/tick").await.status == 404).then_some(())
    })
    .await;
    until("what waited is cancelled", async || {
        let executions = all(&server, "executions").await;
        executions.iter().all(|one| one["status"] != "pending").then_some(())
    })
    .await;
    assert!(!server.executions("status=cancelled").await.is_empty());
    let count = occurrences(&server, "tick").await.len();
    open(&server, "gate");
    server.ended("status=success", 1).await;
    assert_eq!(occurrences(&server, "tick").await.len(), count, "it fires no more");
}

#[tokio::test]
async fn schedules_are_paused_fired_and_filled_by_hand() {
    let tick = json!({ "type": "schedule", "name": "tick", "every": "1s" });
    let daily = json!({
        "type": "schedule", "name": "daily", "cron": "0 6 * * *", "input": { "days": 1 },
        "timezone": "Europe/Berlin",
    });
    let server = serve(&[tick, daily], "export const handler = (event) => event.data;").await;
    fired(&server, "tick", 1).await;
    assert_eq!(prints(&server, &["schedules", "pause", "tick"]), "tick");
    let paused = gives(&server, &["schedules", "show", "tick"]);
    assert_eq!((&paused["status"], &paused["next_run"]), (&json!("paused"), &Value::Null));
    let count = occurrences(&server, "tick").await.len();
    server.metric("evoke_schedules{status=\"paused\"}", |count| count == 1.0).await;
    let list = prints(&server, &["schedules", "list"]);
    assert!(list.contains("paused") && list.contains("Europe/Berlin"), "{list}");

    let id = prints(&server, &["schedules", "trigger", "daily", "--input", r#"{"days": 9}"#]);
    let other = prints(&server, &["triggers", "fire", "daily"]);
    server.ended("trigger=daily&status=success", 2).await;
    for (id, days) in [(id, 9), (other, 1)] {
        let output = gives(&server, &["executions", "show", &id])["output"].clone();
        assert_eq!((&output["input"]["days"], &output["manual"]), (&json!(days), &json!(true)));
    }
    let next = shown(&server, "daily").await["next_run"].clone();
    let upcoming = prints(&server, &["schedules", "upcoming", "daily", "-n", "2"]);
    assert_eq!(Some(upcoming.lines().next().expect("a line")), next.as_str(), "{upcoming}");

    let span = ["--from", "2026-10-24T00:00:00Z", "--to", "2026-10-27T00:00:00Z"];
    let fill = |more: &[&str]| {
        let command = ["schedules", "backfill", "daily"];
        gives(&server, &[&command[..], &span[..], more].concat())
    };
    let counted = fill(&["--dry-run"]);
    let expected = json!({
        "count": 3, "first": "2026-10-24T04:00:00Z", "last": "2026-10-26T05:00:00Z"
    });
    assert_eq!(counted, expected);
    assert_eq!(occurrences(&server, "daily").await.len(), 2, "a dry run fires nothing");
    assert_eq!(fill(&[]), expected);
    server.ended("trigger=daily&status=success", 5).await;
    let filled = occurrences(&server, "daily").await;
    let filled: Vec<_> = filled.into_iter().filter(|told| told["backfill"] == true).collect();
    let expected = ["2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z"];
    assert_eq!(instants(&filled).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);

    assert_eq!(occurrences(&server, "tick").await.len(), count, "a paused one does not fire");
    assert_eq!(prints(&server, &["schedules", "resume", "tick"]), "tick");
    let told = instants(&fired(&server, "tick", count + 2).await);
    follow(&told[count..], SECOND);
    let audit = server.get("/api/audit?limit=100").await.expect(200).json();
    let actions: Vec<&str> = audit["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    for action in ["trigger.disable", "trigger.enable", "trigger.fire"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
}

#[tokio::test]
async fn the_guide_runs_as_written_and_prints_what_it_says() {
    let page = include_str!("../../../../docs/schedules.md");
    let server = dev(&files(page)).await;
    assert!(steps(page).len() >= 6);
    walk(&server, page).await;
}

use evoke_model::policy::{Concurrency, Overflow};
use evoke_model::trigger::Owner;
use evoke_model::{Code, Rejection, Timestamp};
use serde_json::{Value, json};

use super::*;

fn asked(body: Value) -> AskedSchedule {
    ScheduleBody::read(body).expect("a schedule")
}

fn fields(read: Result<AskedSchedule, Vec<Problem>>) -> Vec<String> {
    let problems = read.expect_err("problems");
    let mut told: Vec<_> = problems.into_iter().map(|problem| problem.field).collect();
    told.sort_unstable();
    told
}

fn nightly() -> Value {
    json!({
        "name": "nightly", "type": "cron", "expression": "0 2 * * *", "timezone": "Europe/Berlin",
        "function": "report",
        "config": { "skip_if_running": true, "max_retries": 2, "input": { "days": 1 } },
    })
}

fn stored(new: NewTrigger) -> evoke_model::Trigger {
    evoke_model::Trigger {
        id: TriggerId::from_u64(1),
        name: new.name,
        kind: new.kind,
        // As the kind keeps it: without what is null.
        config: new
            .config
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        target: new.target,
        policy: new.policy,
        enabled: new.enabled,
        owner: Owner::Api,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        updated_by: None,
        deleted_at: None,
    }
}

#[test]
fn the_words_of_the_document_are_those_of_a_trigger() {
    let trigger = stored(asked(nightly()).new);
    assert_eq!(trigger.kind, "schedule");
    let config =
        json!({ "cron": "0 2 * * *", "timezone": "Europe/Berlin", "input": { "days": 1 } });
    assert_eq!(trigger.config, config);
    assert_eq!(trigger.target, evoke_model::Target::function("report"));
    let limit = Concurrency { limit: 1, key: None, overflow: Overflow::Skip };
    assert_eq!(trigger.policy.concurrency, Some(limit));
    assert_eq!(trigger.policy.retry.as_ref().map(|retry| retry.attempts), Some(3));
    let other = asked(json!({
        "name": "n", "every": "5m", "jitter": "1m", "missed": "all", "enabled": false,
        "target": { "type": "http", "url": "https://example.com" }, "max_overlap": 2,
        "policy": { "timeout": "5s" },
    }));
    let other = stored(other.new);
    assert_eq!(other.config, json!({ "every": "5m", "jitter": "1m", "missed": "all" }));
    assert!(!other.enabled && other.policy.timeout.is_some());
    assert_eq!(other.target.kind, "http");
}

#[test]
fn a_schedule_shows_what_it_was_made_from() {
    let trigger = stored(asked(nightly()).new);
    let standing = ScheduleStanding {
        status: ScheduleState::Active,
        next_run: Some(Timestamp::EPOCH),
        last_run: None,
        last_status: None,
    };
    let shown = serde_json::to_value(Schedule::new(&trigger, standing)).expect("JSON");
    for (name, value) in nightly().as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) => {
                for (word, value) in inner {
                    assert_eq!(shown[name][word], *value, "{word}");
                }
            }
            value => assert_eq!(shown[name], *value, "{name}"),
        }
    }
    assert_eq!(shown["next_run"], "1970-01-01T00:00:00Z");
    assert_eq!((&shown["last_run"], &shown["status"]), (&Value::Null, &json!("active")));
    assert_eq!(shown["missed"], json!({ "policy": "last" }));
    assert_eq!(shown["config"]["max_overlap"], 1);
}

#[test]
fn everything_that_is_wrong_is_told_in_the_words_of_the_body() {
    let wrong = json!({
        "nmae": "x", "type": "corn", "expression": "x", "enabled": 1,
        "config": { "skip_if_runing": true, "max_overlap": 0, "retry_on_failure": 1, "type": "x" },
        "policy": { "retries": 1 },
    });
    assert_eq!(
        fields(ScheduleBody::read(wrong)),
        [
            "config.max_overlap",
            "config.retry_on_failure",
            "config.skip_if_runing",
            "config.type",
            "enabled",
            "function",
            "name",
            "nmae",
            "policy.retries",
            "type"
        ]
    );
    assert_eq!(
        fields(ScheduleBody::read(json!({ "name": "a", "function": "f" }))),
        ["expression", "type"]
    );
    let twice = json!({
        "name": "a", "function": "f", "target": { "type": "function", "name": "f" },
        "cron": "@daily", "type": "cron", "expression": "@daily", "max_retries": 1,
        "max_overlap": 2, "policy": { "retry": { "attempts": 3 }, "concurrency": { "limit": 3 } },
    });
    assert_eq!(
        fields(ScheduleBody::read(twice)),
        ["cron", "function", "max_overlap", "max_retries"]
    );
    assert_eq!(fields(ScheduleBody::read(json!([]))), [""]);
    assert_eq!(
        fields(ScheduleBody::read(json!({ "name": "a", "every": "5m", "target": 5 }))),
        ["target"]
    );
}

#[test]
fn refusals_of_the_trigger_are_told_in_the_words_of_the_body() {
    let problem = |field: &str| Problem::new(field, "is wrong");
    let told = |body: Value, field: &str| {
        let refused = Rejection::of(Code::InvalidTrigger, vec![problem(field)]);
        let told = asked(body).told(refused);
        assert!(told.message.starts_with(&told.problems[0].field), "{}", told.message);
        told.problems[0].field.clone()
    };
    for (field, name) in [
        ("config.cron", "expression"),
        ("config.timezone", "timezone"),
        ("config.input", "config.input"),
        ("config.missed.max", "missed.max"),
        ("target.name", "function"),
        ("policy.timeout", "policy.timeout"),
        ("name", "name"),
    ] {
        assert_eq!(told(nightly(), field), name);
    }
    let plain = json!({ "name": "a", "at": "2020-01-01T00:00:00Z", "function": "f" });
    assert_eq!(told(plain, "config.at"), "at");
}

#[test]
fn a_change_bears_on_what_it_names() {
    let old = stored(asked(nightly()).new);
    let patched = |patch: Value| stored(ScheduleBody::patch(&old, patch).expect("a change").new);
    assert_eq!(patched(json!({})).config, old.config);
    let later = patched(json!({ "expression": "0 3 * * *" }));
    assert_eq!((&later.config["cron"], &later.policy), (&json!("0 3 * * *"), &old.policy));
    let interval = patched(json!({ "type": "interval", "expression": "5m", "timezone": null }));
    assert_eq!(interval.config, json!({ "every": "5m", "input": { "days": 1 } }));
    let wider = patched(json!({ "config": { "max_overlap": 3 } }));
    let limit = wider.policy.concurrency.expect("a limit");
    assert_eq!((limit.limit, limit.overflow), (3, Overflow::Skip));
    let queued = patched(json!({ "skip_if_running": false }));
    assert_eq!(queued.policy.concurrency.map(|limit| limit.overflow), Some(Overflow::Queue));
    let replaced = patched(json!({ "overlap": "cancel" })).policy.concurrency;
    assert_eq!(replaced.map(|limit| limit.overflow), Some(Overflow::Cancel));
    let free = patched(json!({ "config": { "skip_if_running": null, "max_overlap": null } }));
    assert_eq!(free.policy.concurrency, None);
    let once = patched(json!({ "retry_on_failure": false }));
    assert_eq!(once.policy.retry.map(|retry| retry.attempts), Some(1));
    let plain = patched(json!({ "policy": null })).policy;
    assert_eq!(plain, evoke_model::Policy::default());
    let limited = patched(json!({ "policy": null, "max_overlap": 2 })).policy;
    let limit = Concurrency { limit: 2, key: None, overflow: Overflow::Queue };
    assert_eq!((limited.concurrency, limited.retry), (Some(limit), None));
    let elsewhere = patched(json!({ "function": "other" }));
    assert_eq!(elsewhere.target, evoke_model::Target::function("other"));
    let url = json!({ "target": { "type": "http", "url": "https://x.test" } });
    let away = patched(url);
    assert_eq!(away.target.config, json!({ "url": "https://x.test" }));
    let back = ScheduleBody::patch(&away, json!({ "function": "report" })).expect("a change").new;
    assert_eq!(back.target, old.target);
    assert_eq!(fields(ScheduleBody::patch(&old, json!({ "type": "interval" }))), ["expression"]);
    assert_eq!(fields(ScheduleBody::patch(&old, json!({ "type": "x" }))), ["type"]);
}

#[test]
fn requests_by_hand_are_checked() {
    assert_eq!(FireBody::read(&json!({})).map(|body| body.input), Ok(None));
    let input = FireBody::read(&json!({ "input": [1] })).map(|body| body.input);
    assert_eq!(input, Ok(Some(json!([1]))));
    assert!(FireBody::read(&json!({ "inptu": 1 })).is_err());
    let from = "2026-12-01T00:00:00Z";
    let read = BackfillBody::read(&json!({ "from": from, "to": from, "dry_run": true }));
    assert!(read.expect("a span").is_dry);
    let wrong = BackfillBody::read(&json!({ "from": "x", "dry": 1 })).expect_err("problems");
    let told: Vec<_> = wrong.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(told, ["dry", "to", "from"]);
}

//! The manifest of the Alyx platform, accepted as it stands: `routes`, `hooks` and `schedules` are
//! made into entries of `triggers`. Messages still speak of the fields the user wrote.

use evoke_model::alyx;
use serde_json::{Map, Value, json};

use crate::reader::{Report, Table, Wrong, unknown};

/// Takes the three lists out of a manifest.
pub fn entries(manifest: &mut Table, report: &mut Report) -> Vec<Table> {
    let mut out = Vec::new();
    for (list, translate) in LISTS {
        for (at, value) in manifest.list(list, report) {
            if let Some(mut entry) = Table::of(value, &at, report) {
                translate(&mut entry, report);
                out.push(entry);
            }
        }
    }
    out
}

type Translate = fn(&mut Table, &mut Report);
const LISTS: [(&str, Translate); 3] = [("routes", route), ("hooks", hook), ("schedules", schedule)];

fn route(entry: &mut Table, _: &mut Report) {
    entry.put("type", json!("http"), "");
}

fn hook(entry: &mut Table, report: &mut Report) {
    entry.lift("config", report);
    match entry.peek("type").and_then(Value::as_str) {
        Some("database") => {
            entry.rename("source", "collection", report);
            actions(entry, &["create", "update", "delete"], report);
        }
        Some("storage") => {
            entry.rename("source", "bucket", report);
            actions(entry, &["upload", "delete"], report);
        }
        Some("auth") => {
            let all = ["signup", "login", "logout", "password_reset", "email_verify"];
            actions(entry, &all, report);
        }
        Some("custom" | "event") => custom(entry),
        _ => {}
    }
}

/// `action: insert` is `events: [create]`; `action: "*"` is all of them.
fn actions(entry: &mut Table, all: &[&str], report: &mut Report) {
    entry.rename("action", "events", report);
    let events = match entry.peek("events") {
        Some(Value::String(action)) if action == "*" => json!(all),
        Some(Value::String(action)) => json!([canonical(action)]),
        Some(Value::Array(actions)) => actions
            .iter()
            .map(|action| action.as_str().map_or_else(|| action.clone(), canonical))
            .collect(),
        _ => return,
    };
    let origin = if entry.path("events").ends_with("action") { "action" } else { "events" };
    entry.put("events", events, origin);
}

fn canonical(action: &str) -> Value {
    Value::from(if action == "insert" { "create" } else { action })
}

/// A custom event has a source and an action where ours has one type.
fn custom(entry: &mut Table) {
    entry.put("type", json!("event"), "type");
    if entry.peek("match").is_some() {
        return;
    }
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let (source, action) = (text(entry.remove("source")), text(entry.remove("action")));
    let (pattern, origin) = match (source, action) {
        (Some(source), Some(action)) => (format!("{source}.{action}"), "source"),
        (Some(source), None) => (format!("{source}.**"), "source"),
        (None, Some(action)) => (action, "action"),
        (None, None) => return,
    };
    entry.put("match", Value::from(pattern), origin);
}

fn schedule(entry: &mut Table, report: &mut Report) {
    entry.lift("config", report);
    let kinds = alyx::SCHEDULES;
    match entry.remove("type") {
        None => {
            let names = kinds.map(|(name, _)| name).join(", ");
            let wrong = Wrong::new("`type` is missing").suggest(format!("one of: {names}"));
            report.problem(entry.path("type"), wrong);
        }
        Some(given) => {
            let given = given.as_str().unwrap_or_default();
            match kinds.iter().find(|(name, _)| *name == given) {
                Some((_, field)) => entry.rename("expression", field, report),
                None => {
                    let names = kinds.map(|(name, _)| name);
                    report.problem(entry.path("type"), unknown("type", given, names));
                }
            }
        }
    }
    entry.put("type", json!("schedule"), "");
    retries(entry, report);
}

/// The words for what happens after a failure are made into `retry`.
fn retries(entry: &mut Table, report: &mut Report) {
    let given = alyx::RETRY_WORDS.map(|word| Some((word.to_owned(), entry.remove(word)?)));
    let mut words: Map<String, Value> = given.into_iter().flatten().collect();
    words.extend(entry.peek("retry").map(|retry| ("retry".to_owned(), retry.clone())));
    match alyx::retry(&mut words) {
        Ok(None) => {}
        Ok(Some(retry)) => entry.put("retry", retry, alyx::RETRY_WORDS[0]),
        Err(problems) => report.problems_of(entry, problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(manifest: Value) -> (Vec<Value>, Vec<String>) {
        let mut report = Report::default();
        let mut table = Table::of(manifest, "", &mut report).unwrap();
        let entries = entries(&mut table, &mut report);
        let fields =
            entries.into_iter().map(|entry| Value::Object(entry.fields().clone())).collect();
        (fields, report.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_list_becomes_triggers() {
        let (entries, problems) = translated(json!({
            "routes": [{ "path": "/a", "methods": ["POST"] }],
            "hooks": [
                { "type": "database", "source": "users", "action": "insert", "mode": "async" },
                { "type": "database", "source": "users", "action": "*" },
                { "type": "auth", "action": "signup", "mode": "sync",
                  "config": { "on_failure": "reject", "timeout": "5s" } },
                { "type": "storage", "source": "uploads", "action": ["upload"] },
                { "type": "webhook", "path": "/w", "verification": { "type": "hmac-sha256" } },
                { "type": "custom", "source": "order", "action": "created" },
                { "type": "custom", "action": "tick" },
                { "type": "event", "match": "a.*" },
            ],
            "schedules": [
                { "name": "a", "type": "cron", "expression": "0 2 * * *", "timezone": "UTC",
                  "config": {
                      "skip_if_running": true, "retry_on_failure": true, "max_retries": 4
                  } },
                { "name": "b", "type": "interval", "expression": "5m",
                  "config": { "retry_on_failure": false } },
                { "name": "c", "type": "one_time", "expression": "2026-12-01T09:00:00Z" },
            ],
        }));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            Value::from(entries),
            json!([
                { "type": "http", "path": "/a", "methods": ["POST"] },
                { "type": "database", "collection": "users", "events": ["create"],
                  "mode": "async" },
                { "type": "database", "collection": "users",
                  "events": ["create", "update", "delete"] },
                { "type": "auth", "events": ["signup"], "mode": "sync", "on_failure": "reject",
                  "timeout": "5s" },
                { "type": "storage", "bucket": "uploads", "events": ["upload"] },
                { "type": "webhook", "path": "/w", "verification": { "type": "hmac-sha256" } },
                { "type": "event", "match": "order.created" },
                { "type": "event", "match": "tick" },
                { "type": "event", "match": "a.*" },
                { "type": "schedule", "name": "a", "cron": "0 2 * * *", "timezone": "UTC",
                  "skip_if_running": true, "retry": { "attempts": 5 } },
                { "type": "schedule", "name": "b", "every": "5m", "retry": { "attempts": 1 } },
                { "type": "schedule", "name": "c", "at": "2026-12-01T09:00:00Z" },
            ])
        );
    }

    #[test]
    fn mistakes_are_named_where_the_user_made_them() {
        let (_, problems) = translated(json!({
            "routes": {},
            "hooks": [7, { "type": "auth", "mode": "sync", "config": { "mode": "async" } }],
            "schedules": [
                { "type": "corn", "expression": "x" },
                { "expression": "x" },
                { "type": "cron", "config": { "retry_on_failure": 1 } },
                { "type": "cron", "config": { "retry_on_failure": true, "max_retries": 1000 } },
            ],
        }));
        let expected = [
            "routes: expected a list, got an object",
            "hooks[0]: expected an object, got 7",
            "hooks[1].config.mode: \"mode\" is given twice",
            "schedules[0].type: unknown type \"corn\" (did you mean \"cron\"?)",
            "schedules[1].type: `type` is missing (one of: cron, interval, one_time)",
            "schedules[2].config.retry_on_failure: expected true or false",
            "schedules[3].config.max_retries: expected a whole number (0 to 99)",
        ];
        assert_eq!(problems, expected);
    }
}

//! The columns of tables.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// A column of a table.
pub(crate) struct Column {
    pub(super) title: &'static str,
    pub(super) cell: fn(&Value) -> String,
}

/// A column.
const fn column(title: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { title, cell }
}

/// The columns of each list.
pub(crate) mod columns {
    use super::{Column, column, duration, status, text, time};

    pub(crate) const FUNCTIONS: &[Column] = &[
        column("NAME", |item| text(&item["name"])),
        column("STATUS", |item| status(&item["status"])),
        column("RUNTIME", |item| text(&item["runtime"])),
        column("VERSION", |item| text(&item["version"])),
        column("WORKERS", |item| text(&item["workers"]["ready"])),
        column("UPDATED", |item| time(&item["updated_at"])),
        column("TRIGGERS", |item| super::names(&item["triggers"])),
    ];

    pub(crate) const VERSIONS: &[Column] = &[
        column("VERSION", |item| text(&item["version"])),
        column("CURRENT", |item| if item["is_current"] == true { "yes" } else { "" }.to_owned()),
        column("RUNTIME", |item| text(&item["runtime"])),
        column("CREATED", |item| time(&item["created_at"])),
        column("CODE OF", |item| text(&item["rollback_to"])),
        column("HASH", |item| text(&item["hash"]).chars().take(12).collect()),
    ];

    pub(crate) const EVENTS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("TYPE", |item| text(&item["type"])),
        column("SOURCE", |item| text(&item["source"])),
        column("SUBJECT", |item| text(&item["subject"])),
        column("TIME", |item| time(&item["time"])),
    ];

    pub(crate) const COLLECTIONS: &[Column] = &[
        column("NAME", |item| text(&item["name"])),
        column("INDEXES", |item| super::indexes(&item["indexes"])),
        column("SCHEMA", |item| super::yes(&(!item["schema"].is_null()).into())),
    ];

    pub(crate) const DOCUMENTS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("UPDATED", |item| time(&item["_updated_at"])),
        column("FIELDS", super::fields),
    ];

    pub(crate) const BUCKETS: &[Column] = &[
        column("NAME", |item| text(&item["name"])),
        column("PUBLIC", |item| super::yes(&item["public"])),
        column("MAX BYTES", |item| text(&item["max_file_bytes"])),
        column("TYPES", |item| super::texts(&item["allowed_types"])),
    ];

    pub(crate) const FILES: &[Column] = &[
        column("NAME", |item| text(&item["name"])),
        column("BYTES", |item| text(&item["size_bytes"])),
        column("TYPE", |item| text(&item["content_type"])),
        column("UPDATED", |item| time(&item["updated_at"])),
    ];

    pub(crate) const EXECUTIONS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("STATUS", |item| status(&item["status"])),
        column("RUNS", super::runs),
        column("TRIGGER", |item| text(&item["trigger_type"])),
        column("ATTEMPTS", |item| text(&item["attempts"])),
        column("CREATED", |item| time(&item["created_at"])),
        column("TOOK", |item| duration(&item["duration_ms"])),
        column("ERROR", |item| text(&item["error"]["code"])),
    ];

    pub(crate) const TOTALS: &[Column] = &[
        column("SCHEDULE", |item| text(&item["trigger"])),
        column("FIRED", |item| text(&item["fired"])),
        column("SUCCEEDED", |item| text(&item["succeeded"])),
        column("FAILED", |item| text(&item["failed"])),
        column("FAILED ATTEMPTS", |item| text(&item["failed_attempts"])),
        column("SKIPPED", |item| text(&item["skipped"])),
        column("MOST AT ONCE", |item| text(&item["most_at_once"])),
        column("NEXT", |item| time(&item["next_run"])),
    ];

    pub(crate) const CAUSES: &[Column] = &[
        column("CAUSE", |item| text(&item["cause"])),
        column("COUNT", |item| text(&item["count"])),
        column("RUNS", super::runs),
        column("TRIGGER", |item| text(&item["trigger_name"])),
        column("FIRST", |item| time(&item["first_at"])),
        column("LAST", |item| time(&item["last_at"])),
        column("NEWEST", |item| text(&item["sample_id"])),
        column("ERROR", |item| super::error(&item["error"])),
    ];

    pub(crate) const DEAD_LETTERS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("CAUSE", |item| text(&item["cause"])),
        column("RUNS", super::runs),
        column("ATTEMPTS", |item| text(&item["attempts"])),
        column("CREATED", |item| time(&item["created_at"])),
        column("EDITED", |item| super::yes(&item["is_edited"])),
        column("ERROR", |item| super::error(&item["error"])),
    ];

    pub(crate) const OPERATIONS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("KIND", |item| text(&item["kind"])),
        column("STATUS", |item| status(&item["status"])),
        column("TAKEN", |item| text(&item["progress"]["taken"])),
        column("SUCCEEDED", |item| text(&item["progress"]["succeeded"])),
        column("FAILED", |item| text(&item["progress"]["failed"])),
        column("BY", |item| text(&item["actor"])),
        column("CREATED", |item| time(&item["created_at"])),
        column("REASON", |item| text(&item["reason"])),
    ];

    pub(crate) const AUDIT: &[Column] = &[
        column("TIME", |item| time(&item["time"])),
        column("BY", |item| text(&item["actor"])),
        column("ACTION", |item| text(&item["action"])),
        column("SUBJECT", |item| text(&item["subject"])),
        column("DETAIL", |item| super::short(&item["detail"])),
    ];

    pub(crate) const TRIGGER_COUNTS: &[Column] = &[
        column("TRIGGER", |item| text(&item["trigger_name"])),
        column("EXECUTIONS", |item| text(&item["count"])),
    ];

    pub(crate) const TRIGGERS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("NAME", |item| text(&item["name"])),
        column("TYPE", |item| text(&item["type"])),
        column("ENABLED", |item| text(&item["enabled"])),
        column("TARGET", |item| super::target(&item["target"])),
        column("ON", |item| super::short(&item["config"])),
    ];

    pub(crate) const SCHEDULES: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("NAME", |item| text(&item["name"])),
        column("STATUS", |item| status(&item["status"])),
        column("FIRES", |item| text(&item["expression"])),
        column("ZONE", |item| text(&item["timezone"])),
        column("NEXT RUN", |item| time(&item["next_run"])),
        column("LAST RUN", |item| time(&item["last_run"])),
        column("LAST STATUS", |item| status(&item["last_status"])),
        column("TARGET", |item| super::target(&item["target"])),
    ];

    pub(crate) const USERS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("EMAIL", |item| text(&item["email"])),
        column("VERIFIED", |item| super::yes(&item["email_verified"])),
        column("ROLES", |item| super::listed(&item["roles"])),
        column("CREATED", |item| time(&item["created_at"])),
        column("LAST LOGIN", |item| time(&item["last_login_at"])),
        column("LOCKED UNTIL", |item| time(&item["locked_until"])),
    ];

    pub(crate) const KEYS: &[Column] = &[
        column("ID", |item| text(&item["id"])),
        column("NAME", |item| text(&item["name"])),
        column("BEGINS WITH", |item| text(&item["hint"])),
        column("CREATED", |item| time(&item["created_at"])),
    ];

    pub(crate) const FINDINGS: &[Column] = &[
        column("", |item| super::mark(&item["ok"])),
        column("AREA", |item| text(&item["area"])),
        column("NAME", |item| text(&item["name"])),
        column("FOUND", |item| text(&item["detail"])),
        column("WHAT TO DO", |item| text(&item["hint"])),
    ];
}

/// A scalar as it is; nothing for what is not there.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time to the second: `2026-12-01 09:00:00`.
pub(super) fn time(value: &Value) -> String {
    let text = text(value);
    text.get(..19).map_or(text.clone(), |seconds| seconds.replace('T', " "))
}

/// A duration in milliseconds with the unit that suits it.
pub(super) fn duration(value: &Value) -> String {
    match value.as_f64() {
        None => String::new(),
        Some(ms) if ms < 1.0 => format!("{:.0}us", ms * 1e3),
        Some(ms) if ms < 10.0 => format!("{ms:.1}ms"),
        Some(ms) if ms < 1_000.0 => format!("{ms:.0}ms"),
        Some(ms) if ms < 60_000.0 => format!("{:.1}s", ms / 1e3),
        Some(ms) => format!("{:.0}m{:02.0}s", (ms / 60e3).floor(), (ms % 60e3) / 1e3),
    }
}

/// A state in its colour.
pub(super) fn status(value: &Value) -> String {
    let text = text(value);
    let style = style_of(&text);
    format!("{style}{text}{style:#}")
}

/// Green for what is well, red for what is not, yellow for what may become either.
pub(crate) fn style_of(status: &str) -> Style {
    let color = match status {
        "success" | "ready" | "info" | "done" | "active" => AnsiColor::Green,
        "failed" | "timed_out" | "missing" | "error" | "stopped" => AnsiColor::Red,
        "pending" | "running" | "stale" | "warn" | "paused" => AnsiColor::Yellow,
        _ => return Style::new().dimmed(),
    };
    Style::new().fg_color(Some(color.into()))
}

/// What an execution runs: its function, or else the trigger that has another target.
fn runs(item: &Value) -> String {
    text(if item["function"].is_string() { &item["function"] } else { &item["trigger_name"] })
}

/// What something failed of, in one line: `FN_004 it broke`.
fn error(error: &Value) -> String {
    let message = text(&error["message"]);
    let line = cut(message.lines().next().unwrap_or_default());
    format!("{} {line}", text(&error["code"])).trim().to_owned()
}

fn yes(value: &Value) -> String {
    if value == &Value::Bool(true) { "yes".to_owned() } else { String::new() }
}

/// So much of a text as a table has room for.
fn cut(line: &str) -> String {
    match line.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}

/// `function resize`, `http https://example.com/`.
fn target(target: &Value) -> String {
    let to = ["name", "url"].into_iter().find_map(|field| target[field].as_str());
    format!("{} {}", text(&target["type"]), to.unwrap_or_default()).trim_end().to_owned()
}

/// Texts of a list: `image/*, text/plain`.
fn texts(items: &Value) -> String {
    let texts: Vec<String> = items.as_array().into_iter().flatten().map(text).collect();
    texts.join(", ")
}

/// The names of things, a few of them.
fn names(items: &Value) -> String {
    let names: Vec<String> =
        items.as_array().into_iter().flatten().map(|item| text(&item["type"])).collect();
    names.join(", ")
}

/// The indexes of a collection, by their fields: `email (unique), city+age`.
fn indexes(items: &Value) -> String {
    let index = |item: &Value| {
        let fields: Vec<String> =
            item["fields"].as_array().into_iter().flatten().map(text).collect();
        let unique = if item["unique"] == Value::Bool(true) { " (unique)" } else { "" };
        format!("{}{unique}", fields.join("+"))
    };
    items.as_array().into_iter().flatten().map(index).collect::<Vec<_>>().join(", ")
}

/// The fields of a document, as far as there is room.
fn fields(document: &Value) -> String {
    let mut fields = document.clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, _| name != "id" && !name.starts_with('_'));
    }
    short(&fields)
}

/// Texts, one after the other.
fn listed(items: &Value) -> String {
    let texts: Vec<String> = items.as_array().into_iter().flatten().map(text).collect();
    texts.join(", ")
}

/// An object in one line that fits: `match=order.* source=/shop`.
fn short(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    let line = pairs
        .map(|(name, value)| match value {
            Value::Array(items) => {
                format!("{name}={}", items.iter().map(text).collect::<Vec<_>>().join(","))
            }
            other => format!("{name}={}", text(other)),
        })
        .collect::<Vec<_>>()
        .join(" ");
    cut(&line)
}

fn mark(value: &Value) -> String {
    let (mark, color) = match value.as_bool() {
        Some(true) => ("ok", AnsiColor::Green),
        _ => ("--", AnsiColor::Red),
    };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{mark}{style:#}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (ms, text) in [
            (0.25, "250us"),
            (1.234, "1.2ms"),
            (123.4, "123ms"),
            (1_500.0, "1.5s"),
            (90_000.0, "1m30s"),
        ] {
            assert_eq!(duration(&json!(ms)), text);
        }
        assert_eq!(duration(&Value::Null), "");
    }

    #[test]
    fn objects_become_one_line() {
        let value = json!({"match": "order.*", "methods": ["GET", "POST"]});
        assert_eq!(short(&value), "match=order.* methods=GET,POST");
        assert!(short(&json!({"long": "x".repeat(100)})).ends_with("..."));
        assert_eq!(time(&json!("2026-12-01T09:00:00.123456Z")), "2026-12-01 09:00:00");
    }
}

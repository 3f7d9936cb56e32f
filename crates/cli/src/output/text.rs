//! One thing for people: its fields, then what is long, each part under its name.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::Value;

use super::cells::{duration, status, style_of, text, time};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Any object: scalars as lines, the rest as JSON.
pub(crate) fn whole(item: &Value) -> String {
    let Value::Object(fields) = item else { return format!("{item:#}\n") };
    let (short, long): (Vec<_>, Vec<_>) = fields.iter().partition(|(_, value)| is_short(value));
    let lines = short.into_iter().map(|(name, value)| (name.as_str(), field(name, value)));
    let mut out = block(&lines.collect::<Vec<_>>());
    for (name, value) in long {
        part(&mut out, name, &format!("{value:#}"));
    }
    out
}

/// An execution with its error, logs, earlier attempts and output.
pub(crate) fn execution(item: &Value, attempts: &[Value]) -> String {
    let Value::Object(fields) = item else { return whole(item) };
    let mut rest = fields.clone();
    let mut take = |name: &str| rest.remove(name).unwrap_or_default();
    let (error, logs) = (take("error"), take("logs"));
    let (input, output) = (take("input"), take("output"));
    let mut out = whole(&Value::Object(rest));
    if error.is_object() {
        part(&mut out, "error", &failure(&error));
    }
    if let [earlier @ .., _] = attempts {
        let lines: Vec<String> = earlier.iter().map(attempt).collect();
        if !lines.is_empty() {
            part(&mut out, "earlier attempts", &lines.join("\n"));
        }
    }
    let lines: Vec<String> = logs.as_array().into_iter().flatten().map(log_line).collect();
    if !lines.is_empty() {
        part(&mut out, "logs", lines.concat().trim_end());
    }
    for (name, value) in [("input", input), ("output", output)] {
        if !value.is_null() {
            part(&mut out, name, &format!("{value:#}"));
        }
    }
    out
}

/// A dead letter, which brings its attempts along.
pub(crate) fn dead_letter(item: &Value) -> String {
    let mut item = item.clone();
    let attempts = item.as_object_mut().and_then(|fields| fields.remove("history"));
    match attempts {
        Some(Value::Array(attempts)) => execution(&item, &attempts),
        _ => execution(&item, &[]),
    }
}

/// Why an execution is where it is.
pub(crate) fn explanation(item: &Value) -> String {
    let mut out = format!("{}  {}\n", status(&item["status"]), text(&item["reason"]));
    if item["detail"].as_object().is_some_and(|detail| !detail.is_empty()) {
        part(&mut out, "detail", &format!("{:#}", item["detail"]));
    }
    out
}

/// An execution that came into a state.
pub(crate) fn execution_line(item: &Value) -> String {
    let attempt = match item["attempt"].as_u64() {
        None | Some(0 | 1) => String::new(),
        Some(number) => format!("  attempt {number}"),
    };
    let error = item["error"].as_str().and_then(|error| error.lines().next());
    format!(
        "{}  {}  {}  {}  {}{attempt}{}\n",
        text(&item["id"]),
        status(&item["status"]),
        text(&item["target"]),
        text(&item["trigger_name"]),
        duration(&item["duration_ms"]),
        error.map(|error| format!("  {error}")).unwrap_or_default()
    )
}

/// A line a function printed.
pub(crate) fn log_line(line: &Value) -> String {
    let level = text(&line["level"]);
    let style = style_of(&level);
    let time = text(&line["time"]);
    let clock = time.get(11..23).unwrap_or(&time).trim_end_matches('Z');
    format!("{DIM}{clock}{DIM:#} {style}{level:<5}{style:#} {}\n", text(&line["message"]))
}

fn attempt(attempt: &Value) -> String {
    format!(
        "{}  {}  {}  {}  {} {}",
        text(&attempt["number"]),
        status(&attempt["status"]),
        time(&attempt["started_at"]),
        duration(&attempt["duration_ms"]),
        text(&attempt["error"]["code"]),
        text(&attempt["error"]["message"]).lines().next().unwrap_or_default(),
    )
}

fn failure(error: &Value) -> String {
    let head = format!("{}: {}", text(&error["code"]), text(&error["message"]));
    match error["stack"].as_str() {
        // A stack of JavaScript begins with the message.
        Some(stack) if stack.contains(error["message"].as_str().unwrap_or_default()) => {
            format!("{}: {stack}", text(&error["code"]))
        }
        Some(stack) => format!("{head}\n{stack}"),
        None => head,
    }
}

fn is_short(value: &Value) -> bool {
    !matches!(value, Value::Array(items) if !items.is_empty())
        && !matches!(value, Value::Object(fields) if !fields.is_empty())
}

fn field(name: &str, value: &Value) -> String {
    match name {
        "status" => status(value),
        name if name.ends_with("_ms") => duration(value),
        _ => match value {
            Value::Array(_) | Value::Object(_) | Value::Null => "-".to_owned(),
            other => text(other),
        },
    }
}

fn block(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in lines {
        // Writing to a String cannot fail.
        writeln!(out, "{DIM}{name:width$}{DIM:#}  {value}").ok();
    }
    out
}

fn part(out: &mut String, name: &str, text: &str) {
    writeln!(out, "\n{BOLD}{name}{BOLD:#}").ok();
    for line in text.lines() {
        writeln!(out, "  {line}").ok();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn an_execution_reads_from_what_it_is_to_what_it_did() {
        let item = json!({
            "id": "exe_1", "status": "failed", "attempts": 2, "duration_ms": 12.5, "function": null,
            "error": {"code": "FN_004", "message": "no", "stack": "Error: no\n    at index.mjs:3"},
            "logs": [{"time": "2026-12-01T09:00:00.125Z", "level": "warn", "message": "look"}],
            "input": {"n": 1},
        });
        let attempts = [
            json!({"number": 1, "status": "failed", "started_at": "2026-12-01T09:00:00Z",
                   "duration_ms": 3, "error": {"code": "FN_004", "message": "no"}}),
            json!({"number": 2}),
        ];
        let text = plain(&execution(&item, &attempts));
        assert_eq!(
            text,
            "attempts     2\nduration_ms  12ms\nfunction     -\nid           exe_1\nstatus       failed\n\
             \nerror\n  FN_004: Error: no\n      at index.mjs:3\n\
             \nearlier attempts\n  1  failed  2026-12-01 09:00:00  3.0ms  FN_004 no\n\
             \nlogs\n  09:00:00.125 warn  look\n\
             \ninput\n  {\n    \"n\": 1\n  }\n"
        );
    }
}

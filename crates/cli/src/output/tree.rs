//! What an event led to, as an indented tree: events, their executions, the events these caused.

use anstyle::Style;
use evoke_model::Timestamp;
use serde_json::Value;

use super::cells::{duration, status, text, time};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The code of an execution that the loop brake did not let begin.
const CUT: &str = "EV_004";

/// The tree for people; the event that was asked for stands out.
pub(crate) fn tree(tree: &Value, asked: &str) -> String {
    let root = &tree["root"];
    let began = instant(&root["event"]["accepted_at"]);
    let mut lines = Lines { began, asked, out: String::new() };
    lines.event(root, ["", ""]);
    if tree["truncated"] == Value::Bool(true) {
        lines.out.push_str("there is more than stands here\n");
    }
    lines.out
}

/// The ids of the events of a tree, as they stand in it.
pub(crate) fn events_of(tree: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![&tree["root"]];
    while let Some(event) = open.pop() {
        found.extend(event["event"]["id"].as_str());
        let executions = event["executions"].as_array().into_iter().flatten();
        let caused = executions.filter_map(|execution| execution["events"].as_array()).flatten();
        let caused: Vec<&Value> = caused.collect();
        open.extend(caused.into_iter().rev());
    }
    found
}

struct Lines<'a> {
    began: Option<Timestamp>,
    asked: &'a str,
    out: String,
}

impl Lines<'_> {
    /// An event and what is below it; `lead` is what its own line begins with, then the others.
    fn event(&mut self, tree: &Value, lead: [&str; 2]) {
        let event = &tree["event"];
        let id = text(&event["id"]);
        let style = if id == self.asked { BOLD } else { Style::new() };
        let repeats = match event["replay_of"].as_str() {
            Some(original) => format!("  repeats {original}"),
            None => String::new(),
        };
        let when = self.since(&event["accepted_at"]);
        let kind = text(&event["type"]);
        self.line(lead[0], &format!("{style}{kind}  {id}{style:#}  {DIM}{when}{DIM:#}{repeats}"));
        let executions = tree["executions"].as_array().map_or(&[][..], Vec::as_slice);
        self.below(executions, lead[1], Self::execution);
    }

    fn execution(&mut self, tree: &Value, lead: [&str; 2]) {
        let execution = &tree["execution"];
        let name = ["function", "trigger_name", "trigger_id"];
        let name = name.into_iter().find_map(|field| execution[field].as_str());
        let mut line = format!("{}  {}", name.unwrap_or("?"), status(&execution["status"]));
        let error = &execution["error"];
        if error["code"] == CUT {
            line.push_str("  cut by the loop brake");
        } else {
            let took = duration(&execution["duration_ms"]);
            if !took.is_empty() {
                line.push_str(&format!("  {took}"));
            }
            if let Some(attempts) = execution["attempts"].as_u64().filter(|count| *count > 1) {
                line.push_str(&format!("  {attempts} attempts"));
            }
            if let Some(code) = error["code"].as_str() {
                line.push_str(&format!("  {code}"));
            }
            if execution["started_at"].is_string() {
                let when = self.since(&execution["started_at"]);
                line.push_str(&format!("  {DIM}{when}{DIM:#}"));
            }
        }
        self.line(lead[0], &format!("{line}  {DIM}{}{DIM:#}", text(&execution["id"])));
        let events = tree["events"].as_array().map_or(&[][..], Vec::as_slice);
        self.below(events, lead[1], Self::event);
    }

    /// What is below a line. As deep as chains of causes may be, which the server bounds.
    fn below(&mut self, items: &[Value], lead: &str, show: fn(&mut Self, &Value, [&str; 2])) {
        for (place, item) in items.iter().enumerate() {
            let (own, rest) =
                if place + 1 == items.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            show(self, item, [&format!("{lead}{own}"), &format!("{lead}{rest}")]);
        }
    }

    fn line(&mut self, lead: &str, line: &str) {
        self.out.push_str(&format!("{DIM}{lead}{DIM:#}{line}\n"));
    }

    /// How long after the first event something was; the first one tells the time itself.
    fn since(&self, at: &Value) -> String {
        match (self.began, instant(at)) {
            (Some(began), Some(at)) if at > began => {
                let ms = at.since(began).as_micros() as f64 / 1e3;
                format!("+{}", duration(&Value::from(ms)))
            }
            _ => time(at),
        }
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_is_read_from_cause_to_effect() {
        let event = |id: &str, at: &str| json!({ "id": id, "type": "t", "accepted_at": at });
        let root = event("evt_1", "2026-12-01T09:00:00Z");
        let caused = json!({
            "event": event("evt_2", "2026-12-01T09:00:00.015Z"),
            "executions": [{
                "execution": { "id": "exe_3", "function": "a", "status": "cancelled",
                    "error": { "code": "EV_004" } },
                "events": [],
            }],
        });
        let executions = json!([
            {
                "execution": { "id": "exe_1", "function": "a", "status": "success",
                    "duration_ms": 12.0, "attempts": 2, "started_at": "2026-12-01T09:00:00.005Z" },
                "events": [caused],
            },
            {
                "execution": { "id": "exe_2", "trigger_name": "b", "status": "pending" },
                "events": [],
            },
        ]);
        let whole = json!({
            "root": { "event": root, "executions": executions }, "truncated": true,
        });
        let shown = anstream::adapter::strip_str(&tree(&whole, "evt_2")).to_string();
        assert_eq!(
            shown,
            "t  evt_1  2026-12-01 09:00:00\n\
             ├─ a  success  12ms  2 attempts  +5.0ms  exe_1\n\
             │  └─ t  evt_2  +15ms\n\
             │     └─ a  cancelled  cut by the loop brake  exe_3\n\
             └─ b  pending  exe_2\n\
             there is more than stands here\n"
        );
        assert_eq!(events_of(&whole), ["evt_1", "evt_2"]);
    }
}

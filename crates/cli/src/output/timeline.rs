//! A timeline of schedules, a line for each thing that happens.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::cells::text;

const DIM: Style = Style::new().dimmed();
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const ODD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// The timeline for people. What takes no time and does not fail is one line.
pub(crate) fn timeline(timeline: &Value) -> String {
    let entries = timeline["entries"].as_array().map_or(&[][..], Vec::as_slice);
    let width = entries.iter().map(|entry| text(&entry["trigger"]).chars().count()).max();
    let mut out = String::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Some(what) = told(entry, &entries[..place]) {
            let name = text(&entry["trigger"]);
            let at = clock(&entry["at"]);
            out.push_str(&format!(
                "{DIM}{at}{DIM:#}  {name:width$}  {what}\n",
                width = width.unwrap_or(0)
            ));
        }
    }
    if timeline["is_cut"] == Value::Bool(true) {
        out.push_str("there is more: look at fewer days or schedules at a time\n");
    }
    out
}

/// What is said of an entry; nothing where another line says it.
fn told(entry: &Value, before: &[Value]) -> Option<String> {
    let attempt = entry["attempt"].as_u64().unwrap_or(1);
    let scheduled = &entry["scheduled"];
    let of = if *scheduled == entry["at"] {
        String::new()
    } else {
        format!(" {DIM}of {}{DIM:#}", clock(scheduled))
    };
    let is_first = attempt == 1;
    Some(match entry["what"].as_str()? {
        "fired" => {
            let late = entry["scheduled"] != entry["at"];
            if late { format!("fires{of}") } else { "fires".to_owned() }
        }
        "started" => {
            let running = entry["running"].as_u64().unwrap_or(1);
            if is_first && running == 1 && has_fired(entry, before) {
                return None;
            }
            let others = if running > 1 { format!(", {running} run") } else { String::new() };
            if is_first {
                format!("begins{others}{of}")
            } else {
                format!("attempt {attempt} begins{others}{of}")
            }
        }
        "succeeded" if is_first && *scheduled == entry["at"] => return None,
        "succeeded" => format!("succeeds{of}"),
        "failed" => match entry["retry_at"].as_str() {
            Some(_) => format!(
                "{ODD}attempt {attempt} fails{ODD:#}, again at {}{of}",
                clock(&entry["retry_at"])
            ),
            None => format!("{BAD}attempt {attempt} fails, the last{BAD:#}{of}"),
        },
        "skipped" => format!("{ODD}is skipped{ODD:#}: {}{of}", text(&entry["why"])),
        other => other.to_owned(),
    })
}

/// Whether a line before says that it fired at this same instant.
fn has_fired(entry: &Value, before: &[Value]) -> bool {
    before.iter().rev().take_while(|other| other["at"] == entry["at"]).any(|other| {
        other["what"] == "fired"
            && other["trigger"] == entry["trigger"]
            && other["scheduled"] == entry["scheduled"]
    })
}

/// An instant as it is read on a clock.
fn clock(at: &Value) -> String {
    let at = text(at);
    match at.split_once('T') {
        Some((day, time)) => {
            let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
            format!("{day} {}", time[..end].split('.').next().unwrap_or_default())
        }
        None => at.to_owned(),
    }
}

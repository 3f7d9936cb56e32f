//! Instants: a cron expression, an interval, or one of them.

mod config;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use source::ScheduleSource;

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

fn descriptor() -> Descriptor {
    let text = |what: &str| json!({ "type": "string", "minLength": 1, "description": what });
    let instant = |what: &str| {
        let what = format!("{what} RFC 3339, or without an offset by the clock of `timezone`.");
        json!({ "type": "string", "minLength": 1, "description": what })
    };
    let policy = json!({ "enum": ["skip", "last", "all"] });
    let max = json!({ "type": "integer", "minimum": 1, "maximum": 10_000, "default": 100 });
    Descriptor {
        kind: "schedule",
        title: "Schedule",
        summary: "Runs at instants: by a cron expression, an interval, or once.",
        schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "oneOf": [{ "required": ["cron"] }, { "required": ["every"] }, { "required": ["at"] }],
            "properties": {
                "cron": text("A cron expression of five fields, six with seconds, or a nickname such as `@daily`."),
                "every": text("An interval, such as `5m`: 1s to ten years."),
                "at": instant("The one instant."),
                "timezone": text("A name of the tz database, such as `Europe/Berlin`; UTC where none is given."),
                "start": instant("The first instant at which it may fire."),
                "end": instant("The last instant at which it may fire."),
                "jitter": text("Spreads occurrences over so long after their instant: up to 24h."),
                "missed": {
                    "description": "What becomes of occurrences that were missed while the server was down.",
                    "default": "last",
                    "anyOf": [
                        policy,
                        {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["policy"],
                            "properties": {
                                "policy": policy,
                                "max": max,
                                "within": text("How far back they may lie; 24h unless given, at most 31d."),
                            },
                        },
                    ],
                },
                "input": { "description": "What each occurrence carries." },
            },
        }),
        example: json!({ "cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin" }),
        docs: "triggers/schedule.md",
        runs: Runs::OneNode,
    }
}

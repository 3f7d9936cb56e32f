//! The polls of a manifest: the function of the manifest is the one that is asked, and the one that
//! runs unless `run` names another.

use evoke_model::Target;
use schemars::Schema;
use serde_json::json;

use crate::manifest::check_name;
use crate::reader::{Report, Table, Wrong};
use crate::values::some_text;

/// The kind this is about.
pub const KIND: &str = "poll";

/// Says which function is asked, and gives back where executions go.
pub fn of_manifest(entry: &mut Table, function: &str, report: &mut Report) -> Option<Target> {
    if entry.peek("function").is_some() {
        let wrong = Wrong::new(format!("the function that is asked is {function:?}, its own"));
        let hint = "leave it out; `run` names another function that gets what fires";
        report.problem(entry.path("function"), wrong.suggest(hint));
        return None;
    }
    entry.put("function", function.into(), "function");
    let at = entry.path("run");
    let is_given = entry.peek("run").is_some();
    let run = entry.read("run", report, some_text);
    if !is_given {
        return Some(Target::function(function));
    }
    let run = run?;
    report.keep(&at, check_name(&run))?;
    Some(Target::function(&run))
}

/// What the schema of a manifest says of polls.
pub fn describe(trigger: &mut Schema) {
    let duration = |what: &str| {
        let text = json!({ "type": "string", "minLength": 1 });
        let number = json!({ "type": "number", "exclusiveMinimum": 0 });
        json!({ "description": what, "anyOf": [text, number] })
    };
    let fields = json!({
        "every": duration("From one question to the next, 1s to 1d; a bare number is seconds."),
        "poll_timeout": duration("How long an answer may take, up to 15m. Default: 10s."),
        "allow_concurrent": {
            "description": "Whether it fires while an execution with the same context is open. \
                            Default: false.",
            "type": "boolean",
        },
        "run": {
            "description": "The function that gets what fires. Default: the one that is asked.",
            "type": "string",
            "minLength": 1,
        },
        "function": false,
    });
    let is_poll = json!({ "properties": { "type": { "const": KIND } }, "required": ["type"] });
    let then = json!({ "properties": fields, "required": ["every"] });
    trigger.insert("allOf".to_owned(), json!([{ "if": is_poll, "then": then }]));
}

use std::ops::RangeInclusive;

use evoke_model::{Millis, Problem};
use evoke_ports::{Fields, Poll, Repeats};
use serde_json::{Value, json};

const KNOWN: &[&str] =
    &["function", "every", "poll_timeout", "pollTimeout", "allow_concurrent", "allowConcurrent"];

/// Below a second, what is asked for is an event; above a day, it is a schedule.
const EVERY: RangeInclusive<Millis> = Millis::from_secs(1)..=Millis::from_secs(86_400);

/// As long as a function may take at most.
const TIMEOUT: RangeInclusive<Millis> = Millis::new(1)..=Millis::from_secs(15 * 60);

const TIMEOUT_DEFAULT: Millis = Millis::from_secs(10);

/// The configuration in its canonical form: all fields, durations as people write them.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let function = fields.required_text("function").unwrap_or_default();
    if fields.get("every").is_none() {
        let problem = Problem::new("every", "is missing: say how often to ask");
        fields.problem(problem.suggest("\"every\": \"30s\""));
    }
    let every = within(&mut fields, "every", EVERY).unwrap_or_default();
    let timeout = fields
        .one_of(&["poll_timeout", "pollTimeout"])
        .and_then(|(name, _)| within(&mut fields, name, TIMEOUT))
        .unwrap_or(TIMEOUT_DEFAULT);
    let repeats = fields
        .one_of(&["allow_concurrent", "allowConcurrent"])
        .and_then(|(name, _)| fields.read::<bool>(name))
        .unwrap_or_default();
    let canonical = json!({
        "function": function,
        "every": every,
        "poll_timeout": timeout,
        "allow_concurrent": repeats,
    });
    fields.finish(canonical)
}

fn within(
    fields: &mut Fields<'_>,
    name: &'static str,
    range: RangeInclusive<Millis>,
) -> Option<Millis> {
    let value: Millis = fields.read(name)?;
    if !range.contains(&value) {
        let message = format!("must be {} to {}, is {value}", range.start(), range.end());
        fields.problem(Problem::new(name, message));
    }
    Some(value)
}

/// What a checked configuration asks for.
pub(super) fn poll(config: &Value) -> Option<Poll> {
    let duration = |name: &str| config.get(name)?.as_str()?.parse().ok();
    let allows = config.get("allow_concurrent").and_then(Value::as_bool).unwrap_or_default();
    Some(Poll {
        function: config.get("function")?.as_str()?.to_owned(),
        every: duration("every")?,
        timeout: duration("poll_timeout").unwrap_or(TIMEOUT_DEFAULT),
        repeats: if allows { Repeats::Run } else { Repeats::Skip },
    })
}

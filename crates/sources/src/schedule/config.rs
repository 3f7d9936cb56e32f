use evoke_model::Problem;
use evoke_ports::{Fields, Recurring};
use evoke_schedule::{Schedule, Spec};
use serde_json::{Map, Value, json};

const KNOWN: &[&str] = &[
    "cron", "every", "interval", "at", "run_at", "timezone", "tz", "zone", "start", "end",
    "jitter", "missed", "input",
];
const EVERY: &[&str] = &["every", "interval"];
const AT: &[&str] = &["at", "run_at"];
const ZONE: &[&str] = &["timezone", "tz", "zone"];
const MISSED: &[&str] = &["policy", "max", "within"];

/// The configuration in its canonical form.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let mut canonical = Map::new();
    for (name, names) in [("every", EVERY), ("at", AT), ("timezone", ZONE)] {
        if let Some((given, value)) = fields.one_of(names) {
            let is_text = value.is_string();
            if !is_text {
                fields.problem(Problem::new(given, "expected a text"));
            }
            canonical.extend(is_text.then(|| (name.to_owned(), value.clone())));
        }
    }
    for name in ["cron", "start", "end", "jitter"] {
        canonical.extend(fields.text(name).map(|text| (name.to_owned(), text.into())));
    }
    if let Some(missed) = fields.get("missed") {
        let missed = missed_of(missed, &mut fields);
        canonical.insert("missed".to_owned(), missed);
    }
    if let Some(input) = fields.get("input") {
        canonical.insert("input".to_owned(), input.clone());
    }
    let canonical = fields.finish(Value::Object(canonical))?;
    schedule(&canonical)?;
    Ok(canonical)
}

/// What becomes of missed occurrences, as an object.
fn missed_of(value: &Value, fields: &mut Fields<'_>) -> Value {
    let object = match value {
        Value::String(policy) => json!({ "policy": policy }),
        other => other.clone(),
    };
    let mut inner = Fields::new(&object, MISSED);
    inner.required_text("policy");
    inner.text("within");
    if inner.get("max").is_some_and(|max| !max.is_u64()) {
        inner.problem(Problem::new("max", "expected a whole number (1 to 10,000)"));
    }
    if let Err(problems) = inner.finish(()) {
        for problem in problems {
            let field = match problem.field.as_str() {
                "" => "missed".to_owned(),
                field => format!("missed.{field}"),
            };
            fields.problem(Problem { field, ..problem });
        }
    }
    object
}

/// The schedule of a checked configuration.
pub(super) fn recurring(config: &Value) -> Option<Recurring> {
    let input = config.get("input").cloned().unwrap_or_else(|| json!({}));
    Some(Recurring { schedule: schedule(config).ok()?, input })
}

fn schedule(config: &Value) -> Result<Schedule, Vec<Problem>> {
    let text = |name: &str| config.get(name)?.as_str();
    let missed = |name: &str| config.get("missed")?.get(name);
    let spec = Spec {
        cron: text("cron"),
        every: text("every"),
        at: text("at"),
        timezone: text("timezone"),
        start: text("start"),
        end: text("end"),
        jitter: text("jitter"),
        missed: missed("policy").and_then(Value::as_str),
        missed_max: missed("max").and_then(Value::as_u64),
        missed_within: missed("within").and_then(Value::as_str),
    };
    Schedule::new(spec)
}

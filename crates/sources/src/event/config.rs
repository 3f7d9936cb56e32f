use evoke_matching::{Pattern, Separator};
use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::Fields;
use serde_json::{Map, Value};

const MATCH: &[&str] = &["match", "type", "event", "event_type", "eventType"];
const KNOWN: &[&str] = &["match", "type", "event", "event_type", "eventType", "source", "subject"];

/// The configuration in its canonical form: the patterns over the type under `match`.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let mut canonical = Map::new();
    if let Some((name, value)) = fields.one_of(MATCH) {
        let patterns = fields.texts_of(name, value);
        for (place, pattern) in patterns.iter().enumerate() {
            let field = if value.is_array() { format!("{name}[{place}]") } else { name.to_owned() };
            check_pattern(&mut fields, &field, pattern, Separator::Dot);
        }
        canonical.insert("match".to_owned(), value.clone());
    }
    for name in ["source", "subject"] {
        if let Some(pattern) = fields.text(name) {
            check_pattern(&mut fields, name, pattern, Separator::Slash);
            canonical.insert(name.to_owned(), pattern.into());
        }
    }
    if canonical.is_empty() {
        fields.problem(
            Problem::new("match", "say which events are wanted, by match, source or subject")
                .suggest("\"match\": \"**\" for all"),
        );
    }
    fields.finish(Value::Object(canonical))
}

fn check_pattern(fields: &mut Fields<'_>, field: &str, pattern: &str, separator: Separator) {
    if let Err(problem) = Pattern::parse(pattern, separator) {
        fields.problem(Problem { field: field.to_owned(), ..problem });
    }
}

/// What a checked configuration wants; a list becomes one pattern with alternatives.
pub(super) fn subscription(config: &Value) -> Subscription {
    let text = |name: &str| config.get(name)?.as_str().map(str::to_owned);
    let kind = match config.get("match") {
        Some(Value::Array(patterns)) => {
            let patterns: Vec<&str> = patterns.iter().filter_map(Value::as_str).collect();
            (!patterns.is_empty()).then(|| patterns.join("|"))
        }
        _ => text("match"),
    };
    Subscription { kind, source: text("source"), subject: text("subject"), filter: None }
}

/// What stands for a wildcard in the type of a sample.
const SAMPLE: &str = "sample";

/// A type that a checked configuration wants: its first pattern with its wildcards filled in.
pub(super) fn sample_type(config: &Value) -> String {
    let kind = subscription(config).kind.unwrap_or_else(|| "**".to_owned());
    let first = kind.split('|').next().unwrap_or_default();
    let filled = first.split('.').map(|segment| match segment {
        "**" => SAMPLE.to_owned(),
        glob => glob.replace('*', SAMPLE),
    });
    filled.collect::<Vec<_>>().join(".")
}

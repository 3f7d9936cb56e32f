//! Reading a policy: every part is looked at for itself, so that one that is wrong hides no other,
//! and each problem has the path of its own field.

use std::sync::LazyLock;

use evoke_model::policy::DebounceMode;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Millis, Policy, Problem, overlap};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The JSON Schema of a policy: it knows the names that are allowed at each place.
static POLICY: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Policy).to_value());

/// The fields that are objects, each with only what it must have and values that are right.
static WHOLE: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let whole = json!({
        "retry": {},
        "concurrency": { "limit": 1 },
        "batch": { "size": 1 },
        "debounce": { "wait": "1s" },
        "rate": { "limit": 1, "per": "1s" },
        "idempotency": { "key": "event.id" },
        "dead_letter": { "publish": "event.failed" },
    });
    if let Value::Object(whole) = whole { whole } else { Map::new() }
});

/// Fields that may be written in several ways: their reader only knows that none of them fits.
const FORMS: [(&str, &str); 3] = [
    ("debounce", "expected a duration like 30s, or an object with `wait`"),
    ("priority", "expected a whole number, or a CEL expression that gives one"),
    ("dead_letter", "expected true, false or { \"publish\": TYPE }"),
];

/// Reads a policy; the default one where it is not given, and beside problems.
pub(super) fn read(policy: Option<Value>, problems: &mut Vec<Problem>) -> Policy {
    let fields = match policy {
        None | Some(Value::Null) => return Policy::default(),
        Some(Value::Object(mut fields)) => {
            match overlap::concurrency(&mut fields) {
                Ok(None) => {}
                Ok(Some(limit)) => {
                    fields.insert("concurrency".to_owned(), limit);
                }
                Err(wrong) => problems.extend(wrong.into_iter().map(|problem| Problem {
                    field: format!("policy.{}", problem.field),
                    ..problem
                })),
            }
            fields
        }
        Some(_) => {
            problems.push(Problem::new("policy", "expected an object"));
            return Policy::default();
        }
    };
    let policy = Value::Object(fields);
    let mut found = Vec::new();
    unknown_names(&POLICY, &policy, "policy", &mut found);
    let unknown: Vec<String> = found.iter().map(|problem| problem.field.clone()).collect();
    for (name, value) in policy.as_object().into_iter().flatten() {
        let path = format!("policy.{name}");
        match (WHOLE.get(name), value) {
            (Some(Value::Object(whole)), Value::Object(parts)) => {
                let mut parts = parts.clone();
                parts.retain(|part, _| !unknown.contains(&format!("{path}.{part}")));
                each_part((name, whole), &parts, &path, &mut found);
            }
            _ if unknown.contains(&path) => {}
            _ => {
                let alone = Policy::deserialize(json!({ name: value }));
                found.extend(alone.err().map(|error| field_problem(name, &error)));
            }
        }
    }
    if found.is_empty() {
        return Policy::deserialize(policy).unwrap_or_else(|error| {
            problems.push(Problem::new("policy", words(&error)));
            Policy::default()
        });
    }
    problems.extend(found);
    Policy::default()
}

/// Checks the parts of a field that is an object, and that all it must have are there.
fn each_part(
    (name, whole): (&str, &Map<String, Value>),
    parts: &Map<String, Value>,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    for missing in whole.keys().filter(|part| !parts.contains_key(*part)) {
        problems.push(Problem::new(format!("{path}.{missing}"), "is required"));
    }
    for (part, value) in parts {
        if let Some(message) = wrong_part(name, whole, (part, value)) {
            problems.push(Problem::new(format!("{path}.{part}"), message));
        }
    }
}

/// Why a part cannot be read.
fn wrong_part(
    name: &str,
    whole: &Map<String, Value>,
    (part, value): (&str, &Value),
) -> Option<String> {
    let mut changed = whole.clone();
    changed.insert(part.to_owned(), value.clone());
    let error = Policy::deserialize(json!({ name: changed })).err()?;
    // What may be written in several ways does not tell why none fits.
    let error = match name {
        "debounce" => DebounceParts::deserialize(json!({ part: value })).err().unwrap_or(error),
        "dead_letter" => String::deserialize(value).err().unwrap_or(error),
        _ => error,
    };
    Some(words(&error))
}

/// The object form of a debounce, each part for itself.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only the reader's errors are wanted")]
struct DebounceParts {
    wait: Option<Millis>,
    key: Option<String>,
    max_wait: Option<Millis>,
    mode: Option<DebounceMode>,
}

fn field_problem(name: &str, error: &serde_json::Error) -> Problem {
    let form = FORMS.iter().find(|(field, _)| *field == name);
    let message = form.map_or_else(|| words(error), |(_, expected)| (*expected).to_owned());
    Problem::new(format!("policy.{name}"), message)
}

/// The reader's message without the names of its types.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    ["u32", "i32"].iter().fold(text, |text, kind| {
        text.replace(&format!("expected {kind}"), "expected a whole number")
    })
}

/// Finds names the schema does not allow, at every depth it describes.
fn unknown_names(schema: &Value, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let (Some(known), Some(fields)) = (properties(schema), value.as_object()) else { return };
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        match known.get(name) {
            Some(inner) => unknown_names(inner, value, &path, problems),
            None => {
                let names = known.keys().map(String::as_str);
                let hint = did_you_mean(name, names);
                problems.push(Problem::new(path, "is not a field of a policy").suggest(hint));
            }
        }
    }
}

/// The properties of an object's schema, found through references and `null` alternatives.
fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    if let Some(Value::Object(properties)) = schema.get("properties") {
        return Some(properties);
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return properties(POLICY.pointer(reference.strip_prefix('#')?)?);
    }
    schema.get("anyOf")?.as_array()?.iter().find_map(properties)
}

#[cfg(test)]
mod tests {
    use evoke_model::policy::{DeadLetter, Debounce, Priority};

    use super::*;

    fn problems(policy: Value) -> Vec<String> {
        let mut problems = Vec::new();
        read(Some(policy), &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_form_is_read() {
        let mut problems = Vec::new();
        let policy = read(
            Some(json!({
                "debounce": "2s", "priority": "event.data.n", "dead_letter": { "publish": "a.b" },
                "rate": { "limit": 2, "per": 1, "key": null, "burst": 1 }, "retry": null,
                "batch": { "size": 2, "wait": "1s", "bytes": "1mb", "key": "event.subject" },
                "idempotency": { "key": "event.id", "ttl": "1h" },
                "concurrency": { "limit": 1, "overflow": "cancel" },
            })),
            &mut problems,
        );
        assert_eq!(problems, []);
        assert_eq!(policy.debounce, Some(Debounce::after(Millis::from_secs(2))));
        assert_eq!(policy.priority, Priority::By("event.data.n".to_owned()));
        assert_eq!(policy.dead_letter_event(), Some("a.b"));
        assert_eq!(policy.rate.and_then(|rate| rate.burst), Some(1));
        let other = read(
            Some(json!({
                "debounce": { "wait": 1, "max_wait": "1m", "mode": "all", "key": "event.subject" },
                "priority": -3, "dead_letter": false,
            })),
            &mut problems,
        );
        assert_eq!(problems, []);
        assert_eq!(other.debounce.and_then(|d| d.max_wait), Some(Millis::from_secs(60)));
        assert_eq!(other.dead_letter, Some(DeadLetter::Kept(false)));
        assert_eq!(read(None, &mut problems), Policy::default());
    }

    #[test]
    fn every_part_that_is_wrong_is_told_with_its_path() {
        let found = problems(json!({
            "rate": { "limit": -1, "pre": "1s", "burst": "many", "key": 7 },
            "debounce": { "wait": "soon", "mode": "frist", "keys": "x", "max_wait": [] },
            "batch": { "size": 1.5, "bytes": "x", "key": {} },
            "idempotency": { "ttl": "x" },
            "dead_letter": { "publish": 7, "to": "x" },
            "concurrency": { "overflow": "drop" },
            "retry": { "attempts": "3", "jitter": 1 },
            "priority": 1.5,
            "filter": 1,
        }));
        let expected = [
            "policy.batch.bytes: expected a size like",
            "policy.batch.key: invalid type: map, expected a string",
            "policy.batch.size: invalid type: floating point `1.5`, expected a whole number",
            "policy.concurrency.limit: is required",
            "policy.concurrency.overflow: unknown variant `drop`",
            "policy.dead_letter.publish: invalid type: integer `7`, expected a string",
            "policy.dead_letter.to: is not a field of a policy (one of: publish)",
            "policy.debounce.keys: is not a field of a policy (did you mean \"key\"?)",
            "policy.debounce.max_wait: invalid type: sequence, expected a text like 30s",
            "policy.debounce.mode: unknown variant `frist`",
            "policy.debounce.wait: expected a duration like",
            "policy.filter: invalid type: integer `1`, expected a string",
            "policy.idempotency.key: is required",
            "policy.idempotency.ttl: expected a duration like",
            "policy.priority: expected a whole number, or a CEL expression",
            "policy.rate.burst: invalid type: string \"many\", expected a whole number",
            "policy.rate.key: invalid type: integer `7`, expected a string",
            "policy.rate.limit: invalid value: integer `-1`, expected a whole number",
            "policy.rate.per: is required",
            "policy.rate.pre: is not a field of a policy (did you mean \"per\"?)",
            "policy.retry.attempts: invalid type: string \"3\", expected a whole number",
            "policy.retry.jitter: invalid type: integer `1`, expected a boolean",
        ];
        let mut found = found;
        found.sort_unstable();
        for (line, expected) in found.iter().zip(expected) {
            assert!(line.starts_with(expected), "{expected}: {line}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn what_may_be_written_in_several_ways_says_in_which() {
        for (policy, expected) in [
            (json!({ "debounce": true }), "policy.debounce: expected a duration like 30s, or"),
            (json!({ "debounce": "soon" }), "policy.debounce: expected a duration like 30s, or"),
            (json!({ "priority": null }), "policy.priority: expected a whole number, or a CEL"),
            (json!({ "dead_letter": "yes" }), "policy.dead_letter: expected true, false or {"),
            (json!({ "rate": 7 }), "policy.rate: "),
            (json!([]), "policy: expected an object"),
        ] {
            let found = problems(policy);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
        }
    }

    #[test]
    fn the_objects_named_here_are_those_of_a_policy() {
        let known = properties(&POLICY).expect("an object");
        let objects: Vec<&String> = known
            .iter()
            .filter(|(_, schema)| properties(schema).is_some())
            .map(|(n, _)| n)
            .collect();
        let mut named: Vec<&String> = WHOLE.keys().collect();
        named.sort_unstable();
        let mut objects = objects;
        objects.sort_unstable();
        assert_eq!(named, objects);
        for (name, whole) in WHOLE.iter() {
            assert_eq!(problems(json!({ name: whole })), Vec::<String>::new());
        }
    }
}

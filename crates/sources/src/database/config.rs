use evoke_matching::{Pattern, Separator};
use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use evoke_model::trigger::Subscription;
use evoke_ports::Fields;
use serde_json::{Value, json};

const COLLECTION: &[&str] = &["collection", "collections", "source"];
const EVENTS: &[&str] = &["events", "event", "actions", "action"];
const KNOWN: &[&str] =
    &["collection", "events", "collections", "source", "event", "actions", "action"];

/// What happens to documents, in the order of their lives.
const ACTIONS: [&str; 3] = ["create", "update", "delete"];

/// The same by another name.
const INSERT: &str = "insert";

/// As a collection's own name.
const NAME_LEN_MAX: usize = 63;

/// The configuration in its canonical form: one collection as a text, several as a list, and all
/// the actions that are wanted.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let collections = collections(&mut fields);
    let events = events(&mut fields);
    let pattern = kinds(&collections, &events);
    if let Err(problem) = Pattern::parse(&pattern, Separator::Dot)
        && !pattern.is_empty()
    {
        fields.problem(Problem { field: "collection".to_owned(), ..problem });
    }
    let collection = match collections.as_slice() {
        [only] => json!(only),
        several => json!(several),
    };
    fields.finish(json!({ "collection": collection, "events": events }))
}

fn collections<'a>(fields: &mut Fields<'a>) -> Vec<&'a str> {
    let Some((name, value)) = fields.one_of(COLLECTION) else {
        let problem = Problem::new("collection", "is missing: say whose documents are meant");
        fields.problem(problem.suggest("\"collection\": \"users\", or \"*\" for all"));
        return Vec::new();
    };
    let mut collections = Vec::new();
    for (place, text) in fields.texts_of(name, value).into_iter().enumerate() {
        match wrong_with(text) {
            None if collections.contains(&text) => {}
            None => collections.push(text),
            Some(wrong) => fields.problem(Problem::new(at(name, value, place), wrong)),
        }
    }
    collections
}

/// The field of one of several values.
fn at(name: &str, value: &Value, place: usize) -> String {
    if value.is_array() { format!("{name}[{place}]") } else { name.to_owned() }
}

/// Why a text is no pattern over names of collections.
fn wrong_with(text: &str) -> Option<String> {
    let is_begun = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
    let is_spelled =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
    // Two of them would stand for names with dots in them, which there are not.
    let is_plain = !text.contains("**");
    let is_good = is_begun && is_spelled && is_plain && text.len() <= NAME_LEN_MAX;
    (!is_good).then(|| {
        format!(
            "expected the name of a collection: a letter, then letters, digits, \"_\" and \"-\", \
             at most {NAME_LEN_MAX}, with \"*\" for any run of characters"
        )
    })
}

fn events(fields: &mut Fields<'_>) -> Vec<&'static str> {
    let Some((name, value)) = fields.one_of(EVENTS) else { return ACTIONS.to_vec() };
    let given = fields.texts_of(name, value);
    if given == ["*"] {
        return ACTIONS.to_vec();
    }
    let mut wanted = Vec::new();
    for (place, text) in given.iter().enumerate() {
        let canonical = if *text == INSERT { ACTIONS[0] } else { text };
        if ACTIONS.contains(&canonical) {
            wanted.push(canonical);
            continue;
        }
        let problem =
            Problem::new(at(name, value, place), format!("{text:?} does not happen to documents"));
        fields.problem(problem.suggest(did_you_mean(text, ACTIONS)));
    }
    ACTIONS.into_iter().filter(|action| wanted.contains(action)).collect()
}

/// The types of events: one for each collection and action. What was refused has another type,
/// which none of them takes.
fn kinds(collections: &[&str], events: &[&str]) -> String {
    let of = |collection: &&str| {
        let kinds = events.iter().map(|event| format!("database.{collection}.{event}"));
        kinds.collect::<Vec<_>>()
    };
    collections.iter().flat_map(of).collect::<Vec<_>>().join("|")
}

fn texts<'a>(config: &'a Value, name: &str) -> Vec<&'a str> {
    match config.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What a checked configuration wants.
pub(super) fn subscription(config: &Value) -> Subscription {
    let collections = texts(config, "collection");
    let source = match collections.as_slice() {
        [only] => format!("/database/{only}"),
        _ => "/database/*".to_owned(),
    };
    let kind = kinds(&collections, &texts(config, "events"));
    Subscription { kind: Some(kind), source: Some(source), ..Subscription::default() }
}

/// A collection and an action that a checked configuration wants.
pub(super) fn sample(config: &Value) -> (String, &'static str) {
    let collection = texts(config, "collection").first().map_or("users", |first| *first);
    let collection = match collection {
        "*" => "users".to_owned(),
        pattern => pattern.replace('*', "sample"),
    };
    let wanted = texts(config, "events");
    let action = ACTIONS.into_iter().find(|action| wanted.contains(action)).unwrap_or(ACTIONS[0]);
    (collection, action)
}

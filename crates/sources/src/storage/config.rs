use evoke_matching::{Pattern, Separator};
use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use evoke_model::trigger::Subscription;
use evoke_ports::Fields;
use serde_json::{Map, Value, json};

const BUCKET: &[&str] = &["bucket", "buckets", "source"];
const EVENTS: &[&str] = &["events", "event", "actions", "action"];
const PREFIX: &[&str] = &["prefix", "prefixes"];
const CONTENT_TYPE: &[&str] = &["content_type", "content_types", "contentType", "contentTypes"];
const KNOWN: &[&str] = &[
    "bucket",
    "events",
    "prefix",
    "content_type",
    "buckets",
    "source",
    "event",
    "actions",
    "action",
    "prefixes",
    "content_types",
    "contentType",
    "contentTypes",
];

/// What happens to files, in the order of their lives.
const ACTIONS: [&str; 2] = ["upload", "delete"];

/// As a bucket's own name.
const BUCKET_LEN_MAX: usize = 63;
/// As a file's own name.
const PREFIX_LEN_MAX: usize = 1_024;
/// Each is part of an expression that is evaluated for each file.
const TEXTS_MAX: usize = 20;

/// The configuration in its canonical form: one of a thing as a text, several as a list, and all
/// the actions that are wanted.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let mut canonical = Map::new();
    let buckets = buckets(&mut fields);
    let events = events(&mut fields);
    let pattern = kinds(&buckets, &events);
    if let Err(problem) = Pattern::parse(&pattern, Separator::Dot)
        && !pattern.is_empty()
    {
        fields.problem(Problem { field: "bucket".to_owned(), ..problem });
    }
    canonical.insert("bucket".to_owned(), one_or_many(&buckets));
    canonical.insert("events".to_owned(), json!(events));
    let prefixes = checked(&mut fields, PREFIX, wrong_with_prefix);
    if !prefixes.is_empty() {
        canonical.insert("prefix".to_owned(), one_or_many(&prefixes));
    }
    let types = checked(&mut fields, CONTENT_TYPE, wrong_with_type);
    if !types.is_empty() {
        canonical.insert("content_type".to_owned(), one_or_many(&types));
    }
    fields.finish(Value::Object(canonical))
}

fn one_or_many(texts: &[String]) -> Value {
    match texts {
        [only] => json!(only),
        several => json!(several),
    }
}

/// The texts under one of these names, without repetitions; what is wrong with one is a problem.
fn checked(
    fields: &mut Fields<'_>,
    names: &[&'static str],
    wrong_with: fn(&str) -> Option<String>,
) -> Vec<String> {
    let Some((name, value)) = fields.one_of(names) else { return Vec::new() };
    let mut texts: Vec<String> = Vec::new();
    for (place, text) in fields.texts_of(name, value).into_iter().enumerate() {
        match wrong_with(text) {
            None if texts.iter().any(|known| known == text) => {}
            None => texts.push(text.to_owned()),
            Some(wrong) => fields.problem(Problem::new(at(name, value, place), wrong)),
        }
    }
    if texts.len() > TEXTS_MAX {
        fields.problem(Problem::new(name, format!("may have {TEXTS_MAX} entries at most")));
    }
    texts
}

/// The field of one of several values.
fn at(name: &str, value: &Value, place: usize) -> String {
    if value.is_array() { format!("{name}[{place}]") } else { name.to_owned() }
}

fn buckets(fields: &mut Fields<'_>) -> Vec<String> {
    if BUCKET.iter().all(|name| fields.get(name).is_none()) {
        let problem = Problem::new("bucket", "is missing: say whose files are meant");
        fields.problem(problem.suggest("\"bucket\": \"uploads\", or \"*\" for all"));
    }
    checked(fields, BUCKET, wrong_with_bucket)
}

/// Why a text is no pattern over names of buckets.
fn wrong_with_bucket(text: &str) -> Option<String> {
    let is_begun = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*');
    let is_spelled =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
    // Two of them would stand for names with dots in them, which there are not.
    let is_plain = !text.contains("**");
    let is_good = is_begun && is_spelled && is_plain && text.len() <= BUCKET_LEN_MAX;
    (!is_good).then(|| {
        format!(
            "expected the name of a bucket: a letter or digit, then letters, digits, \"_\" and \
             \"-\", at most {BUCKET_LEN_MAX}, with \"*\" for any run of characters"
        )
    })
}

fn wrong_with_prefix(text: &str) -> Option<String> {
    let is_good =
        !text.is_empty() && text.len() <= PREFIX_LEN_MAX && !text.contains(char::is_control);
    (!is_good).then(|| format!("expected the beginning of a name: 1 to {PREFIX_LEN_MAX} bytes"))
}

fn wrong_with_type(text: &str) -> Option<String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    let is_good = match text.split_once('/') {
        Some(("*", rest)) => rest == "*",
        Some((first, rest)) => is_word(first) && (rest == "*" || is_word(rest)),
        None => false,
    };
    (!is_good).then(|| "expected a media type: image/png, or image/* for all of a kind".to_owned())
}

fn events(fields: &mut Fields<'_>) -> Vec<&'static str> {
    let Some((name, value)) = fields.one_of(EVENTS) else { return ACTIONS.to_vec() };
    let given = fields.texts_of(name, value);
    if given == ["*"] {
        return ACTIONS.to_vec();
    }
    for (place, text) in given.iter().enumerate() {
        if !ACTIONS.contains(text) {
            let what = format!("{text:?} does not happen to files");
            let problem = Problem::new(at(name, value, place), what);
            fields.problem(problem.suggest(did_you_mean(text, ACTIONS)));
        }
    }
    ACTIONS.into_iter().filter(|action| given.contains(action)).collect()
}

/// The types of events: one for each bucket and action.
fn kinds<T: AsRef<str>>(buckets: &[T], events: &[&str]) -> String {
    let of = |bucket: &T| {
        let bucket = bucket.as_ref().to_owned();
        events.iter().map(move |event| format!("storage.{bucket}.{event}"))
    };
    buckets.iter().flat_map(of).collect::<Vec<_>>().join("|")
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
    let buckets = texts(config, "bucket");
    let source = match buckets.as_slice() {
        [only] => format!("/storage/{only}"),
        _ => "/storage/*".to_owned(),
    };
    let kind = kinds(&buckets, &texts(config, "events"));
    let conditions =
        [any_of(texts(config, "prefix"), begins), any_of(texts(config, "content_type"), is_of)];
    let conditions: Vec<_> = conditions.into_iter().flatten().collect();
    Subscription {
        kind: Some(kind),
        source: Some(source),
        subject: None,
        filter: (!conditions.is_empty()).then(|| conditions.join(" && ")),
    }
}

/// An expression that holds where it does for one of these.
fn any_of(texts: Vec<&str>, holds: fn(&str) -> String) -> Option<String> {
    let alternatives: Vec<_> = texts.into_iter().map(holds).collect();
    (!alternatives.is_empty()).then(|| format!("({})", alternatives.join(" || ")))
}

fn begins(prefix: &str) -> String {
    format!("event.data.file.name.startsWith({})", json!(prefix))
}

/// Media types are stored with what stands before the parameters in lower case.
fn is_of(pattern: &str) -> String {
    const TYPE: &str = "event.data.file.content_type";
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some("*/") => "true".to_owned(),
        Some(begin) => format!("{TYPE}.startsWith({})", json!(begin)),
        None => {
            let with_parameters = json!(format!("{pattern};"));
            format!("{TYPE} == {} || {TYPE}.startsWith({with_parameters})", json!(pattern))
        }
    }
}

/// A file and an action that a checked configuration wants.
pub(super) struct SampleFile {
    pub(super) bucket: String,
    pub(super) action: &'static str,
    pub(super) name: String,
    pub(super) content_type: String,
}

pub(super) fn sample(config: &Value) -> SampleFile {
    let bucket = match texts(config, "bucket").first() {
        None | Some(&"*") => "uploads".to_owned(),
        Some(pattern) => pattern.replace('*', "sample"),
    };
    let wanted = texts(config, "events");
    let action = ACTIONS.into_iter().find(|action| wanted.contains(action)).unwrap_or(ACTIONS[0]);
    let (content_type, name) = match texts(config, "content_type").first() {
        None | Some(&"*/*") => ("text/plain".to_owned(), "hello.txt"),
        Some(&"image/*") => ("image/png".to_owned(), "hello.png"),
        Some(pattern) => (pattern.replace('*', "sample"), "hello"),
    };
    let prefix = texts(config, "prefix").first().map_or("", |prefix| *prefix);
    SampleFile { bucket, action, name: format!("{prefix}{name}"), content_type }
}

//! What a document may be.

use std::io;

use evoke_model::Problem;
use serde_json::{Map, Value};

/// A document is read, compared and handed to functions whole, and two of it are in each event of
/// its change: events have 10 MB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Deeper JSON is not written by people, and is walked by recursion.
pub const DEPTH_MAX: usize = 32;

/// Names are parts of paths, which have 200 characters.
pub const NAME_CHARS_MAX: usize = 200;

/// More names at the top are values: a list or an object of its own is the place for them. Each
/// that changes is told with each event.
pub const FIELDS_MAX: usize = 1_000;

/// Ids stand in addresses, where each character may take twelve.
pub const ID_CHARS_MAX: usize = 200;

/// So many problems tell enough of a document that is wrong throughout.
const PROBLEMS_MAX: usize = 20;

/// Checks an id.
///
/// # Errors
/// What is wrong with it.
pub fn check_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() || id.len() > 4 * ID_CHARS_MAX || id.chars().count() > ID_CHARS_MAX {
        return Err("an id has 1 to 200 characters");
    }
    if matches!(id, "." | "..") || id.contains('/') || id.contains(char::is_control) {
        return Err("an id has no \"/\" and no control characters, and is not \".\" or \"..\"");
    }
    Ok(())
}

/// Checks the fields of a document, wherever they came from. `at` is where they stand in what was
/// given; empty where they are the whole.
///
/// # Errors
/// What is wrong with them, the first 20 of it.
pub fn check_fields(fields: &Map<String, Value>, at: &str) -> Result<(), Vec<Problem>> {
    let mut checker = Checker { problems: Vec::new() };
    if fields.len() > FIELDS_MAX {
        let message = format!("a document has at most {FIELDS_MAX} fields, not {}", fields.len());
        checker.problem(at, message);
    } else {
        checker.object(fields, &mut at.to_owned(), 1);
    }
    let bytes = bytes_of(fields);
    if bytes > BODY_BYTES_MAX {
        let message = format!("a document has at most {BODY_BYTES_MAX} bytes of JSON, not {bytes}");
        checker.problem(at, message);
    }
    if checker.problems.is_empty() { Ok(()) } else { Err(checker.problems) }
}

/// The path of a field in what was given.
pub(crate) fn under(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn problem(&mut self, at: &str, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem::new(at, message));
        }
    }

    /// Checks what is at `at`, which is as it was when this returns.
    fn value(&mut self, value: &Value, at: &mut String, depth: usize) {
        match value {
            Value::Array(_) | Value::Object(_) if depth > DEPTH_MAX => {
                let message = format!("a document is at most {DEPTH_MAX} levels deep");
                self.problem(at, message);
            }
            Value::Array(items) => {
                let end = at.len();
                for (place, item) in items.iter().enumerate() {
                    if matches!(item, Value::Array(_) | Value::Object(_)) {
                        at.push_str(&format!("[{place}]"));
                        self.value(item, at, depth + 1);
                        at.truncate(end);
                    }
                }
            }
            Value::Object(fields) => self.object(fields, at, depth),
            _ => {}
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, at: &mut String, depth: usize) {
        let end = at.len();
        for (name, value) in fields {
            if let Err(message) = check_name(name) {
                // The name itself may be the size of the body.
                let shown: String = name.chars().take(40).collect();
                let place = under(at, &shown.escape_default().to_string());
                self.problem(&place, message);
            }
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                if end > 0 {
                    at.push('.');
                }
                at.extend(name.chars().take(NAME_CHARS_MAX));
                self.value(value, at, depth + 1);
                at.truncate(end);
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.chars().nth(NAME_CHARS_MAX).is_some() {
        return Err("the name of a field has 1 to 200 characters");
    }
    if name.contains('\0') {
        return Err("the name of a field has no NUL");
    }
    Ok(())
}

/// How long the JSON text is.
fn bytes_of(fields: &Map<String, Value>) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, fields) {
        Ok(()) => counter.0,
        // Nothing that can be written to memory cannot be counted.
        Err(_) => usize::MAX,
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(fields: Value) -> Vec<String> {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let problems = check_fields(&fields, "document").err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.field).collect()
    }

    fn deep(levels: usize) -> Value {
        (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn a_document_has_limits() {
        assert!(told(deep(DEPTH_MAX)).is_empty());
        assert_eq!(told(deep(DEPTH_MAX + 1)), [format!("document{}", ".a".repeat(DEPTH_MAX))]);
        assert_eq!(told(json!({"a": [1, {"": 1}]})), ["document.a[1]."]);
        assert_eq!(told(json!({"a\0b": 1})), ["document.a\\u{0}b"]);
        let (long, longest) = ("n".repeat(201), "ü".repeat(200));
        assert_eq!(told(json!({ long: 1 })), [format!("document.{}", "n".repeat(40))]);
        assert!(told(json!({ longest: 1 })).is_empty());
        let many = |count: usize| -> Value {
            (0..count).map(|n| (n.to_string(), json!(n))).collect::<Map<_, _>>().into()
        };
        assert!(told(many(FIELDS_MAX)).is_empty());
        assert_eq!(told(many(FIELDS_MAX + 1)), ["document"]);
        assert!(told(json!({"a": "x".repeat(BODY_BYTES_MAX - 8)})).is_empty());
        assert_eq!(told(json!({"a": "x".repeat(BODY_BYTES_MAX - 7)})), ["document"]);
        let wrong: Map<String, Value> =
            (0..900).map(|n| (format!("\0{n}"), json!([[{"": 1}]]))).collect();
        assert_eq!(told(wrong.into()).len(), PROBLEMS_MAX);
    }

    #[test]
    fn an_id_has_limits() {
        for good in ["a", "...", "a b", "ü:?#%", &"x".repeat(200)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../a", "a\0", "a\nb", "\u{85}", &"x".repeat(201)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}

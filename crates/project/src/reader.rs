//! Reads an object field by field and collects everything that is wrong with it, so that a user
//! sees all mistakes at once. What was never asked for is an unknown key, and the keys that were
//! asked for are what is suggested instead.

use std::collections::BTreeMap;
use std::fmt;

use evoke_model::{Problem, suggest};
use serde_json::{Map, Value};

/// Everything found so far.
#[derive(Debug, Default)]
pub struct Report {
    /// What has to be put right.
    pub problems: Vec<Problem>,
    /// What will not do what it says, without stopping the rest.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// Adds a problem of one field.
    pub fn problem(&mut self, field: impl Into<String>, wrong: impl Into<Wrong>) {
        self.problems.push(wrong.into().at(field));
    }

    /// Adds what is wrong with fields of an object.
    pub fn problems_of(&mut self, table: &Table, problems: Vec<Problem>) {
        let in_file = |problem: Problem| Problem { field: table.path(&problem.field), ..problem };
        self.problems.extend(problems.into_iter().map(in_file));
    }

    /// Adds a warning of one field.
    pub fn warn(&mut self, field: impl Into<String>, wrong: impl Into<Wrong>) {
        self.warnings.push(wrong.into().at(field));
    }

    /// The value, or a problem of the field.
    pub fn keep<T>(&mut self, field: &str, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.problem(field, wrong)).ok()
    }
}

/// What is wrong with a value, without saying where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    message: String,
    suggestion: Option<String>,
}

impl Wrong {
    /// What is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    /// With what would be right.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// As the problem of a field.
    pub fn at(self, field: impl Into<String>) -> Problem {
        Problem { field: field.into(), message: self.message, suggestion: self.suggestion }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clone().at("").fmt(f)
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// `at.key`, or `key` at the top.
pub fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

/// An object that is being read. Fields that were taken are gone.
#[derive(Debug)]
pub struct Table {
    at: String,
    fields: Map<String, Value>,
    /// Where a field stands in the user's file, where it is not `at.key`.
    origins: BTreeMap<String, String>,
    asked: Vec<&'static str>,
}

impl Table {
    /// The object at `at`, or a problem when it is something else.
    pub fn of(value: Value, at: &str, report: &mut Report) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self {
                at: at.to_owned(),
                fields,
                origins: BTreeMap::new(),
                asked: Vec::new(),
            }),
            other => {
                let message = format!("expected an object, got {}", describe(&other));
                report.problem(at, message);
                None
            }
        }
    }

    /// Where a field stands in the user's file; `key` may be a path below a field.
    pub fn path(&self, key: &str) -> String {
        let end = key.find(['.', '[']).unwrap_or(key.len());
        let (first, rest) = key.split_at(end);
        let first = self.origins.get(first).map_or(first, String::as_str);
        match format!("{first}{rest}") {
            inner if inner.is_empty() => self.at.clone(),
            inner => join(&self.at, &inner),
        }
    }

    /// Takes a field out.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.fields.remove(key)
    }

    /// Takes a field out and reads it; a value that cannot be read is a problem.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.take(key)?;
        report.keep(&self.path(key), read(&value))
    }

    /// Takes a field out and opens it as an object.
    pub fn open(&mut self, key: &'static str, report: &mut Report) -> Option<Self> {
        let value = self.take(key)?;
        Self::of(value, &self.path(key), report)
    }

    /// Takes a list out, each item with its path.
    pub fn list(&mut self, key: &'static str, report: &mut Report) -> Vec<(String, Value)> {
        let at = self.path(key);
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let numbered = items.into_iter().enumerate();
                numbered.map(|(index, item)| (format!("{at}[{index}]"), item)).collect()
            }
            Some(other) => {
                report.problem(at, format!("expected a list, got {}", describe(&other)));
                Vec::new()
            }
        }
    }

    /// The field as it is, without taking it.
    pub fn peek(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// Puts a field in that stands elsewhere in the user's file (relative to the object).
    pub fn put(&mut self, key: &str, value: Value, origin: &str) {
        self.fields.insert(key.to_owned(), value);
        self.origins.insert(key.to_owned(), origin.to_owned());
    }

    /// Moves the fields of the object `key` up; a field that is already there is a problem.
    pub fn lift(&mut self, key: &'static str, report: &mut Report) {
        let Some(inner) = self.open(key, report) else { return };
        for (name, value) in inner.fields {
            let origin = format!("{key}.{name}");
            if self.fields.contains_key(&name) {
                let twice = format!("{:?} is given twice", name.as_str());
                report.problem(join(&self.at, &origin), twice);
            } else {
                self.put(&name, value, &origin);
            }
        }
    }

    /// The fields that were not taken yet.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Takes out a field without making it one that was asked for.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.fields.remove(key)
    }

    /// Gives a field another name; it is still known by its own in messages.
    pub fn rename(&mut self, from: &str, to: &str, report: &mut Report) {
        let Some(value) = self.fields.remove(from) else { return };
        let origin = self.origins.get(from).cloned().unwrap_or_else(|| from.to_owned());
        if self.fields.contains_key(to) {
            report.problem(
                join(&self.at, &origin),
                format!("it means the same as {to:?}, which is given too"),
            );
        } else {
            self.put(to, value, &origin);
        }
    }

    /// The keys that were asked for so far.
    pub fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// Ends the reading: what nobody asked for is unknown.
    pub fn finish(self, report: &mut Report) {
        for key in self.fields.keys() {
            report.problem(self.path(key), unknown("key", key, self.asked.iter().copied()));
        }
    }
}

/// `unknown key "timout"`, with the nearest of the known ones.
pub fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Wrong {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    Wrong::new(format!("unknown {what} {shown:?}")).suggest(suggest::did_you_mean(&shown, known))
}

/// Of a long text so much is shown in a message.
const SHOWN_CHARS_MAX: usize = 60;

/// A value in a few words, for messages.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() <= SHOWN_CHARS_MAX => format!("{text:?}"),
        Value::String(text) => {
            let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            format!("{start:?}...")
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> Result<String, Wrong> {
        value.as_str().map(str::to_owned).ok_or_else(|| Wrong::new("expected a text"))
    }

    #[test]
    fn all_mistakes_are_collected_with_their_paths() {
        let mut report = Report::default();
        let value = json!({ "name": 7, "timout": 1, "list": {}, "inner": { "a": 1 } });
        let mut table = Table::of(value, "triggers[2]", &mut report).unwrap();
        assert_eq!(table.read("name", &mut report, text), None);
        assert_eq!(table.read("timeout", &mut report, text), None);
        assert!(table.list("list", &mut report).is_empty());
        table.open("inner", &mut report).unwrap().finish(&mut report);
        table.finish(&mut report);
        let lines: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "triggers[2].name: expected a text",
                "triggers[2].list: expected a list, got an object",
                "triggers[2].inner.a: unknown key \"a\" (one of: )",
                "triggers[2].timout: unknown key \"timout\" (did you mean \"timeout\"?)",
            ]
        );
    }

    #[test]
    fn a_field_that_was_moved_is_named_as_the_user_wrote_it() {
        let mut report = Report::default();
        let value = json!({ "expression": "x", "config": { "input": 1, "expression": 2 } });
        let mut table = Table::of(value, "schedules[0]", &mut report).unwrap();
        table.lift("config", &mut report);
        let expression = table.take("expression").unwrap();
        table.put("cron", expression, "expression");
        assert_eq!(table.path("cron"), "schedules[0].expression");
        assert_eq!(table.path("input.a[0]"), "schedules[0].config.input.a[0]");
        assert_eq!(report.problems[0].field, "schedules[0].config.expression");
    }
}

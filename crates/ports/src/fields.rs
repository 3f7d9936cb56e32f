//! Reading the configuration of a kind: every plug-in takes its fields from here, so that unknown
//! and mistyped ones are told everywhere alike, all at once.

use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use serde_json::{Map, Value};

/// The fields of a configuration and what was found wrong with them so far.
#[derive(Debug)]
pub struct Fields<'a> {
    map: Option<&'a Map<String, Value>>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// The fields of `config`, which may have the names in `known` and no others. `null` is taken
    /// as a configuration without fields.
    pub fn new(config: &'a Value, known: &'static [&'static str]) -> Self {
        let mut problems = Vec::new();
        let map = match config {
            Value::Object(map) => Some(map),
            Value::Null => None,
            _ => {
                problems.push(Problem::new("", "expected an object"));
                None
            }
        };
        for name in map.into_iter().flat_map(Map::keys) {
            if !known.contains(&name.as_str()) {
                let suggestion = match known {
                    [] => "it takes no fields".to_owned(),
                    known => did_you_mean(name, known.iter().copied()),
                };
                problems.push(
                    Problem::new(name.as_str(), format!("unknown field \"{name}\""))
                        .suggest(suggestion),
                );
            }
        }
        Self { map, problems }
    }

    /// A field as it came; `None` where it is absent or `null`.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map?.get(name).filter(|value| !value.is_null())
    }

    /// The first of these names that is given: the canonical one, then its aliases. Two of them at
    /// once are a problem.
    pub fn one_of(&mut self, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
        let mut given = names.iter().filter_map(|name| Some((*name, self.get(name)?)));
        let first = given.next();
        if let (Some((first, _)), Some((second, _))) = (first, given.next()) {
            let message = format!("means the same as \"{first}\", which is given as well");
            self.problem(Problem::new(second, message));
        }
        first
    }

    /// A text.
    pub fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?;
        if value.as_str().is_none() {
            self.problem(Problem::new(name, "expected a text"));
        }
        value.as_str()
    }

    /// A text that must be there and may not be empty.
    pub fn required_text(&mut self, name: &str) -> Option<&'a str> {
        if self.get(name).is_none() {
            self.problem(Problem::new(name, "is missing"));
        }
        let text = self.text(name)?;
        if text.is_empty() {
            self.problem(Problem::new(name, "may not be empty"));
        }
        (!text.is_empty()).then_some(text)
    }

    /// One text, or a list of at least one.
    pub fn texts_of(&mut self, name: &str, value: &'a Value) -> Vec<&'a str> {
        let texts: Option<Vec<&str>> = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(items) => items.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let texts = texts.unwrap_or_default();
        if texts.is_empty() {
            self.problem(Problem::new(name, "expected a text or a list of texts"));
        }
        texts
    }

    /// A field of a type that reads itself: a duration, a number.
    pub fn read<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let read = T::deserialize(self.get(name)?);
        read.map_err(|error| self.problem(Problem::new(name, error.to_string()))).ok()
    }

    /// Notes a problem.
    pub fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Gives `value` back if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let config = json!({ "pth": "/", "name": 3, "list": ["a", 1], "a": 1, "b": 2 });
        let mut fields = Fields::new(&config, &["path", "name", "list", "a", "b"]);
        assert_eq!(fields.text("name"), None);
        assert_eq!(fields.required_text("path"), None);
        let list = fields.get("list").unwrap();
        assert!(fields.texts_of("list", list).is_empty());
        assert_eq!(fields.read::<String>("a"), None);
        assert_eq!(fields.one_of(&["a", "b"]).map(|(name, _)| name), Some("a"));
        let problems = fields.finish(()).unwrap_err();
        let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(told, ["pth", "name", "path", "list", "a", "b"]);
        assert_eq!(problems[0].suggestion.as_deref(), Some("did you mean \"path\"?"));
    }

    #[test]
    fn nothing_is_a_configuration_without_fields() {
        assert_eq!(Fields::new(&Value::Null, &["a"]).finish(1), Ok(1));
        assert!(Fields::new(&json!([]), &[]).finish(1).is_err());
    }
}

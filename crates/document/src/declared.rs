//! Collections as people declare them.

use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use serde_json::{Map, Value};

use crate::collection::{Collection, Index};
use crate::path::FieldPath;

/// Each costs every change of a document.
const INDEXES_MAX: usize = 16;

/// A longer one is not looked up as a whole.
const FIELDS_MAX: usize = 8;

/// As a name of a collection.
const NAME_LEN_MAX: usize = 63;

const KNOWN: [&str; 3] = ["name", "fields", "unique"];

impl Collection {
    /// Whether a collection of a user may be called so.
    pub fn is_name(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            && name.len() <= NAME_LEN_MAX
    }

    /// Reads a declaration: the schema, and the indexes as a list of `{name?, fields, unique?}`.
    /// The schema itself is not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with the indexes, with fields under `indexes`.
    pub fn declared(
        name: &str,
        schema: Option<Value>,
        indexes: Option<&Value>,
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        match indexes {
            None | Some(Value::Null) => {}
            Some(Value::Array(given)) => given.iter().enumerate().for_each(|(place, index)| {
                reader.index(&format!("indexes[{place}]"), index);
            }),
            Some(_) => reader.problem("indexes", "expected a list of indexes"),
        }
        if reader.indexes.len() > INDEXES_MAX {
            reader.problem("indexes", format!("a collection has at most {INDEXES_MAX} indexes"));
        }
        let Reader { indexes, problems } = reader;
        match problems.is_empty() {
            true => Ok(Self { name: name.to_owned(), schema, indexes }),
            false => Err(problems),
        }
    }
}

#[derive(Default)]
struct Reader {
    indexes: Vec<Index>,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(field, message));
    }

    fn index(&mut self, at: &str, given: &Value) {
        let Value::Object(given) = given else {
            let problem = Problem::new(at, "expected an object");
            self.problems.push(problem.suggest("{\"fields\": [\"email\"], \"unique\": true}"));
            return;
        };
        for name in given.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
            let problem = Problem::new(format!("{at}.{name}"), format!("unknown field {name:?}"));
            self.problems.push(problem.suggest(did_you_mean(name, KNOWN)));
        }
        let fields = self.fields(at, given);
        let unique = match given.get("unique") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(unique)) => *unique,
            Some(_) => {
                self.problem(format!("{at}.unique"), "expected true or false");
                false
            }
        };
        let name = match given.get("name") {
            None | Some(Value::Null) => made_name(&fields),
            Some(Value::String(name)) if Collection::is_name(name) => name.clone(),
            Some(_) => {
                let message = format!(
                    "expected a letter, then letters, digits, \"_\" and \"-\", at most \
                     {NAME_LEN_MAX}"
                );
                self.problem(format!("{at}.name"), message);
                return;
            }
        };
        if self.indexes.iter().any(|index| index.name == name) {
            let problem = Problem::new(at, format!("there are two indexes called {name:?}"));
            self.problems.push(problem.suggest("give one of them another \"name\""));
        } else if !fields.is_empty() {
            self.indexes.push(Index { name, fields, unique });
        }
    }

    /// One field, or a list of them.
    fn fields(&mut self, at: &str, given: &Map<String, Value>) -> Vec<FieldPath> {
        let at = format!("{at}.fields");
        let texts: Vec<&Value> = match given.get("fields") {
            None => {
                self.problem(at, "is missing: which fields are looked up");
                return Vec::new();
            }
            Some(Value::Array(texts)) => texts.iter().collect(),
            Some(text) => vec![text],
        };
        if texts.is_empty() || texts.len() > FIELDS_MAX {
            self.problem(&at, format!("expected 1 to {FIELDS_MAX} fields"));
            return Vec::new();
        }
        let mut fields = Vec::with_capacity(texts.len());
        for (place, text) in texts.into_iter().enumerate() {
            match text.as_str().map(FieldPath::parse) {
                None => self.problem(format!("{at}[{place}]"), "expected the name of a field"),
                Some(Err(error)) => self.problem(format!("{at}[{place}]"), error.to_string()),
                Some(Ok(path)) if path.as_str() == "id" => {
                    let message = "documents are found by their id without an index";
                    self.problem(format!("{at}[{place}]"), message);
                }
                Some(Ok(path)) if fields.contains(&path) => {
                    self.problem(format!("{at}[{place}]"), "is named twice");
                }
                Some(Ok(path)) => fields.push(path),
            }
        }
        fields
    }
}

/// `address.city` and `age` make `address_city_age`.
fn made_name(fields: &[FieldPath]) -> String {
    let joined: Vec<&str> = fields.iter().map(FieldPath::as_str).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = joined.join("_").chars().map(plain).take(NAME_LEN_MAX - 3).collect();
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("by_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn indexes_are_named_after_their_fields() {
        let declared = json!([
            { "fields": ["email"], "unique": true },
            { "fields": "address.city" },
            { "fields": ["_created_at", "age"] },
            { "name": "own", "fields": ["größe", "age"] },
        ]);
        let collection = Collection::declared("users", None, Some(&declared)).unwrap();
        let told = collection.indexes.iter().map(|index| {
            let fields: Vec<&str> = index.fields.iter().map(FieldPath::as_str).collect();
            format!("{} {} {}", index.name, fields.join(","), index.unique)
        });
        let expected = [
            "email email true",
            "address_city address.city false",
            "by__created_at_age _created_at,age false",
            "own größe,age false",
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let plain = Collection::declared("users", Some(json!({})), None).unwrap();
        assert_eq!((plain.schema, plain.indexes.len()), (Some(json!({})), 0));
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        for (declared, fields) in [
            (json!({}), vec!["indexes"]),
            (json!(["email"]), vec!["indexes[0]"]),
            (json!([{}]), vec!["indexes[0].fields"]),
            (json!([{ "fields": [] }]), vec!["indexes[0].fields"]),
            (json!([{ "fields": ["a", "a"] }]), vec!["indexes[0].fields[1]"]),
            (
                json!([{ "fields": ["a'b", 7, "id", "_x"] }]),
                vec![
                    "indexes[0].fields[0]",
                    "indexes[0].fields[1]",
                    "indexes[0].fields[2]",
                    "indexes[0].fields[3]",
                ],
            ),
            (json!([{ "fields": "a", "uniqe": true }]), vec!["indexes[0].uniqe"]),
            (json!([{ "fields": "a", "unique": 1 }]), vec!["indexes[0].unique"]),
            (json!([{ "fields": "a", "name": "1" }]), vec!["indexes[0].name"]),
            (json!([{ "fields": "a" }, { "fields": ["a"] }]), vec!["indexes[1]"]),
            (
                json!((0..17).map(|n| json!({ "fields": format!("f{n}") })).collect::<Vec<_>>()),
                vec!["indexes"],
            ),
        ] {
            let problems = Collection::declared("users", None, Some(&declared)).unwrap_err();
            let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(told, fields, "{declared}");
        }
        let slip = json!([{ "fields": "a", "uniqe": true }]);
        let problems = Collection::declared("users", None, Some(&slip)).unwrap_err();
        assert_eq!(problems[0].suggestion.as_deref(), Some("did you mean \"unique\"?"));
    }
}

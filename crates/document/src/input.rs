//! Documents as callers give them.

use evoke_model::Problem;
use serde_json::{Map, Value};

use crate::limits::{check_fields, check_id, under};

/// What a document has beside its fields when it is read, and may have when it is written back.
const GIVEN_BACK: [&str; 3] = ["_revision", "_created_at", "_updated_at"];

/// A document as a caller gives it, or a part of one.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// The id, where it stands in it.
    pub id: Option<String>,
    /// The fields.
    pub fields: Map<String, Value>,
}

impl Input {
    /// Reads a document. What the server adds to one that is read is left out, so that it can be
    /// written back. `at` is where it stands in what was given; empty where it is the whole.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(given: Value, at: &str) -> Result<Self, Vec<Problem>> {
        let Value::Object(mut fields) = given else {
            return Err(vec![Problem::new(at, "expected an object: the fields of a document")]);
        };
        for name in GIVEN_BACK {
            fields.remove(name);
        }
        let mut problems = Vec::new();
        let id = match fields.remove("id") {
            None => None,
            Some(Value::String(id)) => {
                let wrong = check_id(&id).err();
                problems.extend(wrong.map(|wrong| Problem::new(under(at, "id"), wrong)));
                Some(id)
            }
            Some(_) => {
                problems.push(Problem::new(under(at, "id"), "expected a text"));
                None
            }
        };
        if let Some(name) = fields.keys().find(|name| name.starts_with('_')) {
            let shown: String = name.chars().take(40).collect();
            let problem = Problem::new(
                under(at, &shown.escape_default().to_string()),
                "names that begin with _ are the server's own",
            );
            problems.push(problem.suggest("choose a name that begins with another character"));
        }
        problems.extend(check_fields(&fields, at).err().unwrap_or_default());
        if problems.is_empty() { Ok(Self { id, fields }) } else { Err(problems) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_read_can_be_written_back() {
        let read = json!({
            "id": "a", "name": "ann", "_revision": "evt_0", "_created_at": 1, "_updated_at": {},
        });
        let input = Input::read(read, "").unwrap();
        assert_eq!(input.id.as_deref(), Some("a"));
        assert_eq!(Value::from(input.fields), json!({"name": "ann"}));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let told = |given: Value| -> Vec<String> {
            let problems = Input::read(given, "documents[2]").unwrap_err();
            problems.into_iter().map(|problem| problem.field).collect()
        };
        for whole in [json!(null), json!([]), json!("x"), json!(1)] {
            assert_eq!(told(whole), ["documents[2]"]);
        }
        let wrong = json!({"id": 1, "_own": 1, "a": {"": 1}});
        assert_eq!(told(wrong), ["documents[2].id", "documents[2]._own", "documents[2].a."]);
        assert_eq!(told(json!({"id": "a/b"})), ["documents[2].id"]);
    }
}

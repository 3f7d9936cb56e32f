//! References in the configuration of a trigger (`${NAME}`, `${secrets.NAME}`): filled in when the
//! desired state is made, as those of an environment are. What was filled in is never printed, so
//! problems that others find in the filled configuration are told without it.

use std::cell::RefCell;

use evoke_model::Problem;
use serde_json::Value;

use crate::environment::{Reference, fill};
use crate::reader::{Wrong, join};

/// What was filled in, and what could not be.
#[derive(Default)]
pub struct Filled {
    /// Values that may not be printed, with what stood there.
    values: Vec<(String, Reference)>,
    /// Paths of the texts with references.
    paths: Vec<String>,
    /// What could not be filled in, with its path below the configuration.
    pub wrong: Vec<(String, Wrong)>,
}

/// Fills in the references of all texts in `value`; keys of objects are left as they are.
pub fn fill_in(value: &mut Value, lookup: &dyn Fn(&Reference) -> Option<String>) -> Filled {
    let mut filled = Filled::default();
    filled.walk(value, "", lookup);
    filled
}

impl Filled {
    /// The documents a configuration is read from nest 128 deep at most, so this may recurse.
    fn walk(&mut self, value: &mut Value, at: &str, lookup: &dyn Fn(&Reference) -> Option<String>) {
        match value {
            Value::String(text) if text.contains("${") => self.text(text, at, lookup),
            Value::Array(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    self.walk(item, &format!("{at}[{place}]"), lookup);
                }
            }
            Value::Object(fields) => {
                for (key, inner) in fields.iter_mut() {
                    self.walk(inner, &join(at, key), lookup);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &mut String, at: &str, lookup: &dyn Fn(&Reference) -> Option<String>) {
        let found = RefCell::new(Vec::new());
        let remember = |reference: &Reference| {
            let value = lookup(reference)?;
            found.borrow_mut().push((value.clone(), reference.clone()));
            Some(value)
        };
        match fill(&keep_templates(text), &remember) {
            Ok(whole) => *text = whole,
            Err(wrong) => self.wrong.extend(wrong.into_iter().map(|wrong| (at.to_owned(), wrong))),
        }
        let found = found.into_inner();
        if !found.is_empty() {
            self.paths.push(at.to_owned());
            self.values.extend(found);
        }
    }

    /// Whether anything was filled in.
    pub fn is_any(&self) -> bool {
        !self.paths.is_empty()
    }

    /// A problem of the filled configuration, without anything that was filled in.
    pub fn hide(&self, problem: Problem) -> Problem {
        let is_at = |path: &String| {
            let field = problem.field.as_str();
            field.starts_with(path.as_str()) || path.starts_with(field)
        };
        let shows = |text: &str| {
            self.values.iter().any(|(value, _)| !value.is_empty() && text.contains(value.as_str()))
        };
        let is_shown = shows(&problem.message) || problem.suggestion.as_deref().is_some_and(shows);
        if !is_shown && !self.paths.iter().any(is_at) {
            return problem;
        }
        let mut names: Vec<String> =
            self.values.iter().map(|(_, reference)| reference.to_string()).collect();
        names.sort();
        names.dedup();
        let message = format!("it is not valid with {} filled in", names.join(", "));
        Problem::new(problem.field, message).suggest("look at the value, which is not shown here")
    }
}

/// `${{` begins no reference: it is a dollar sign before a template (`${{ event.data.total }}`).
fn keep_templates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let is_escaped = before.ends_with('$');
        out.push_str(before);
        out.push_str(if is_escaped { "${{" } else { "$${{" });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lookup(reference: &Reference) -> Option<String> {
        match reference {
            Reference::Secret(name) if name == "KEY" => Some("s3cret".to_owned()),
            Reference::Variable(name) if name == "HOST" => Some("crm.example".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn all_texts_are_filled_in() {
        let mut config = json!({
            "url": "https://${HOST}/hook",
            "secrets": ["${secrets.KEY}", "plain", 7],
            "headers": { "a": "Bearer ${secrets.KEY}", "${HOST}": true },
            "body": "costs ${{ event.data.total }} $${{ x }} $${HOST} $5",
        });
        let filled = fill_in(&mut config, &lookup);
        assert_eq!(filled.wrong, []);
        let expected = json!({
            "url": "https://crm.example/hook",
            "secrets": ["s3cret", "plain", 7],
            "headers": { "a": "Bearer s3cret", "${HOST}": true },
            "body": "costs ${{ event.data.total }} ${{ x }} ${HOST} $5",
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn what_is_missing_is_named_with_its_path() {
        let mut config = json!({ "a": [{ "b": "${secrets.NONE} ${secrets.KEY}" }], "c": "${" });
        let filled = fill_in(&mut config, &lookup);
        let lines: Vec<String> =
            filled.wrong.iter().map(|(path, wrong)| format!("{path}: {wrong}")).collect();
        assert_eq!(
            lines,
            [
                "a[0].b: ${secrets.NONE} is not set \
                 (set the variable EVOKE_SECRET_NONE in the environment of the server)",
                "c: `${` without `}` (write `$${` for these characters)",
            ]
        );
    }

    #[test]
    fn nothing_that_was_filled_in_is_printed() {
        let mut config = json!({ "verification": { "secret": "${secrets.KEY}" }, "path": "/a" });
        let filled = fill_in(&mut config, &lookup);
        for problem in [
            Problem::new("verification.secret", "\"s3cre...\" is no secret"),
            Problem::new("verification", "of no kind"),
            Problem::new("path", "it is not \"/s3cret\""),
            Problem::new("path", "wrong").suggest("s3cret"),
        ] {
            let hidden = filled.hide(problem).to_string();
            assert!(hidden.contains("it is not valid with ${secrets.KEY} filled in"), "{hidden}");
            assert!(!hidden.contains("s3cre"), "{hidden}");
        }
        let other = Problem::new("path", "it is taken");
        assert_eq!(filled.hide(other.clone()), other);
    }
}

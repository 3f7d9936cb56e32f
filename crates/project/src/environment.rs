//! Variables of a function and the references in them: `${NAME}` is a variable of the server's
//! environment, `${secrets.NAME}` a secret. They are filled in when a version is made and never
//! stored in the clear. `$${` stands for the characters `${`.

use std::collections::BTreeMap;
use std::fmt;

use evoke_model::Problem;
use serde_json::Value;

use crate::reader::{Report, Table, Wrong, describe};

/// What these begin with is the server's: the addresses and tokens a function gets.
const RESERVED_PREFIX: &str = "EVOKE_";
/// More than any system hands to a process.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// A short text may name a long value many times.
const FILLED_BYTES_MAX: usize = 1 << 20;

/// A value that stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `${secrets.NAME}`
    Secret(String),
    /// `${NAME}`
    Variable(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "${{secrets.{name}}}"),
            Self::Variable(name) => write!(f, "${{{name}}}"),
        }
    }
}

impl Reference {
    /// What stands between `${` and `}`.
    fn parse(inner: &str) -> Option<Self> {
        let inner = inner.trim();
        match inner.strip_prefix("secrets.") {
            Some(name) => is_name(name).then(|| Self::Secret(name.to_owned())),
            None => is_name(inner).then(|| Self::Variable(inner.to_owned())),
        }
    }

    /// The variable of the server's environment that gives the value: `NAME` for a variable,
    /// `EVOKE_SECRET_NAME` for a secret.
    pub fn variable(&self) -> String {
        match self {
            Self::Secret(name) => format!("{RESERVED_PREFIX}SECRET_{name}"),
            Self::Variable(name) => name.clone(),
        }
    }

    /// Looks the value up in the server's environment.
    pub fn find(&self, environment: &BTreeMap<String, String>) -> Option<String> {
        environment.get(&self.variable()).cloned()
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The environment as it was written, and with its references filled in.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Environment {
    /// As written.
    pub written: BTreeMap<String, String>,
    /// Filled in.
    pub filled: BTreeMap<String, String>,
}

/// Reads `environment` or `env`, texts, numbers and booleans.
pub fn read(
    table: &mut Table,
    lookup: &dyn Fn(&Reference) -> Option<String>,
    report: &mut Report,
) -> Environment {
    if table.peek("environment").is_some() && table.peek("env").is_some() {
        report.problem("env", Wrong::new("`environment` is given too").suggest("keep one of them"));
    }
    let mut out = Environment::default();
    for key in ["environment", "env"] {
        let Some(variables) = table.open(key, report) else { continue };
        for (name, value) in variables.fields() {
            let at = variables.path(name);
            let Some(text) = report.keep(&at, variable(name, value)) else { continue };
            match fill(&text, lookup) {
                Ok(filled) => {
                    out.filled.insert(name.clone(), filled);
                    out.written.insert(name.clone(), text);
                }
                Err(wrong) => wrong.into_iter().for_each(|wrong| report.problem(&at, wrong)),
            }
        }
    }
    out
}

/// Fills in the references of variables as they were written, which were checked when they were
/// read.
///
/// # Errors
/// All that cannot be filled in any more.
pub fn fill_environment(
    written: &BTreeMap<String, String>,
    lookup: &dyn Fn(&Reference) -> Option<String>,
) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let mut filled = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, text) in written {
        match fill(text, lookup) {
            Ok(value) => {
                filled.insert(name.clone(), value);
            }
            Err(wrong) => {
                let at = format!("environment.{name}");
                problems.extend(wrong.into_iter().map(|wrong| wrong.at(&at)));
            }
        }
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

fn variable(name: &str, value: &Value) -> Result<String, Wrong> {
    if !is_name(name) {
        let hint = "letters, digits and `_`, not beginning with a digit";
        return Err(Wrong::new("it is not a name of a variable").suggest(hint));
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(Wrong::new(format!("names that begin with {RESERVED_PREFIX} are reserved")));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        other => {
            let came = describe(other);
            return Err(format!("expected a text, a number, true or false, got {came}").into());
        }
    };
    if text.contains('\0') {
        return Err(Wrong::new("the value has a zero byte"));
    }
    if text.len() > VALUE_BYTES_MAX {
        return Err(format!("the value is longer than {} kb", VALUE_BYTES_MAX >> 10).into());
    }
    Ok(text)
}

/// Fills references in.
///
/// # Errors
/// All that cannot be filled in.
pub fn fill(
    text: &str,
    lookup: &dyn Fn(&Reference) -> Option<String>,
) -> Result<String, Vec<Wrong>> {
    let (mut out, mut wrong) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let Some((inner, after)) = after.split_once('}') else {
            wrong.push(Wrong::new("`${` without `}`").suggest("write `$${` for these characters"));
            return Err(wrong);
        };
        rest = after;
        match Reference::parse(inner) {
            None => wrong.push(
                Wrong::new(format!("${{{inner}}} is not a reference"))
                    .suggest("${NAME} or ${secrets.NAME}; write `$${` for these characters"),
            ),
            Some(reference) => match lookup(&reference) {
                Some(value) => out.push_str(&value),
                None => wrong.push(missing(&reference)),
            },
        }
        if out.len() > FILLED_BYTES_MAX {
            let max = FILLED_BYTES_MAX >> 10;
            wrong.push(Wrong::new(format!("the filled value is longer than {max} kb")));
            return Err(wrong);
        }
    }
    out.push_str(rest);
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

fn missing(reference: &Reference) -> Wrong {
    let variable = reference.variable();
    Wrong::new(format!("{reference} is not set"))
        .suggest(format!("set the variable {variable} in the environment of the server"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lookup(reference: &Reference) -> Option<String> {
        let known = BTreeMap::from([
            ("HOME".to_owned(), "/home/a".to_owned()),
            ("EVOKE_SECRET_KEY".to_owned(), "s3cret".to_owned()),
        ]);
        reference.find(&known)
    }

    #[test]
    fn references_are_filled_in() {
        let table = [
            ("plain", "plain"),
            ("${HOME}", "/home/a"),
            ("a ${HOME}/${ secrets.KEY } b", "a /home/a/s3cret b"),
            ("$${HOME} $HOME $ {", "${HOME} $HOME $ {"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(fill(text, &lookup), Ok(expected.to_owned()), "{text}");
        }
        for text in ["${", "${}", "${NONE}", "${secrets.}", "${secrets.NONE}", "${a-b}", "${1}"] {
            assert_eq!(fill(text, &lookup).unwrap_err().len(), 1, "{text}");
        }
        assert_eq!(fill("${A} ${B} ${secrets.C}", &lookup).unwrap_err().len(), 3);
    }

    #[test]
    fn variables_are_filled_in_again() {
        let written = |value: &str| {
            BTreeMap::from([
                ("A".to_owned(), "${secrets.KEY}!".to_owned()),
                ("B".into(), value.into()),
            ])
        };
        let filled = fill_environment(&written("plain"), &lookup).unwrap();
        assert_eq!(filled["A"], "s3cret!");
        let problems = fill_environment(&written("${secrets.NONE}"), &lookup).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("environment.B: ${secrets.NONE} is not set"));
    }

    #[test]
    fn what_is_wrong_names_the_variable_and_where_to_set_it() {
        let mut report = Report::default();
        let value = json!({
            "env": {
                "A": "${secrets.NONE}", "B": 1, "C": true, "D": [], "EVOKE_URL": "x", "a b": "x",
                "E": "\0", "F": "x".repeat(VALUE_BYTES_MAX + 1)
            }
        });
        let mut table = Table::of(value, "", &mut report).unwrap();
        let environment = read(&mut table, &lookup, &mut report);
        let filled =
            BTreeMap::from([("B".to_owned(), "1".to_owned()), ("C".into(), "true".into())]);
        assert_eq!(environment.filled, filled);
        let fields: Vec<&str> =
            report.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["env.A", "env.D", "env.E", "env.EVOKE_URL", "env.F", "env.a b"]);
        assert_eq!(
            report.problems[0].to_string(),
            "env.A: ${secrets.NONE} is not set \
             (set the variable EVOKE_SECRET_NONE in the environment of the server)"
        );
    }
}

//! Conditions as callers write them.

use evoke_model::Timestamp;
use evoke_model::suggest::nearest;
use serde_json::Value;

use super::{Reader, shortened};
use crate::path::Kept;
use crate::query::{Condition, Op, Scalar};

/// Each is looked at for every document.
const CONDITIONS_MAX: usize = 100;
/// Each is looked up for itself.
const IN_MAX: usize = 100;
/// No document is looked for by more of a text.
pub(super) const TEXT_BYTES_MAX: usize = 64 * 1024;

const OPS: [&str; 9] = ["==", "!=", "<", "<=", ">", ">=", "in", "contains", "array-contains"];
/// What other languages write.
const ALIASES: [(&str, &str); 16] = [
    ("=", "=="),
    ("===", "=="),
    ("eq", "=="),
    ("is", "=="),
    ("<>", "!="),
    ("!==", "!="),
    ("ne", "!="),
    ("neq", "!="),
    ("lt", "<"),
    ("lte", "<="),
    ("gt", ">"),
    ("gte", ">="),
    ("like", "contains"),
    ("=>", ">="),
    ("=<", "<="),
    ("has", "array-contains"),
];
/// A condition that is right.
pub(super) const CONDITION: &str = "[\"age\", \">=\", 18]";

impl Reader {
    pub(super) fn filter(&mut self, given: &Value, at: &str) -> Vec<Condition> {
        let Value::Array(given) = given else {
            self.suggest(at, "expected a list of conditions", format!("[{CONDITION}]"));
            return Vec::new();
        };
        // One condition alone looks like a list of texts.
        if matches!(given.as_slice(), [Value::String(_), ..]) {
            self.suggest(at, "expected a list of conditions", format!("[{CONDITION}]"));
            return Vec::new();
        }
        if self.has_too_many_conditions(given.len(), at) {
            return Vec::new();
        }
        let mut filter = Vec::with_capacity(given.len());
        for (place, condition) in given.iter().enumerate() {
            let at = format!("{at}[{place}]");
            match condition.as_array().map(Vec::as_slice) {
                Some([Value::String(field), Value::String(op), value]) => {
                    filter.extend(self.condition(&at, (field, op), value));
                }
                _ => self.suggest(at, "expected a field, an operator and a value", CONDITION),
            }
        }
        filter
    }

    pub(super) fn filter_parameters(&mut self, given: &[String]) -> Vec<Condition> {
        if self.has_too_many_conditions(given.len(), "where") {
            return Vec::new();
        }
        let mut filter = Vec::new();
        for (place, text) in given.iter().enumerate() {
            let at = if given.len() == 1 { "where".to_owned() } else { format!("where[{place}]") };
            if text.trim_start().starts_with('[') {
                match serde_json::from_str(text) {
                    Ok(list) => filter.extend(self.filter(&list, &at)),
                    Err(error) => self.problem(at, format!("is no JSON: {error}")),
                }
                continue;
            }
            match text.splitn(3, ',').collect::<Vec<_>>()[..] {
                [field, op, value] => {
                    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
                    filter.extend(self.condition(&at, (field.trim(), op.trim()), &value));
                }
                _ => self.suggest(at, "expected field,op,value", "age,>=,18"),
            }
        }
        if self.has_too_many_conditions(filter.len(), "where") {
            return Vec::new();
        }
        filter
    }

    fn has_too_many_conditions(&mut self, count: usize, at: &str) -> bool {
        if count > CONDITIONS_MAX {
            self.problem(at, format!("a query has at most {CONDITIONS_MAX} conditions"));
        }
        count > CONDITIONS_MAX
    }

    fn condition(
        &mut self,
        at: &str,
        (field, op): (&str, &str),
        value: &Value,
    ) -> Option<Condition> {
        let path = self.path(format!("{at}[0]"), field);
        if !OPS.contains(&op) {
            self.unknown_op(format!("{at}[1]"), op);
            return None;
        }
        let target = Target { at: format!("{at}[2]"), kept: path.as_ref().and_then(|p| p.kept()) };
        let op = self.op(&target, op, value);
        Some(Condition { field: path?, op: op? })
    }

    fn unknown_op(&mut self, at: String, op: &str) {
        let shown = shortened(op);
        let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(op));
        let near = alias.map(|(_, meant)| *meant).or_else(|| nearest(&shown, OPS));
        let hint = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of: {}", OPS.join(", ")),
        };
        self.suggest(at, &format!("unknown operator {shown:?}"), hint);
    }

    fn op(&mut self, target: &Target, op: &str, value: &Value) -> Option<Op> {
        Some(match op {
            "==" => Op::Eq(self.scalar(target, value)?),
            "!=" => Op::Ne(self.scalar(target, value)?),
            "<" => Op::Lt(self.bound(target, value)?),
            "<=" => Op::Le(self.bound(target, value)?),
            ">" => Op::Gt(self.bound(target, value)?),
            ">=" => Op::Ge(self.bound(target, value)?),
            "in" => Op::In(self.list(target, value)?),
            "contains" => Op::Contains(self.part(target, value)?),
            _ => Op::ArrayContains(self.item(target, value)?),
        })
    }

    /// A value to be less or more than.
    fn bound(&mut self, target: &Target, value: &Value) -> Option<Scalar> {
        let scalar = self.scalar(target, value)?;
        if scalar == Scalar::Null {
            let hint = "use == or != with null";
            self.suggest(&target.at, "nothing is less or more than null", hint);
            return None;
        }
        Some(scalar)
    }

    fn list(&mut self, target: &Target, value: &Value) -> Option<Vec<Scalar>> {
        let Value::Array(values) = value else {
            self.suggest(&target.at, "in wants a list of values", "[\"a\", \"b\"]");
            return None;
        };
        if !(1..=IN_MAX).contains(&values.len()) {
            self.problem(&target.at, format!("expected 1 to {IN_MAX} values"));
            return None;
        }
        let mut scalars = Vec::with_capacity(values.len());
        for (place, value) in values.iter().enumerate() {
            let item = Target { at: format!("{}[{place}]", target.at), ..*target };
            scalars.extend(self.scalar(&item, value));
        }
        (scalars.len() == values.len()).then_some(scalars)
    }

    fn part(&mut self, target: &Target, value: &Value) -> Option<String> {
        if matches!(target.kept, Some(Kept::CreatedAt | Kept::UpdatedAt)) {
            self.suggest(&target.at, "a time has no text in it", "use >= and <");
            return None;
        }
        match value {
            Value::String(text) if text.len() <= TEXT_BYTES_MAX => Some(text.clone()),
            Value::String(_) => self.too_long(target),
            _ => {
                let hint = "array-contains looks into lists";
                self.suggest(&target.at, "contains wants a text", hint);
                None
            }
        }
    }

    fn item(&mut self, target: &Target, value: &Value) -> Option<Scalar> {
        if target.kept.is_some() {
            self.problem(&target.at, "this field is never a list");
            return None;
        }
        self.scalar(target, value)
    }

    fn scalar(&mut self, target: &Target, value: &Value) -> Option<Scalar> {
        match value {
            Value::Array(_) | Value::Object(_) => {
                let hint = "null, true, false, a number or a text";
                self.suggest(&target.at, "expected a single value", hint);
                return None;
            }
            Value::String(text) if text.len() > TEXT_BYTES_MAX => return self.too_long(target),
            _ => {}
        }
        match (target.kept, value) {
            (Some(Kept::CreatedAt | Kept::UpdatedAt), value) => self.time(target, value),
            (Some(Kept::Id), Value::Bool(_) | Value::Number(_)) => {
                self.problem(&target.at, "an id is a text");
                None
            }
            (_, Value::Bool(yes)) => Some(Scalar::Bool(*yes)),
            (_, Value::String(text)) => Some(Scalar::Text(text.clone())),
            (_, Value::Number(number)) => {
                let float = || number.as_f64().map(Scalar::Float);
                number.as_i64().map(Scalar::Int).or_else(float)
            }
            _ => Some(Scalar::Null),
        }
    }

    fn time(&mut self, target: &Target, value: &Value) -> Option<Scalar> {
        let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if time.is_none() {
            self.suggest(&target.at, "expected a time", "\"2026-12-01T09:00:00Z\"");
        }
        time.map(Scalar::Time)
    }

    fn too_long<T>(&mut self, target: &Target) -> Option<T> {
        self.problem(&target.at, format!("a value has at most {TEXT_BYTES_MAX} bytes"));
        None
    }
}

/// The value of a condition: where it stands, and whether its field is one beside the fields.
struct Target {
    at: String,
    kept: Option<Kept>,
}

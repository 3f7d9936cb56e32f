//! Queries as callers write them: as JSON, and as parameters of an address.

use evoke_model::suggest::nearest;
use evoke_model::{Problem, Timestamp};
use serde_json::Value;

use crate::path::{FieldPath, Kept};
use crate::query::{Condition, Op, Query, Scalar, Sort};

/// Each is looked at for every document.
const CONDITIONS_MAX: usize = 100;
/// Each is looked up for itself.
const IN_MAX: usize = 100;
/// What is left open behind so many fields is left to the id.
const SORTS_MAX: usize = 8;
/// No document is looked for by more of a text.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How many documents a page has where nobody says it; as other lists have.
const LIMIT_DEFAULT: u32 = 50;
/// More in one answer hold a reader, and the memory of the answer, for too long.
const LIMIT_MAX: u32 = 1_000;

const KNOWN: [&str; 4] = ["where", "order_by", "limit", "cursor"];
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
const CONDITION: &str = "[\"age\", \">=\", 18]";

/// A query as parameters of an address.
#[derive(Clone, Copy, Default, Debug)]
pub struct Parameters<'a> {
    /// Each `field,op,value`, where the value is JSON if it parses and a text otherwise, or the
    /// JSON of a list of conditions.
    pub filter: &'a [String],
    /// Fields with commas between them, a `-` before those that descend.
    pub order_by: Option<&'a str>,
    /// A number.
    pub limit: Option<&'a str>,
    /// As the page before gave it.
    pub cursor: Option<&'a str>,
}

impl Query {
    /// Reads `{where: [[field, op, value], ...], order_by: ["-age", "name"], limit, cursor}`, each
    /// of which may be left out.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(given: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let Value::Object(fields) = given else {
            let problem = Problem::new("", "expected an object");
            return Err(vec![problem.suggest(format!("{{\"where\": [{CONDITION}]}}"))]);
        };
        for name in fields.keys().filter(|name| !KNOWN.contains(&name.as_str())).take(10) {
            let shown = shortened(name);
            let hint = evoke_model::suggest::did_you_mean(&shown, KNOWN);
            let problem = Problem::new(shown.as_str(), format!("unknown field {shown:?}"));
            reader.problems.push(problem.suggest(hint));
        }
        let given = |name| fields.get(name).filter(|value| !value.is_null());
        let query = Self {
            filter: given("where").map(|list| reader.filter(list, "where")).unwrap_or_default(),
            order: given("order_by").map(|order| reader.order(order)).unwrap_or_default(),
            limit: given("limit").map_or(LIMIT_DEFAULT, |limit| reader.limit(limit.as_u64())),
            cursor: given("cursor").and_then(|cursor| reader.text("cursor", cursor)),
        };
        reader.finish(query)
    }

    /// Reads parameters of an address.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_parameters(given: &Parameters<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::default();
        let query = Self {
            filter: reader.filter_parameters(given.filter),
            order: given.order_by.map(|order| reader.order_text(order)).unwrap_or_default(),
            limit: given.limit.map_or(LIMIT_DEFAULT, |limit| reader.limit(limit.parse().ok())),
            cursor: given.cursor.map(str::to_owned),
        };
        reader.finish(query)
    }
}

/// Reads a list of conditions, `[[field, op, value], ...]`, which stands at `at`.
///
/// # Errors
/// Everything that is wrong.
pub fn parse_filter(given: &Value, at: &str) -> Result<Vec<Condition>, Vec<Problem>> {
    let mut reader = Reader::default();
    let filter = reader.filter(given, at);
    reader.finish(filter)
}

/// Reads the parameters `where` of an address, see [`Parameters::filter`].
///
/// # Errors
/// Everything that is wrong.
pub fn parse_filter_parameters(given: &[String]) -> Result<Vec<Condition>, Vec<Problem>> {
    let mut reader = Reader::default();
    let filter = reader.filter_parameters(given);
    reader.finish(filter)
}

/// What a caller wrote, no longer than is needed to find it again.
fn shortened(text: &str) -> String {
    text.chars().take(40).filter(|c| !c.is_control()).collect()
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, at: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(at, message));
    }

    fn suggest(&mut self, at: impl Into<String>, message: &str, hint: impl Into<String>) {
        self.problems.push(Problem::new(at, message).suggest(hint));
    }

    fn finish<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }

    fn limit(&mut self, given: Option<u64>) -> u32 {
        let limit = given.and_then(|limit| u32::try_from(limit).ok());
        limit.filter(|limit| (1..=LIMIT_MAX).contains(limit)).unwrap_or_else(|| {
            self.problem("limit", format!("expected a whole number from 1 to {LIMIT_MAX}"));
            LIMIT_DEFAULT
        })
    }

    fn text(&mut self, at: &str, given: &Value) -> Option<String> {
        match given {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.problem(at, "expected a text");
                None
            }
        }
    }

    fn path(&mut self, at: impl Into<String>, text: &str) -> Option<FieldPath> {
        FieldPath::parse(text).map_err(|bad| self.problem(at, bad.to_string())).ok()
    }

    fn order(&mut self, given: &Value) -> Vec<Sort> {
        let fields = match given {
            Value::String(text) => return self.order_text(text),
            Value::Array(fields) => fields,
            _ => {
                self.suggest("order_by", "expected a list of fields", "[\"-age\", \"name\"]");
                return Vec::new();
            }
        };
        if self.has_too_many_sorts(fields.len()) {
            return Vec::new();
        }
        let mut order = Vec::with_capacity(fields.len());
        for (place, field) in fields.iter().enumerate() {
            let at = format!("order_by[{place}]");
            match field {
                Value::String(text) => order.extend(self.sort(at, text)),
                _ => self.suggest(at, "expected the name of a field", "\"-age\""),
            }
        }
        order
    }

    fn order_text(&mut self, text: &str) -> Vec<Sort> {
        if text.is_empty() || self.has_too_many_sorts(text.split(',').take(SORTS_MAX + 1).count()) {
            return Vec::new();
        }
        text.split(',').filter_map(|field| self.sort("order_by", field.trim())).collect()
    }

    fn has_too_many_sorts(&mut self, count: usize) -> bool {
        if count > SORTS_MAX {
            self.problem("order_by", format!("a query is ordered by at most {SORTS_MAX} fields"));
        }
        count > SORTS_MAX
    }

    fn sort(&mut self, at: impl Into<String>, text: &str) -> Option<Sort> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        Some(Sort { field: self.path(at, name)?, descending })
    }

    fn filter(&mut self, given: &Value, at: &str) -> Vec<Condition> {
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

    fn filter_parameters(&mut self, given: &[String]) -> Vec<Condition> {
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

#[cfg(test)]
mod tests;

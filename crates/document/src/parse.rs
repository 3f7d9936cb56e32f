//! Queries as callers write them: as JSON, and as parameters of an address.

mod condition;
#[cfg(test)]
mod tests;

use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use serde_json::Value;

use crate::path::FieldPath;
use crate::query::{Condition, Query, Sort};
use condition::CONDITION;

/// What is left open behind so many fields is left to the id.
const SORTS_MAX: usize = 8;
/// How many documents a page has where nobody says it; as other lists have.
const LIMIT_DEFAULT: u32 = 50;
/// More in one answer hold a reader, and the memory of the answer, for too long.
const LIMIT_MAX: u32 = 1_000;

const KNOWN: [&str; 4] = ["where", "order_by", "limit", "cursor"];

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
            let hint = did_you_mean(&shown, KNOWN);
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
}

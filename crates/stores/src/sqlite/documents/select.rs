//! Queries as SQL: conditions, orders, pages. Values are bound, never written.

use evoke_document::{Condition, FieldPath, Fields, Index, Op, Place, Query, Scalar};
use rusqlite::types::Value;

use super::table::{expression, json_path, scalar, table, value};

/// A statement with what is bound to its parameters.
#[derive(Debug, Default)]
pub struct Select {
    /// SQL, a `?` for each value.
    pub sql: String,
    /// The values.
    pub values: Vec<Value>,
}

/// The columns of a document.
pub const DOCUMENT: &str = "id, revision, created_at, updated_at, body";

/// Reads one document.
pub fn one(collection: &str) -> String {
    format!("SELECT {DOCUMENT} FROM {} WHERE id = ?1", table(collection))
}

/// Counts the documents that meet all conditions.
pub fn count(collection: &str, filter: &[Condition]) -> Select {
    let mut select = Select::default();
    select.push("SELECT count(*) FROM ").push(&table(collection)).filter(filter);
    select
}

/// Reads a page: statements to be carried out one after the other until there are as many documents
/// as are wanted. What comes behind a place is cut into ranges, each of which is one stretch of an
/// index that has the fields of the order, which what `OR` joins is not.
pub fn page(collection: &str, query: &Query, after: Option<&Place<'_>>) -> Vec<Select> {
    let terms = terms(query);
    let ranges = match after {
        None => vec![Range { bounds: Vec::new(), open: &terms }],
        Some(place) => ranges(&terms, place),
    };
    let select = |range: Range<'_>| {
        let mut select = Select::default();
        select.push("SELECT ").push(DOCUMENT).push(" FROM ").push(&table(collection));
        select.filter(&query.filter);
        let mut word = if query.filter.is_empty() { " WHERE " } else { " AND " };
        for bound in range.bounds {
            select.push(word).bound(bound);
            word = " AND ";
        }
        select.order(range.open);
        select.push(" LIMIT ?");
        select
    };
    ranges.into_iter().map(select).collect()
}

/// Finds another document with the values that this one has in an index.
pub fn others(collection: &str, index: &Index, fields: Fields<'_>) -> Select {
    let mut select = Select::default();
    select.push("SELECT 1 FROM ").push(&table(collection)).push(" WHERE id <> ?");
    select.values.push(Value::Text(fields.document.id.to_string()));
    for path in &index.fields {
        select.push(" AND ").compare(&expression(path), "=", value(&fields.value(path)));
    }
    select
}

/// A term of an order.
struct Term {
    expression: String,
    descending: bool,
    /// Whether documents may be without it.
    may_be_null: bool,
}

fn terms(query: &Query) -> Vec<Term> {
    let of = |path: &FieldPath, descending| Term {
        expression: expression(path),
        descending,
        may_be_null: path.kept().is_none(),
    };
    let mut terms: Vec<Term> =
        query.order.iter().map(|sort| of(&sort.field, sort.descending)).collect();
    let descending = query.ids_descend();
    terms.push(Term { expression: "id".to_owned(), descending, may_be_null: false });
    terms
}

/// A condition on a term: SQL with the value that is bound behind it, if there is one.
type Bound = (String, Option<Value>);

/// A part of what comes behind a place.
struct Range<'t> {
    /// What holds of it.
    bounds: Vec<Bound>,
    /// The terms that are not the same in all of it.
    open: &'t [Term],
}

/// What comes behind a place, in the order of the terms: first what is the same in all terms but
/// the last, at last what is behind it in the first already.
fn ranges<'t>(terms: &'t [Term], place: &Place<'_>) -> Vec<Range<'t>> {
    let keys: Vec<Value> = place.0.iter().map(value).collect();
    let mut ranges = Vec::new();
    for depth in (0..terms.len().min(keys.len())).rev() {
        let same: Vec<Bound> =
            terms[..depth].iter().zip(&keys).map(|(term, key)| same(term, key)).collect();
        for Behind { bound, is_one_value } in behind(&terms[depth], &keys[depth]) {
            let bounds = same.iter().cloned().chain([bound]).collect();
            ranges.push(Range { bounds, open: &terms[depth + usize::from(is_one_value)..] });
        }
    }
    ranges
}

fn same(term: &Term, key: &Value) -> Bound {
    match key {
        Value::Null => (format!("{} IS NULL", term.expression), None),
        key => (format!("{} = ?", term.expression), Some(key.clone())),
    }
}

/// What comes behind a value in one term.
struct Behind {
    bound: Bound,
    /// Whether there is but one value behind it.
    is_one_value: bool,
}

/// NULL is the first of all values, and the last where the order descends.
fn behind(term: &Term, key: &Value) -> Vec<Behind> {
    let Term { expression, descending, may_be_null } = term;
    let compared = |op: &str| {
        let bound = (format!("{expression} {op} ?"), Some(key.clone()));
        Behind { bound, is_one_value: false }
    };
    match (key, descending) {
        (Value::Null, true) => Vec::new(),
        (Value::Null, false) => {
            let bound = (format!("{expression} IS NOT NULL"), None);
            vec![Behind { bound, is_one_value: false }]
        }
        (_, false) => vec![compared(">")],
        (_, true) => {
            let bound = (format!("{expression} IS NULL"), None);
            let null = may_be_null.then_some(Behind { bound, is_one_value: true });
            std::iter::once(compared("<")).chain(null).collect()
        }
    }
}

/// What lies below all texts, and above all numbers.
const TEXTS: &str = "''";
/// What lies below `false`, and above all texts.
const BOOLS: &str = "x'00'";
/// What lies above `true`, and below all lists and objects.
const WHOLES: &str = "x'02'";
const NEVER: &str = "0";
const ALWAYS: &str = "1";

impl Select {
    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn bound(&mut self, (sql, value): Bound) {
        self.push(&sql).values.extend(value);
    }

    fn order(&mut self, terms: &[Term]) {
        let mut word = " ORDER BY ";
        for term in terms {
            self.push(word).push(&term.expression);
            self.push(if term.descending { " DESC" } else { " ASC" });
            word = ", ";
        }
    }

    fn filter(&mut self, filter: &[Condition]) {
        let mut word = " WHERE ";
        for condition in filter {
            self.push(word).condition(condition);
            word = " AND ";
        }
    }

    fn condition(&mut self, condition: &Condition) {
        let path = &condition.field;
        let field = expression(path);
        match &condition.op {
            Op::Eq(wanted) => match scalar(path, wanted) {
                None => self.push(NEVER),
                Some(Value::Null) => self.push(&format!("{field} IS NULL")),
                Some(value) => self.compare(&field, "=", value),
            },
            Op::Ne(unwanted) => match scalar(path, unwanted) {
                None => self.push(ALWAYS),
                Some(Value::Null) => self.push(&format!("{field} IS NOT NULL")),
                Some(value) => self.compare(&field, "IS NOT", value),
            },
            Op::Lt(than) => self.below(path, "<", than),
            Op::Le(than) => self.below(path, "<=", than),
            Op::Gt(than) => self.above(path, ">", than),
            Op::Ge(than) => self.above(path, ">=", than),
            Op::In(wanted) => self.any_of(path, wanted),
            Op::Contains(part) => self.contains(path, part),
            Op::ArrayContains(item) => self.array_contains(path, item),
        };
    }

    fn compare(&mut self, field: &str, op: &str, value: Value) -> &mut Self {
        self.values.push(value);
        self.push(&format!("{field} {op} ?"))
    }

    /// Below, and of the same type.
    fn below(&mut self, path: &FieldPath, op: &str, than: &Scalar) -> &mut Self {
        let field = expression(path);
        match scalar(path, than) {
            None => self.push(NEVER),
            Some(Value::Null) => self.only_null(&field, op == "<="),
            Some(value) => {
                let from = match than {
                    Scalar::Text(_) => Some(TEXTS),
                    Scalar::Bool(_) => Some(BOOLS),
                    _ => None,
                };
                if let Some(from) = from {
                    self.push(&format!("{field} >= {from} AND "));
                }
                self.compare(&field, op, value)
            }
        }
    }

    /// Above, and of the same type.
    fn above(&mut self, path: &FieldPath, op: &str, than: &Scalar) -> &mut Self {
        let field = expression(path);
        match scalar(path, than) {
            None => self.push(NEVER),
            Some(Value::Null) => self.only_null(&field, op == ">="),
            Some(value) => {
                let to = match than {
                    Scalar::Text(_) => BOOLS,
                    Scalar::Bool(_) => WHOLES,
                    _ => TEXTS,
                };
                self.compare(&field, op, value);
                self.push(&format!(" AND {field} < {to}"))
            }
        }
    }

    /// `null` is neither less nor more than itself, but the same.
    fn only_null(&mut self, field: &str, same: bool) -> &mut Self {
        if same { self.push(&format!("{field} IS NULL")) } else { self.push(NEVER) }
    }

    fn any_of(&mut self, path: &FieldPath, wanted: &[Scalar]) -> &mut Self {
        let field = expression(path);
        let values: Vec<Value> = wanted.iter().filter_map(|one| scalar(path, one)).collect();
        let (nulls, values): (Vec<_>, Vec<_>) =
            values.into_iter().partition(|value| *value == Value::Null);
        let places = vec!["?"; values.len()].join(", ");
        let listed = format!("{field} IN ({places})");
        match (values.is_empty(), nulls.is_empty()) {
            (true, true) => self.push(NEVER),
            (true, false) => self.push(&format!("{field} IS NULL")),
            (false, true) => self.push(&listed),
            (false, false) => self.push(&format!("({listed} OR {field} IS NULL)")),
        };
        self.values.extend(values);
        self
    }

    fn contains(&mut self, path: &FieldPath, part: &str) -> &mut Self {
        let part = Scalar::Text(part.to_owned());
        let Some(value) = scalar(path, &part) else {
            return self.push(NEVER);
        };
        self.values.push(value);
        if path.kept().is_some() {
            return self.push("instr(id, ?) > 0");
        }
        let path = json_path(path);
        self.push(&format!(
            "(json_type(body, {path}) = 'text' AND instr(json_extract(body, {path}), ?) > 0)"
        ))
    }

    fn array_contains(&mut self, path: &FieldPath, item: &Scalar) -> &mut Self {
        let types = match item {
            _ if path.kept().is_some() => return self.push(NEVER),
            Scalar::Time(_) => return self.push(NEVER),
            Scalar::Null => "= 'null'",
            Scalar::Bool(false) => "= 'false'",
            Scalar::Bool(true) => "= 'true'",
            Scalar::Int(_) | Scalar::Float(_) => "IN ('integer', 'real') AND item.value = ?",
            Scalar::Text(_) => "= 'text' AND item.value = ?",
        };
        if matches!(item, Scalar::Int(_) | Scalar::Float(_) | Scalar::Text(_)) {
            self.values.extend(scalar(path, item));
        }
        let path = json_path(path);
        self.push(&format!(
            "(json_type(body, {path}) = 'array' AND EXISTS \
             (SELECT 1 FROM json_each(body, {path}) AS item WHERE item.type {types}))"
        ))
    }
}

//! What is asked of a collection.

use evoke_model::Timestamp;

use crate::path::FieldPath;

/// Which documents, in which order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Query {
    /// All must hold.
    pub filter: Vec<Condition>,
    /// The most important first; what it leaves open is ordered by id, in the direction of the
    /// last.
    pub order: Vec<Sort>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// From the page before.
    pub cursor: Option<String>,
}

/// A condition on one field.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// The field; `id`, `_created_at` and `_updated_at` name what is kept beside the fields.
    pub field: FieldPath,
    /// What must hold.
    pub op: Op,
}

/// What must hold of a field. Comparisons hold between values of one type only: a number is
/// neither less nor more than a text.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// The same value; a field that is not there is `null`.
    Eq(Scalar),
    /// Anything else: all documents of which [`Op::Eq`] does not hold.
    Ne(Scalar),
    /// Less: numbers by value, texts by code points, `false` before `true`.
    Lt(Scalar),
    /// Less or the same.
    Le(Scalar),
    /// More.
    Gt(Scalar),
    /// More or the same.
    Ge(Scalar),
    /// One of these, 1 to 100.
    In(Vec<Scalar>),
    /// A text that has this in it, exactly so written.
    Contains(String),
    /// A list that has this as an element.
    ArrayContains(Scalar),
}

/// A value a field can be compared with.
#[derive(Clone, PartialEq, Debug)]
pub enum Scalar {
    /// `null`, which is also what is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number; never NaN or infinite.
    Float(f64),
    /// A text.
    Text(String),
    /// An instant, for `_created_at` and `_updated_at`.
    Time(Timestamp),
}

/// A field to order by. What is not there and `null` come first, then numbers, texts, `false`,
/// `true`, and last lists and objects by their text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// The field.
    pub field: FieldPath,
    /// The other way round.
    pub descending: bool,
}

//! Whether a document meets a condition, and where it stands in an order: what every store must
//! answer alike.

use std::cmp::Ordering;

use crate::query::{Condition, Op, Query, Scalar, Sort};
use crate::value::{FieldValue, Fields};

impl Condition {
    /// Whether it holds of a document.
    pub fn holds(&self, fields: Fields<'_>) -> bool {
        let value = fields.value(&self.field);
        let is = |scalar: &Scalar| value == FieldValue::of_scalar(scalar);
        let stands = |scalar: &Scalar, wanted: fn(Ordering) -> bool| {
            value.compare(&FieldValue::of_scalar(scalar)).is_some_and(wanted)
        };
        match &self.op {
            Op::Eq(scalar) => is(scalar),
            Op::Ne(scalar) => !is(scalar),
            Op::Lt(scalar) => stands(scalar, Ordering::is_lt),
            Op::Le(scalar) => stands(scalar, Ordering::is_le),
            Op::Gt(scalar) => stands(scalar, Ordering::is_gt),
            Op::Ge(scalar) => stands(scalar, Ordering::is_ge),
            Op::In(scalars) => scalars.iter().any(is),
            Op::Contains(part) => {
                matches!(&value, FieldValue::Text(text) if text.contains(part.as_str()))
            }
            Op::ArrayContains(scalar) => {
                let items = fields.json(&self.field).and_then(|json| json.as_array());
                let wanted = FieldValue::of_scalar(scalar);
                items.is_some_and(|items| items.iter().any(|item| FieldValue::of(item) == wanted))
            }
        }
    }
}

impl Query {
    /// Whether all its conditions hold of a document.
    pub fn holds(&self, fields: Fields<'_>) -> bool {
        self.filter.iter().all(|condition| condition.holds(fields))
    }

    /// Whether documents with the same values come with the highest id first: they follow the last
    /// field of the order.
    pub fn ids_descend(&self) -> bool {
        self.order.last().is_some_and(|sort| sort.descending)
    }

    /// Where a document stands in its order.
    pub fn place(&self, fields: Fields<'_>) -> Place<'static> {
        let value = |sort: &Sort| fields.value(&sort.field).into_owned();
        let id = FieldValue::Text(fields.document.id.to_string().into());
        Place(self.order.iter().map(value).chain([id]).collect())
    }

    /// Which of two places comes first.
    pub fn compare(&self, one: &Place<'_>, other: &Place<'_>) -> Ordering {
        let directions = self.order.iter().map(|sort| sort.descending).chain([self.ids_descend()]);
        let orders =
            one.0.iter().zip(&other.0).zip(directions).map(|((one, other), descending)| {
                let order = one.order(other);
                if descending { order.reverse() } else { order }
            });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}

/// Where a document stands in the order of a query: its values of the fields it is ordered by, and
/// last its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a>(pub Vec<FieldValue<'a>>);

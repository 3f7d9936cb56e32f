//! Values of fields as they are compared and ordered.

use std::borrow::Cow;
use std::cmp::Ordering;

use evoke_model::Timestamp;
use serde_json::{Map, Value};

use crate::document::Document;
use crate::path::{FieldPath, Kept};
use crate::query::Scalar;

/// A number, whole where JSON writes it so and it has 64 bits.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// Any other; never NaN or infinite.
    Float(f64),
}

/// The value of a field, in the order of [`crate::Sort`].
#[derive(Clone, Debug)]
pub enum FieldValue<'a> {
    /// `null`, or not there.
    Null,
    /// An instant, which only what is kept beside the fields can be.
    Time(Timestamp),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// `true` or `false`.
    Bool(bool),
    /// A list or an object: its JSON text.
    Whole(Cow<'a, str>),
}

impl<'a> FieldValue<'a> {
    /// That of a JSON value.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => Self::Number(Number::of(number)),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Whole(Cow::Owned(value.to_string())),
        }
    }

    /// That of a scalar.
    pub fn of_scalar(scalar: &'a Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(yes) => Self::Bool(*yes),
            Scalar::Int(number) => Self::Number(Number::Int(*number)),
            Scalar::Float(number) => Self::Number(Number::Float(*number)),
            Scalar::Text(text) => Self::Text(Cow::Borrowed(text)),
            Scalar::Time(time) => Self::Time(*time),
        }
    }

    /// The same with a text of its own.
    pub fn into_owned(self) -> FieldValue<'static> {
        match self {
            Self::Null => FieldValue::Null,
            Self::Time(time) => FieldValue::Time(time),
            Self::Number(number) => FieldValue::Number(number),
            Self::Text(text) => FieldValue::Text(Cow::Owned(text.into_owned())),
            Self::Bool(yes) => FieldValue::Bool(yes),
            Self::Whole(text) => FieldValue::Whole(Cow::Owned(text.into_owned())),
        }
    }

    /// How it stands to another of its type; `None` between types.
    pub fn compare(&self, other: &FieldValue<'_>) -> Option<Ordering> {
        (self.rank() == other.rank()).then(|| self.order(other))
    }

    /// How it stands to any other.
    pub fn order(&self, other: &FieldValue<'_>) -> Ordering {
        match (self, other) {
            (Self::Time(one), FieldValue::Time(other)) => one.cmp(other),
            (Self::Number(one), FieldValue::Number(other)) => one.cmp(other),
            (Self::Bool(one), FieldValue::Bool(other)) => one.cmp(other),
            // UTF-8 in the order of bytes is in the order of code points.
            (Self::Text(one), FieldValue::Text(other))
            | (Self::Whole(one), FieldValue::Whole(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Time(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
            Self::Bool(_) => 4,
            Self::Whole(_) => 5,
        }
    }
}

impl Ord for FieldValue<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl PartialOrd for FieldValue<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FieldValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

impl Eq for FieldValue<'_> {}

impl Number {
    /// That of a JSON number. A whole number that has more than 64 bits is the nearest float.
    pub fn of(number: &serde_json::Number) -> Self {
        match number.as_i64() {
            Some(whole) => Self::Int(whole),
            None => Self::Float(number.as_f64().unwrap_or(0.0)),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Int(one), Self::Int(other)) => one.cmp(&other),
            (Self::Int(one), Self::Float(other)) => int_to_float(one, other),
            (Self::Float(one), Self::Int(other)) => int_to_float(other, one).reverse(),
            // Both zeros are one, and there is no NaN.
            (Self::Float(one), Self::Float(other)) => {
                one.partial_cmp(&other).unwrap_or(Ordering::Equal)
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

/// Compares by value: a whole number of 64 bits need not be a float.
fn int_to_float(int: i64, float: f64) -> Ordering {
    /// 2^63, the first float that no whole number of 64 bits reaches.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if float >= BEYOND {
        return Ordering::Less;
    }
    if float < -BEYOND {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    let fraction = float - whole;
    int.cmp(&(whole as i64)).then_with(|| 0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal))
}

/// A document with its fields read, as conditions and orders look at it.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// The document.
    pub document: &'a Document,
    /// Its fields.
    pub body: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The value of a field.
    pub fn value(&self, path: &FieldPath) -> FieldValue<'a> {
        match path.kept() {
            Some(Kept::Id) => FieldValue::Text(Cow::Borrowed(&self.document.id)),
            Some(Kept::CreatedAt) => FieldValue::Time(self.document.created_at),
            Some(Kept::UpdatedAt) => FieldValue::Time(self.document.updated_at),
            None => self.json(path).map_or(FieldValue::Null, FieldValue::of),
        }
    }

    /// The JSON of a field, if it is there.
    pub fn json(&self, path: &FieldPath) -> Option<&'a Value> {
        if path.kept().is_some() {
            return None;
        }
        let mut names = path.names();
        let first = self.body.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.get(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_is_total() {
        let values = [
            json!(null),
            json!(-1.5e300),
            json!(i64::MIN),
            json!(-2),
            json!(-1.5),
            json!(-1),
            json!(0),
            json!(0.5),
            json!(9_007_199_254_740_992_i64),
            json!(9_007_199_254_740_993_i64),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(""),
            json!("A"),
            json!("Z"),
            json!("a"),
            json!("a\0"),
            json!("ab"),
            json!("\u{e9}"),
            json!("\u{ffff}"),
            json!("\u{10000}"),
            json!(false),
            json!(true),
            json!([1]),
            json!([]),
            json!({}),
        ];
        for (place, one) in values.iter().enumerate() {
            for (other_place, other) in values.iter().enumerate() {
                let order = FieldValue::of(one).cmp(&FieldValue::of(other));
                assert_eq!(order, place.cmp(&other_place), "{one} and {other}");
            }
        }
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        for (one, other) in [("1", "1.0"), ("0", "-0.0"), ("100", "1e2"), ("-0.0", "0.0")] {
            let [one, other] = [one, other].map(|text| serde_json::from_str(text).unwrap());
            let (one, other): (Value, Value) = (one, other);
            assert_eq!(FieldValue::of(&one), FieldValue::of(&other));
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_and_floats_compare_by_value(int in any::<i64>(), slip in -2_i64..3) {
            let float = int as f64;
            let near = int.saturating_add(slip);
            // Every float that is a whole number of 64 bits is one of 128 bits.
            let expected = i128::from(near).cmp(&(float as i128));
            prop_assert_eq!(Number::Int(near).cmp(&Number::Float(float)), expected);
            prop_assert_eq!(Number::Float(float).cmp(&Number::Int(near)), expected.reverse());
        }
    }
}

//! Single values: each function says what it expects and what came instead.

use std::ops::RangeInclusive;

use evoke_model::{ByteSize, Millis};
use serde_json::Value;

use crate::reader::{Wrong, describe, unknown};

fn expected(what: &str, value: &Value) -> Wrong {
    Wrong::new(format!("expected {what}, got {}", describe(value)))
}

/// A text.
pub fn text(value: &Value) -> Result<String, Wrong> {
    value.as_str().map(str::to_owned).ok_or_else(|| expected("a text", value))
}

/// A text with something in it.
pub fn some_text(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    if text.trim().is_empty() { Err(Wrong::new("it is empty")) } else { Ok(text) }
}

/// `true` or `false`.
pub fn boolean(value: &Value) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| expected("true or false", value))
}

/// A whole number within bounds.
pub fn whole(range: RangeInclusive<i64>) -> impl Fn(&Value) -> Result<i64, Wrong> {
    move |value| {
        let number = value.as_i64().ok_or_else(|| expected("a whole number", value))?;
        if range.contains(&number) {
            return Ok(number);
        }
        let (low, high) = (range.start(), range.end());
        Err(Wrong::new(format!("{number} is out of range")).suggest(format!("{low} to {high}")))
    }
}

/// A count within bounds.
pub fn count(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u32, Wrong> {
    let whole = whole(i64::from(*range.start())..=i64::from(*range.end()));
    move |value| whole(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A duration within bounds: `"30s"`, or a number of seconds.
pub fn duration(range: RangeInclusive<Millis>) -> impl Fn(&Value) -> Result<Millis, Wrong> {
    move |value| unit(value, &range, "a duration like 250ms, 30s, 5m, 2h or 7d")
}

/// A size within bounds: `"256mb"`, or a number of MB.
pub fn size(range: RangeInclusive<ByteSize>) -> impl Fn(&Value) -> Result<ByteSize, Wrong> {
    move |value| unit(value, &range, "a size like 64kb, 256mb or 2gb")
}

fn unit<T>(value: &Value, range: &RangeInclusive<T>, what: &str) -> Result<T, Wrong>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(expected(what, value)),
    };
    let amount: T = text.parse().map_err(|_| expected(what, value))?;
    if range.contains(&amount) {
        return Ok(amount);
    }
    let (low, high) = (range.start(), range.end());
    Err(Wrong::new(format!("{amount} is out of range")).suggest(format!("{low} to {high}")))
}

/// One of a few words, in any case.
pub fn word<T: Copy + 'static>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let text = text(value)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        let names: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        found.map(|(_, meaning)| *meaning).ok_or_else(|| unknown("value", &text, names))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_know_their_unit_and_their_bounds() {
        let timeout = duration(Millis::new(1)..=Millis::from_secs(900));
        assert_eq!(timeout(&json!(30)), Ok(Millis::from_secs(30)));
        assert_eq!(timeout(&json!("1.5m")), Ok(Millis::from_secs(90)));
        for value in [json!("0s"), json!("16m"), json!(-1), json!("soon"), json!([]), json!(null)] {
            assert!(timeout(&value).is_err(), "{value}");
        }
        let memory = size(ByteSize::from_mb(128)..=ByteSize::from_mb(4096));
        assert_eq!(memory(&json!(512)), Ok(ByteSize::from_mb(512)));
        let small = memory(&json!("64mb")).unwrap_err();
        assert_eq!(small, Wrong::new("64mb is out of range").suggest("128mb to 4gb"));
    }

    #[test]
    fn counts_and_words_are_checked() {
        let attempts = count(1..=100);
        assert_eq!(attempts(&json!(100)), Ok(100));
        for value in [json!(0), json!(101), json!(1.5), json!("5"), json!(-1), json!(1e300)] {
            assert!(attempts(&value).is_err(), "{value}");
        }
        let mode = word(&[("async", 1), ("sync", 2)]);
        assert_eq!(mode(&json!("SYNC")), Ok(2));
        let wrong = mode(&json!("asyn")).unwrap_err();
        assert_eq!(wrong, Wrong::new("unknown value \"asyn\"").suggest("did you mean \"async\"?"));
    }
}

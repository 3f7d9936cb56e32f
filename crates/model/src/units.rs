//! Amounts with their unit: durations (`30s`) and sizes (`256mb`), written as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The text is not an amount of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {text:?}")]
pub struct ParseUnitError {
    expected: &'static str,
    text: String,
}

/// A duration in milliseconds. Written `250ms`, `30s`, `5m`, `2h`, `7d`; a bare number is seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// The number of milliseconds.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        for (size, unit) in units {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Splits `1.5h` into its number and its unit, lower case.
fn split(text: &str) -> Option<(f64, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    Some((number, unit.trim().to_ascii_lowercase()))
}

impl FromStr for Millis {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let refuse = || ParseUnitError {
            expected: "a duration like 250ms, 30s, 5m, 2h or 7d",
            text: text.to_owned(),
        };
        let (number, unit) = split(text).ok_or_else(refuse)?;
        let factor = match unit.as_str() {
            "ms" => 1.0,
            "" | "s" | "sec" | "second" | "seconds" => 1_000.0,
            "m" | "min" | "minute" | "minutes" => 60_000.0,
            "h" | "hour" | "hours" => 3_600_000.0,
            "d" | "day" | "days" => 86_400_000.0,
            _ => return Err(refuse()),
        };
        let millis = number * factor;
        // Above this a timestamp in microseconds would no longer hold the sum.
        if !(0.0..=3.0e14).contains(&millis) {
            return Err(refuse());
        }
        Ok(Self(millis.round() as u64))
    }
}

/// A size in bytes. Written `128mb`, `4gb`, `64kb`, `10b` (powers of 1024); a bare number is MB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1,048,576 bytes.
    pub const fn from_mb(mb: u64) -> Self {
        Self(mb << 20)
    }

    /// The number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
            if self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}b", self.0)
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ByteSize {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let refuse =
            || ParseUnitError { expected: "a size like 64kb, 256mb or 2gb", text: text.to_owned() };
        let (number, unit) = split(text).ok_or_else(refuse)?;
        let shift = match unit.as_str() {
            "b" => 0,
            "k" | "kb" | "kib" => 10,
            "" | "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err(refuse()),
        };
        let bytes = number * f64::from(1_u32 << shift);
        if !(0.0..=1.0e15).contains(&bytes) {
            return Err(refuse());
        }
        Ok(Self(bytes.round() as u64))
    }
}

/// Reads a unit from a string, or from a bare number in the unit's default.
macro_rules! unit_serde {
    ($name:ident, $schema:literal, $example:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a text like ", $example, " or a number"))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$name, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "anyOf": [{ "type": "string" }, { "type": "number", "minimum": 0 }],
                    "examples": [$example],
                })
            }
        }
    };
}

unit_serde!(Millis, "Duration", "30s");
unit_serde!(ByteSize, "Size", "256mb");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let table = [("250ms", 250), ("30s", 30_000), ("30", 30_000), ("1.5h", 5_400_000)];
        for (text, millis) in table {
            assert_eq!(text.parse(), Ok(Millis::new(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "3 fortnights", "1e400s", "nan"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_written() {
        let table = [("256mb", 256 << 20), ("128", 128 << 20), ("1GB", 1 << 30), ("10b", 10)];
        for (text, bytes) in table {
            assert_eq!(text.parse(), Ok(ByteSize::new(bytes)), "{text}");
        }
        assert!("ten".parse::<ByteSize>().is_err());
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for millis in [0, 1, 999, 1_000, 61_000, 3_600_000, 86_400_000] {
            assert_eq!(Millis::new(millis).to_string().parse(), Ok(Millis::new(millis)));
        }
    }
}

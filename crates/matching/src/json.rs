//! What an expression gave, as JSON.

use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull,
    CelOptional, CelString, CelTimestamp, CelUInt,
};
use cel::common::value::Val;
use evoke_model::event::base64;
use serde_json::{Map, Number, Value};

use crate::expression::{EvalError, RESULT_MAX, wrong_type};

/// Lists and objects within one another: what readers of JSON commonly take.
const NESTING_MAX: usize = 127;

/// The value as JSON. Timestamps are written in RFC 3339, durations as seconds (`90s`, `1.5s`),
/// bytes in base64.
pub(crate) fn of(value: &dyn Val) -> Result<Value, EvalError> {
    Writer { bytes: 0 }.value(value, 0)
}

struct Writer {
    /// How long the text is so far, about.
    bytes: usize,
}

impl Writer {
    fn take(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > RESULT_MAX { Err(EvalError::TooLarge) } else { Ok(()) }
    }

    fn value(&mut self, value: &dyn Val, depth: usize) -> Result<Value, EvalError> {
        if depth > NESTING_MAX {
            return Err(EvalError::Failed(format!("it nests deeper than {NESTING_MAX}")));
        }
        if let Some(list) = value.downcast_ref::<CelList>() {
            return self.list(list, depth);
        }
        if let Some(map) = value.downcast_ref::<CelMap>() {
            return self.map(map, depth);
        }
        if let Some(optional) = value.downcast_ref::<CelOptional>() {
            return optional.option().map_or(Ok(Value::Null), |inner| self.value(inner, depth));
        }
        let scalar = scalar(value)?;
        self.take(match &scalar {
            Value::String(text) => text.len() + 2,
            _ => 4,
        })?;
        Ok(scalar)
    }

    fn list(&mut self, list: &CelList<'_>, depth: usize) -> Result<Value, EvalError> {
        self.take(2 + list.inner().len())?;
        let items = list.inner().iter().map(|item| self.value(&**item, depth + 1));
        items.collect::<Result<_, _>>().map(Value::Array)
    }

    fn map(&mut self, map: &CelMap<'_>, depth: usize) -> Result<Value, EvalError> {
        self.take(2 + map.inner().len())?;
        // The interpreter keeps no order; one of its own makes the same answer of the same event.
        let mut entries: Vec<(String, &dyn Val)> =
            map.inner().iter().map(|(key, value)| (key_text(key), &**value)).collect();
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut object = Map::new();
        for (key, value) in entries {
            self.take(key.len() + 3)?;
            let value = self.value(value, depth + 1)?;
            if object.contains_key(&key) {
                return Err(EvalError::Failed(format!("two keys are written \"{key}\" in JSON")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

fn key_text(key: &CelMapKey<'_>) -> String {
    match key {
        CelMapKey::String(text) => text.inner().to_owned(),
        CelMapKey::Bool(flag) => flag.inner().to_string(),
        CelMapKey::Int(number) => number.inner().to_string(),
        CelMapKey::UInt(number) => number.inner().to_string(),
    }
}

fn scalar(value: &dyn Val) -> Result<Value, EvalError> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        Ok(Value::String(text.inner().to_owned()))
    } else if let Some(number) = value.downcast_ref::<CelInt>() {
        Ok((*number.inner()).into())
    } else if let Some(number) = value.downcast_ref::<CelUInt>() {
        Ok((*number.inner()).into())
    } else if let Some(number) = value.downcast_ref::<CelDouble>() {
        let number = Number::from_f64(*number.inner());
        number.map(Value::Number).ok_or_else(|| wrong_type("a finite number", value))
    } else if let Some(flag) = value.downcast_ref::<CelBool>() {
        Ok(Value::Bool(*flag.inner()))
    } else if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(time) = value.downcast_ref::<CelTimestamp>() {
        let text = time.inner().to_rfc3339();
        Ok(Value::String(match text.strip_suffix("+00:00") {
            Some(start) => format!("{start}Z"),
            None => text,
        }))
    } else if let Some(duration) = value.downcast_ref::<CelDuration>() {
        let (seconds, nanos) = (duration.inner().num_seconds(), duration.inner().subsec_nanos());
        Ok(Value::String(duration_text(seconds, nanos)))
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        Ok(Value::String(base64(bytes.inner())))
    } else if value.get_type().name() == "map" {
        // The only map that is no map of the interpreter.
        Err(EvalError::Failed("it has the whole event: name the fields that are needed".to_owned()))
    } else {
        Err(wrong_type("a value that can be written as JSON", value))
    }
}

/// Seconds with as many decimals as are needed; both parts have the same sign.
fn duration_text(seconds: i64, nanos: i32) -> String {
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let fraction = format!("{:09}", nanos.unsigned_abs());
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{}s", seconds.unsigned_abs()),
        fraction => format!("{sign}{}.{fraction}s", seconds.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests;

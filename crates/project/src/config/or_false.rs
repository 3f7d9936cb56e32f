//! A setting that can be turned off: its value, or `false`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Writes the value, or `false`.
pub fn serialize<T: Serialize, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        None => serializer.serialize_bool(false),
    }
}

/// Reads the value, or `false`; a variable of the environment gives it as a text.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    match Value::deserialize(deserializer)? {
        Value::Bool(false) => Ok(None),
        Value::String(text) if text == "false" => Ok(None),
        value @ (Value::String(_) | Value::Number(_)) => {
            serde_json::from_value(value).map(Some).map_err(D::Error::custom)
        }
        other => Err(D::Error::custom(format!("expected an amount or false, got {other}"))),
    }
}

/// The schema of the value, or `false`.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [generator.subschema_for::<T>(), { "const": false }] })
}

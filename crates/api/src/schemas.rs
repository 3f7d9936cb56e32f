//! OpenAPI schemas of words that are defined further down in the house.

use evoke_model::{Policy, State};
use serde_json::Value;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};

/// Name of the schema of a policy; its definition comes from [`policy_definitions`].
const POLICY: &str = "Policy";
const COMPONENTS: &str = "#/components/schemas/";

/// The state of an execution.
pub fn state() -> RefOr<Schema> {
    let words = State::ALL.map(State::as_str);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// How loud a log line is.
pub fn level() -> RefOr<Schema> {
    let words = ["debug", "info", "warn", "error"];
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// A time, RFC 3339 in UTC.
pub fn time() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .into()
}

/// A time, or nothing.
pub fn time_or_null() -> RefOr<Schema> {
    let either = [Type::String, Type::Null];
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(either))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .into()
}

/// Several times.
pub fn times() -> RefOr<Schema> {
    ArrayBuilder::new().items(time()).into()
}

/// The state of an execution, or nothing.
pub fn state_or_null() -> RefOr<Schema> {
    let words = State::ALL.map(|state| Some(state.as_str())).into_iter().chain([None]);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(words))
        .into()
}

/// Any JSON at all.
pub fn any() -> RefOr<Schema> {
    Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()).into()
}

/// How the executions of a trigger are carried out.
pub fn policy() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(POLICY))
}

/// The JSON Schema of a policy and of what it is made of, by name, ready for the components of an
/// OpenAPI 3.1 document.
pub fn policy_definitions() -> Vec<(String, Value)> {
    let mut schema = schemars::schema_for!(Policy).to_value();
    let mut definitions = Vec::new();
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        if let Some(Value::Object(parts)) = object.remove("$defs") {
            definitions.extend(parts);
        }
    }
    definitions.push((POLICY.to_owned(), schema));
    for (_, definition) in &mut definitions {
        point_to_components(definition);
    }
    definitions
}

fn point_to_components(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "$ref" => {
                        *text = text.replace("#/$defs/", COMPONENTS);
                    }
                    other => point_to_components(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(point_to_components),
        _ => {}
    }
}

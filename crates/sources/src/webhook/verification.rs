//! What a trigger says under `verification`: the fields of one of the presets of `evoke-signing`.

use evoke_model::{Millis, Problem};
use evoke_ports::Fields;
use evoke_signing::{Field, Preset, Shape, Spec, Verifier, preset, presets, spec};
use serde_json::{Map, Value, json};

/// Everything that any preset takes, and the aliases.
const KNOWN: &[&str] = &[
    "type",
    "secret",
    "secrets",
    "password",
    "secret_encoding",
    "header",
    "encoding",
    "prefix",
    "delivery_header",
    "tolerance",
    "username",
    "url",
];

/// The fields that hold what is secret, by all their names.
const SECRET: [&str; 3] = ["secret", "secrets", "password"];

/// What is shown in the place of a secret.
const HIDDEN: &str = "***";

/// Reads a verification: its canonical form, and the verifier made of it.
///
/// # Errors
/// Everything that is wrong, with fields relative to the verification. No problem repeats a secret.
pub(super) fn read(value: &Value) -> Result<(Value, Verifier), Vec<Problem>> {
    let mut fields = Fields::new(value, KNOWN);
    let kind = fields.text("type").unwrap_or_default();
    if kind.is_empty() && value.get("type").is_none() {
        let names: Vec<&str> = presets().iter().map(|preset| preset.name).collect();
        let problem = Problem::new("type", "is missing");
        fields.problem(problem.suggest(format!("one of: {}", names.join(", "))));
    }
    let mut canonical = Map::new();
    let secrets = secrets(&mut fields, kind, &mut canonical);
    let mut text = |name: &str| {
        let text = fields.text(name)?;
        canonical.insert(name.to_owned(), text.into());
        Some(text.to_owned())
    };
    let mut spec = Spec {
        secret_encoding: text("secret_encoding"),
        header: text("header"),
        encoding: text("encoding"),
        prefix: text("prefix"),
        delivery_header: text("delivery_header"),
        username: text("username"),
        url: text("url"),
        ..Spec::default()
    };
    spec.tolerance = fields.read::<Millis>("tolerance");
    if let Some(tolerance) = fields.get("tolerance") {
        canonical.insert("tolerance".to_owned(), tolerance.clone());
    }
    spec.secrets = secrets;
    fields.finish(())?;
    let verifier = Verifier::new(kind, spec)?;
    canonical.insert("type".to_owned(), verifier.preset().name.into());
    Ok((Value::Object(canonical), verifier))
}

/// The secrets, under the name by which the preset takes them.
fn secrets(fields: &mut Fields<'_>, kind: &str, canonical: &mut Map<String, Value>) -> Vec<String> {
    let wanted = preset(kind).and_then(Preset::secret_field).map_or("secret", |field| field.name);
    let (names, stranger): (&[&'static str], _) = match wanted {
        "password" => (&["password"], "secret"),
        _ => (&["secret", "secrets"], "password"),
    };
    if fields.get(stranger).is_some() {
        let problem = Problem::new(stranger, format!("is no field of {kind}"));
        fields.problem(problem.suggest(format!("{wanted:?}")));
    }
    let Some((name, value)) = fields.one_of(names) else { return Vec::new() };
    canonical.insert(wanted.to_owned(), value.clone());
    let texts = fields.texts_of(name, value);
    for (place, text) in texts.iter().enumerate() {
        let field = if value.is_array() { format!("{name}[{place}]") } else { name.to_owned() };
        if text.contains("${") {
            let problem = Problem::new(field, "is a reference that is not filled in");
            fields.problem(problem.suggest("only files of a project may refer to secrets"));
        } else if *text == HIDDEN {
            let problem = Problem::new(field, "is what is shown in the place of a secret");
            fields.problem(problem.suggest("send the secret"));
        }
    }
    texts.into_iter().map(str::to_owned).collect()
}

/// Replaces the secrets of a configuration, whatever form it has. References stay.
pub(super) fn hide(config: &mut Value) {
    let Some(Value::Object(fields)) = config.get_mut("verification") else { return };
    for name in SECRET {
        match fields.get_mut(name) {
            Some(Value::Array(items)) => items.iter_mut().for_each(hide_one),
            Some(value) => hide_one(value),
            None => {}
        }
    }
}

fn hide_one(value: &mut Value) {
    let is_reference = value.as_str().is_some_and(|text| {
        text.strip_prefix("${")
            .and_then(|rest| rest.split_once('}'))
            .is_some_and(|(_, end)| end.is_empty())
    });
    if !is_reference {
        *value = HIDDEN.into();
    }
}

/// JSON Schema of a verification: one of the presets.
pub(super) fn schema() -> Value {
    let presets: Vec<Value> = presets().iter().map(preset_schema).collect();
    json!({
        "description": "How requests are verified. Whoever knows the address is believed if not given.",
        "default": { "type": "none" },
        "oneOf": presets,
    })
}

fn preset_schema(preset: &Preset) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({ "const": preset.name }));
    let mut required = vec!["type"];
    for field in preset.fields {
        properties.insert(field.name.to_owned(), field_schema(field));
        required.extend(field.required.then_some(field.name));
    }
    json!({
        "title": preset.title,
        "description": preset.summary,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn field_schema(field: &Field) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let mut schema = match field.shape {
        Shape::Text => text,
        Shape::Secrets => json!({
            "writeOnly": true,
            "anyOf": [
                text,
                { "type": "array", "minItems": 1, "maxItems": spec::SECRETS_MAX, "items": text },
            ],
        }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Duration => json!({ "type": ["string", "integer"] }),
    };
    schema["description"] = field.text.into();
    if let Some(default) = field.default {
        schema["default"] = default.into();
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_preset_is_known_here() {
        for field in presets().iter().flat_map(|preset| preset.fields) {
            assert!(KNOWN.contains(&field.name), "{}", field.name);
            assert_eq!(field.shape == Shape::Secrets, SECRET.contains(&field.name));
        }
    }

    #[test]
    fn the_examples_of_the_presets_are_taken_with_their_references_filled_in() {
        for preset in presets() {
            let mut config = Map::new();
            config.insert("type".to_owned(), preset.name.into());
            for (name, value) in preset.example {
                let value = if value.starts_with("${") { "MfKQ9r8GKYqrTwjU" } else { *value };
                config.insert((*name).to_owned(), value.into());
            }
            let read = read(&Value::Object(config));
            assert!(read.is_ok(), "{}: {:?}", preset.name, read.err());
        }
    }

    #[test]
    fn mistakes_are_told_with_their_field_and_without_a_secret() {
        for (config, field, word) in [
            (json!({}), "type", "hmac-sha256"),
            (json!({ "type": "strpe", "secret": "k3y" }), "type", "stripe"),
            (json!({ "type": "stripe" }), "secret", "missing"),
            (json!({ "type": "stripe", "secert": "k3y" }), "secert", "secret"),
            (json!({ "type": "stripe", "secret": "k3y", "header": "x" }), "header", "no field"),
            (json!({ "type": "stripe", "password": "k3y" }), "password", "\"secret\""),
            (json!({ "type": "basic", "username": "u", "secret": "k3y" }), "secret", "password"),
            (json!({ "type": "stripe", "secret": "${secrets.K}" }), "secret", "not filled in"),
            (json!({ "type": "stripe", "secret": ["k3y", "***"] }), "secret[1]", "send"),
            (json!({ "type": "stripe", "secret": 7 }), "secret", "a list"),
            (json!({ "type": "stripe", "secret": "k3y", "tolerance": "2h" }), "tolerance", "1h"),
            (json!({ "type": "stripe", "secret": "k3y", "tolerance": [] }), "tolerance", "text"),
            (json!("stripe"), "", "object"),
        ] {
            let problems = read(&config).err().unwrap();
            assert_eq!(problems[0].field, field, "{config}");
            assert!(problems[0].to_string().contains(word), "{config}: {}", problems[0]);
            assert!(!format!("{problems:?}").contains("k3y"), "{config}");
        }
    }

    #[test]
    fn secrets_are_hidden_and_references_are_shown() {
        let mut config = json!({
            "path": "/webhooks/a",
            "verification": { "type": "hmac-sha256", "secret": ["a", "${secrets.B}", "x${y}"] },
        });
        hide(&mut config);
        assert_eq!(config["verification"]["secret"], json!(["***", "${secrets.B}", "***"]));
        let mut config = json!({ "verification": { "password": "a", "username": "u" } });
        hide(&mut config);
        assert_eq!(config, json!({ "verification": { "password": "***", "username": "u" } }));
    }
}

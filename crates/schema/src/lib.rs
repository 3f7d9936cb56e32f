//! JSON Schemas of bodies and documents: the one place that knows the crate that does it. Pure:
//! nothing is fetched.

use evoke_model::Problem;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// A larger one describes nothing that a person wrote.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// Violations that are told; a body may have one for each of its millions of items.
const VIOLATIONS_MAX: usize = 100;

/// Steps one pattern may go back while it reads one text: patterns come from the owner of the
/// trigger, but texts from anybody.
const BACKTRACKS_MAX: usize = 100_000;

/// The crate repeats the part of the schema that is wrong, which may be all of it.
const MESSAGE_CHARS_MAX: usize = 500;

/// A schema, compiled.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    example: Option<Value>,
}

impl Schema {
    /// Compiles a schema: of 2020-12, unless its `$schema` says otherwise. Formats are checked.
    ///
    /// # Errors
    /// What is wrong with it; the problem's field is empty.
    pub fn compile(schema: &Value) -> Result<Self, Problem> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err(Problem::new("", "expected a JSON Schema: an object or a boolean"));
        }
        if schema.to_string().len() > SCHEMA_BYTES_MAX {
            let message = format!("is larger than {SCHEMA_BYTES_MAX} bytes");
            return Err(Problem::new("", message));
        }
        let patterns = PatternOptions::fancy_regex().backtrack_limit(BACKTRACKS_MAX);
        let options =
            jsonschema::options().should_validate_formats(true).with_pattern_options(patterns);
        let validator = options.build(schema).map_err(|error| {
            let at = error.instance_path().as_str();
            let at = if at.is_empty() { String::new() } else { format!("at {at}: ") };
            let shown: String = format!("{at}{error}").chars().take(MESSAGE_CHARS_MAX).collect();
            Problem::new("", shown)
        })?;
        let examples = schema.get("examples").and_then(|examples| examples.get(0));
        Ok(Self { validator, example: examples.or_else(|| schema.get("default")).cloned() })
    }

    /// A body its author gives as an example.
    pub const fn example(&self) -> Option<&Value> {
        self.example.as_ref()
    }

    /// Everything in which a body breaks the schema: the place as a JSON Pointer, and what the
    /// schema asks for there. Values of the body are not repeated.
    pub fn violations(&self, body: &Value) -> Vec<Problem> {
        if self.validator.is_valid(body) {
            return Vec::new();
        }
        let mut errors = self.validator.iter_errors(body);
        let told = errors.by_ref().take(VIOLATIONS_MAX);
        let mut problems: Vec<Problem> = told
            .map(|error| Problem::new(error.instance_path().as_str(), error.masked().to_string()))
            .collect();
        let more = errors.count();
        if more > 0 {
            problems.push(Problem::new("", format!("and {more} more")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: &Value, body: &Value) -> Vec<String> {
        let schema = Schema::compile(schema).unwrap();
        schema.violations(body).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_violation_is_told_with_its_place_and_without_the_value() {
        let schema = json!({
            "type": "object",
            "required": ["id", "currency"],
            "properties": {
                "id": { "type": "string" },
                "items": { "type": "array", "items": { "properties": { "n": { "minimum": 1 } } } },
                "mail": { "format": "email" },
            },
        });
        let body = json!({ "id": 4711, "items": [{ "n": 1 }, { "n": -77 }], "mail": "s3cret" });
        let told = told(&schema, &body);
        assert_eq!(told.len(), 4, "{told:?}");
        for (line, place) in told.iter().zip(["/id", "/items/1/n", "/mail", "\"currency\""]) {
            assert!(told.iter().any(|line| line.starts_with(place)), "{place}: {told:?}");
            assert!(!line.contains("4711") && !line.contains("-77") && !line.contains("s3cret"));
        }
    }

    #[test]
    fn the_draft_is_that_of_the_schema() {
        let draft7 = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "items": [{ "type": "string" }], "additionalItems": false,
        });
        assert_eq!(told(&draft7, &json!(["a"])).len(), 0);
        assert_eq!(told(&draft7, &json!(["a", 1])).len(), 1);
        let new = json!({ "prefixItems": [{ "type": "string" }], "items": false });
        assert_eq!(told(&new, &json!(["a"])).len(), 0);
        assert_eq!(told(&new, &json!(["a", 1])).len(), 1);
        assert_eq!(told(&json!(false), &json!(1)).len(), 1);
    }

    #[test]
    fn what_is_no_schema_is_refused_and_nothing_is_fetched() {
        for schema in [
            json!("./stripe.json"),
            json!({ "type": "strin" }),
            json!({ "pattern": "(" }),
            json!({ "$ref": "https://example.com/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$schema": "https://example.com/own" }),
            json!({ "description": "x".repeat(SCHEMA_BYTES_MAX) }),
        ] {
            let problem = Schema::compile(&schema).unwrap_err();
            assert_eq!(problem.field, "");
            assert!(problem.message.len() < 1_000, "{problem}");
        }
    }

    #[test]
    fn hostile_bodies_are_bounded() {
        let schema = json!({ "items": { "type": "string", "pattern": "^(a+)+$" } });
        let body = json!(vec![json!(1); 1_000]);
        let told_of = told(&schema, &body);
        assert_eq!(told_of.len(), VIOLATIONS_MAX + 1);
        assert!(told_of[VIOLATIONS_MAX].contains("900 more"));
        let body = json!([format!("{}!", "a".repeat(100_000))]);
        assert_eq!(told(&schema, &body).len(), 1);
    }
}

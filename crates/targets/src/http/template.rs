//! Bodies made by a template. In a JSON body a value inside quotes is escaped for them, and a value
//! outside is written as JSON, so that no event can add fields to what the owner wrote.

use std::io;

use evoke_model::Problem;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

/// A template may not be longer.
const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Steps of one rendering: some milliseconds.
const FUEL: u64 = 100_000;

/// Bytes of one body, the same as for every request.
const OUTPUT_BYTES_MAX: usize = 10 * 1024 * 1024;

const NAME: &str = "body";
const JSON: &str = "json";

/// A compiled template.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Json,
    Text,
}

impl Template {
    /// A template whose result must be JSON.
    pub(super) fn json(source: &str) -> Result<Self, Problem> {
        Self::compile(source, Form::Json)
    }

    /// A template for any other text.
    pub(super) fn text(source: &str) -> Result<Self, Problem> {
        Self::compile(source, Form::Text)
    }

    fn compile(source: &str, form: Form) -> Result<Self, Problem> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Problem::new("body", "a template may not be longer than 64 KB"));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(50);
        environment.set_auto_escape_callback(move |_| match form {
            Form::Json => AutoEscape::Custom(JSON.into()),
            Form::Text => AutoEscape::None,
        });
        environment.set_formatter(|out, state, value| match state.auto_escape() {
            // `{{ ',' if not loop.last }}` gives nothing; a missing value was refused before.
            AutoEscape::Custom(_) if value.is_undefined() => Ok(()),
            AutoEscape::Custom(name) if name == JSON && !value.is_safe() => {
                let text = json_inside_quotes(value)?;
                out.write_str(&text).map_err(minijinja::Error::from)
            }
            AutoEscape::Custom(_) => {
                let text = value.to_string();
                out.write_str(&text).map_err(minijinja::Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| Problem::new("body", say(&error)))?;
        Ok(Self { environment, form })
    }

    /// The body for these values.
    ///
    /// # Errors
    /// A sentence with the line: a value that is not there, too much work, or a result that is no
    /// JSON. The same event would fail the same way again.
    pub(super) fn render(&self, values: &serde_json::Value) -> Result<Vec<u8>, String> {
        let mut out = Bounded(Vec::new());
        let template = self.environment.get_template(NAME).map_err(|error| say(&error))?;
        template
            .render_captured_to(Serde(values), &mut out)
            .map(drop)
            .map_err(|error| say(&error))?;
        if self.form == Form::Json
            && let Err(error) = serde_json::from_slice::<&serde_json::value::RawValue>(&out.0)
        {
            return Err(format!("the result is no JSON: {error}"));
        }
        Ok(out.0)
    }
}

/// A text as it stands between quotes, everything else as JSON.
fn json_inside_quotes(value: &Value) -> Result<String, minijinja::Error> {
    let json = serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
    })?;
    match value.as_str() {
        Some(_) => Ok(json[1..json.len() - 1].to_owned()),
        None => Ok(json),
    }
}

fn say(error: &minijinja::Error) -> String {
    let what = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::Error::other("the body would be larger than 10 MB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str) -> Result<String, String> {
        let values = json!({ "event": { "data": {
            "name": "a\", \"admin\": true, \"b\": \"\n", "n": 7, "list": [1, "x"], "no": null,
        } } });
        let body = Template::json(source).unwrap().render(&values)?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        let body = render(r#"{"name": "{{ event.data.name }}"}"#).unwrap();
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read, json!({ "name": "a\", \"admin\": true, \"b\": \"\n" }));
    }

    #[test]
    fn values_outside_of_quotes_are_json() {
        for (source, body) in [
            ("{{ event.data.n }}", "7"),
            ("{{ event.data.list }}", "[1,\"x\"]"),
            ("{{ event.data.no }}", "null"),
            ("{{ event.data.name | upper | tojson }}", r#""A\", \"ADMIN\": TRUE, \"B\": \"\n""#),
            (
                "[{% for x in event.data.list %}{{ x | tojson }}{{ ',' if not loop.last }}{% endfor %}]",
                "[1,\"x\"]",
            ),
        ] {
            assert_eq!(render(source).as_deref(), Ok(body), "{source}");
        }
    }

    #[test]
    fn what_goes_wrong_is_told_with_its_line() {
        for (source, word) in [
            ("{\n\"a\": {{ event.data.missing }}}", "line 2"),
            ("{{ event.data.name }}", "no JSON"),
            (
                "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                "fuel",
            ),
        ] {
            let error = render(source).unwrap_err();
            assert!(error.contains(word), "{source}: {error}");
        }
        let problem = Template::json("{\n{{ event. }}").unwrap_err();
        assert!(problem.message.contains("line 2"), "{problem}");
    }

    #[test]
    fn other_texts_are_not_escaped() {
        let template = Template::text("a={{ v | urlencode }}&b={{ v }}").unwrap();
        let body = template.render(&json!({ "v": "x \"y\"" })).unwrap();
        assert_eq!(body, b"a=x%20%22y%22&b=x \"y\"");
    }
}

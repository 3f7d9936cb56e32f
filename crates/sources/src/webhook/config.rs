use evoke_model::Problem;
use evoke_ports::Fields;
use evoke_schema::Schema;
use evoke_signing::Verifier;
use http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use super::{ROOT, verification};
use crate::http::methods;

pub(super) const METHODS_DEFAULT: [&str; 1] = ["POST"];

const KNOWN: &[&str] =
    &["path", "methods", "method", "verification", "skip_invalid", "schema", "delivery_id"];

/// Longer paths are not typed by anybody.
const PATH_BYTES_MAX: usize = 512;

/// What a configuration says, ready to be used.
#[derive(Debug)]
pub(super) struct Hook {
    /// As it was given.
    pub(super) path: Option<String>,
    pub(super) methods: Vec<Method>,
    pub(super) verifier: Verifier,
    /// Whether requests that are not verified are let in.
    pub(super) skip_invalid: bool,
    pub(super) schema: Option<Schema>,
    /// The header with the id of the delivery, where it is not left to the verifier.
    pub(super) delivery_id: Option<HeaderName>,
}

/// Reads a configuration: its canonical form, and what it says.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn read(config: &Value) -> Result<(Value, Hook), Vec<Problem>> {
    let mut fields = Fields::new(config, KNOWN);
    let mut canonical = Map::new();
    let path = fields.text("path").map(str::to_owned);
    if let Some(path) = &path {
        if let Err(problem) = check_path(path) {
            fields.problem(problem);
        }
        canonical.insert("path".to_owned(), path.as_str().into());
    }
    let mut methods = methods(&mut fields);
    if methods.is_empty() {
        methods.extend(METHODS_DEFAULT.map(str::to_owned));
    }
    canonical.insert("methods".to_owned(), json!(methods));
    let (verifier, skip_invalid) = verification(&mut fields, &mut canonical);
    let schema = fields.get("schema").and_then(|schema| {
        canonical.insert("schema".to_owned(), schema.clone());
        let compiled = Schema::compile(schema).map_err(|problem| {
            let problem = Problem { field: "schema".to_owned(), ..problem };
            fields.problem(match schema {
                Value::String(_) => problem.suggest("only manifests may name a file"),
                _ => problem,
            });
        });
        compiled.ok()
    });
    let delivery_id = fields.text("delivery_id").and_then(|name| {
        canonical.insert("delivery_id".to_owned(), name.into());
        let parsed = name.parse::<HeaderName>();
        parsed
            .map_err(|_| fields.problem(Problem::new("delivery_id", "is no name of a header")))
            .ok()
    });
    fields.finish(())?;
    // Without a verifier there was a problem, and this is not reached.
    let verifier = verifier.ok_or_else(Vec::new)?;
    let methods = methods.iter().filter_map(|method| method.parse().ok()).collect();
    let hook = Hook { path, methods, verifier, skip_invalid, schema, delivery_id };
    Ok((Value::Object(canonical), hook))
}

/// The verifier, and whether requests it does not believe are let in.
fn verification(
    fields: &mut Fields<'_>,
    canonical: &mut Map<String, Value>,
) -> (Option<Verifier>, bool) {
    let mut given =
        fields.get("verification").cloned().unwrap_or_else(|| json!({ "type": "none" }));
    let skip_invalid = fields.read::<bool>("skip_invalid");
    // Both places are in use; the one beside the others is the canonical one.
    let inner = given.as_object_mut().and_then(|given| given.remove("skip_invalid"));
    let inner = match inner {
        None => None,
        Some(Value::Bool(skip)) if skip_invalid.is_none_or(|outer| outer == skip) => Some(skip),
        Some(Value::Bool(_)) => {
            let message = "says something else than \"skip_invalid\" beside the verification";
            fields.problem(Problem::new("verification.skip_invalid", message));
            None
        }
        Some(_) => {
            let problem = Problem::new("verification.skip_invalid", "expected true or false");
            fields.problem(problem);
            None
        }
    };
    let skip_invalid = skip_invalid.or(inner).unwrap_or(false);
    if skip_invalid {
        canonical.insert("skip_invalid".to_owned(), true.into());
    }
    match verification::read(&given) {
        Ok((value, verifier)) => {
            canonical.insert("verification".to_owned(), value);
            (Some(verifier), skip_invalid)
        }
        Err(problems) => {
            for problem in problems {
                let field = match problem.field.as_str() {
                    "" => "verification".to_owned(),
                    field => format!("verification.{field}"),
                };
                fields.problem(Problem { field, ..problem });
            }
            (None, skip_invalid)
        }
    }
}

fn check_path(path: &str) -> Result<(), Problem> {
    let problem = |message: String| Problem::new("path", message);
    let rest = path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/'));
    let Some(rest) = rest else {
        let rest = path.trim_start_matches('/');
        return Err(
            problem(format!("must begin with {ROOT}/")).suggest(format!("\"{ROOT}/{rest}\""))
        );
    };
    if path.len() > PATH_BYTES_MAX {
        return Err(problem(format!("may not be longer than {PATH_BYTES_MAX} bytes")));
    }
    if path.contains(['?', '#']) || path.contains(char::is_whitespace) {
        return Err(problem("may hold no query, no fragment and no space".to_owned()));
    }
    if path.contains(['{', '}', '*']) {
        return Err(problem("may hold no parameters: it is one address".to_owned()));
    }
    if rest.split('/').any(str::is_empty) {
        return Err(problem("may hold no empty segment".to_owned()));
    }
    Ok(())
}

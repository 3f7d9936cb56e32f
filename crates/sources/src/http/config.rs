use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use evoke_ports::Fields;
use http::Method;
use serde_json::{Value, json};

use super::access::{Access, access};
use super::path::RoutePath;

/// The methods a route may name. CONNECT and TRACE are not for functions.
pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What a checked configuration says.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) path: RoutePath,
    /// `None` takes all.
    pub(super) methods: Option<Vec<Method>>,
    /// `None` where nobody asks who calls.
    pub(super) access: Option<Access>,
}

/// The configuration in its canonical form: methods in upper case under `methods`, without doubles.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, &["path", "methods", "method", "auth"]);
    let path = fields.required_text("path").unwrap_or_default();
    if !path.is_empty()
        && let Err(problem) = RoutePath::parse(path)
    {
        fields.problem(problem);
    }
    let mut canonical = json!({ "path": path });
    let methods = methods(&mut fields);
    if !methods.is_empty() {
        canonical["methods"] = json!(methods);
    }
    if let Some(access) = access(&mut fields) {
        canonical["auth"] = access.text().into();
    }
    fields.finish(canonical)
}

/// The methods under `methods` or `method`, in upper case and without doubles; none where all are
/// meant.
pub(crate) fn methods(fields: &mut Fields<'_>) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    let Some((name, value)) = fields.one_of(&["methods", "method"]) else { return methods };
    for (place, method) in fields.texts_of(name, value).into_iter().enumerate() {
        let upper = method.to_ascii_uppercase();
        if upper == "*" || upper == "ANY" {
            continue;
        }
        if !METHODS.contains(&upper.as_str()) {
            let field = if value.is_array() { format!("{name}[{place}]") } else { name.into() };
            fields.problem(
                Problem::new(field, format!("unknown method \"{method}\""))
                    .suggest(did_you_mean(&upper, METHODS.iter().copied())),
            );
        } else if !methods.contains(&upper) {
            methods.push(upper);
        }
    }
    methods
}

/// Reads a checked configuration.
pub(super) fn route(config: &Value) -> Option<Route> {
    let path = RoutePath::parse(config.get("path")?.as_str()?).ok()?;
    let methods = config.get("methods").and_then(Value::as_array).map(|methods| {
        let texts = methods.iter().filter_map(Value::as_str);
        texts.filter_map(|text| text.parse().ok()).collect()
    });
    // A rule that is not understood keeps the route from being open to all.
    let access = match config.get("auth") {
        None => None,
        Some(rule) => Access::parse(rule.as_str()?).ok()?,
    };
    Some(Route { path, methods, access })
}

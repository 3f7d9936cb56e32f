//! A request for a route of the function, read from a document.

use std::sync::Arc;

use bytes::Bytes;
use evoke_cli::{Failure, Outcome};
use evoke_model::suggest::did_you_mean;
use evoke_model::{Code, Problem, Trigger};
use evoke_ports::{Claim, Fields, HttpCall};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::given::Document;
use super::subject::Subject;

const KNOWN: &[&str] = &["method", "path", "headers", "query", "body"];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Characters that a query may hold as they are (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads a request. `origin` is the address it is sent to.
///
/// # Errors
/// API_001 with everything that is wrong.
pub(super) fn read(document: &Document, origin: &str) -> Outcome<HttpCall> {
    let value = document.value()?;
    let mut fields = Fields::new(&value, KNOWN);
    let method = method(&mut fields, value.get("body").is_some());
    let mut target = path(&mut fields);
    let query = query(&mut fields);
    if !query.is_empty() {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(&query);
    }
    let mut headers = headers(&mut fields);
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    if let (false, Ok(host)) = (headers.contains_key(HOST), HeaderValue::from_str(host)) {
        headers.insert(HOST, host);
    }
    let body = body(fields.get("body"), &mut headers);
    let (origin, params) = (origin.to_owned(), Vec::new());
    let call = HttpCall { method, target, origin, headers, params, body, user: None };
    fields
        .finish(Value::Null)
        .map_err(|problems| document.refused(Code::InvalidRequest.as_str(), problems))?;
    Ok(call)
}

fn method(fields: &mut Fields<'_>, has_body: bool) -> Method {
    let default = if has_body { Method::POST } else { Method::GET };
    let Some(text) = fields.text("method") else { return default };
    let upper = text.to_ascii_uppercase();
    if METHODS.contains(&upper.as_str()) {
        return upper.parse().unwrap_or(default);
    }
    let hint = did_you_mean(&upper, METHODS.iter().copied());
    fields.problem(Problem::new("method", format!("unknown method {text:?}")).suggest(hint));
    default
}

fn path(fields: &mut Fields<'_>) -> String {
    let path = fields.required_text("path").unwrap_or_default();
    let problem = |message: &str, hint: String| Problem::new("path", message).suggest(hint);
    if !path.is_empty() && !path.starts_with('/') {
        fields.problem(problem("must begin with /", format!("\"/{path}\"")));
    } else if path.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
        let hint = "percent-encode them: %20 is a space".to_owned();
        fields.problem(problem("may hold no space and no #", hint));
    }
    path.to_owned()
}

/// The fields of an object that hold a text each or a list of texts; numbers and booleans are texts
/// of the form they have in JSON.
fn texts(fields: &mut Fields<'_>, name: &'static str) -> Vec<(String, String)> {
    let Some(value) = fields.get(name) else { return Vec::new() };
    let Some(members) = value.as_object() else {
        fields.problem(Problem::new(name, "expected an object of texts"));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in members {
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            match value {
                Value::String(text) => found.push((key.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => found.push((key.clone(), value.to_string())),
                _ => fields
                    .problem(Problem::new(format!("{name}.{key}"), "expected a text or texts")),
            }
        }
    }
    found
}

fn query(fields: &mut Fields<'_>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs = texts(fields, "query").into_iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn headers(fields: &mut Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in texts(fields, "headers") {
        match (HeaderName::try_from(&name), HeaderValue::try_from(&value)) {
            (Ok(name), Ok(value)) => drop(headers.append(name, value)),
            (Err(_), _) => {
                fields.problem(Problem::new(format!("headers.{name}"), "is not a header name"));
            }
            (_, Err(_)) => {
                let message = "its value holds characters a header may not have";
                fields.problem(Problem::new(format!("headers.{name}"), message));
            }
        }
    }
    headers
}

/// A text as it is, anything else as JSON.
fn body(value: Option<&Value>, headers: &mut HeaderMap) -> Bytes {
    match value {
        None => Bytes::new(),
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(other) => {
            let json = HeaderValue::from_static("application/json");
            headers.entry(CONTENT_TYPE).or_insert(json);
            Bytes::from(other.to_string())
        }
    }
}

/// Finds the route of a request among `routes` and fills in its path parameters.
///
/// # Errors
/// That none of them has it.
pub(super) fn claimed(
    call: &mut HttpCall,
    routes: &[Arc<Trigger>],
    subject: &Subject,
) -> Outcome<Arc<Trigger>> {
    let path = call.target.split('?').next().unwrap_or_default().to_owned();
    let intakes = routes.iter().map(|route| &route.kind).collect::<std::collections::BTreeSet<_>>();
    let mut allowed = Vec::new();
    for intake in intakes.into_iter().filter_map(|kind| subject.sources.get(kind)?.intake()) {
        intake.rebuild(routes);
        match intake.claim(&call.method, &path) {
            Claim::Trigger { id, params } => {
                call.params = params;
                if let Some(route) = routes.iter().find(|route| route.id == id) {
                    return Ok(route.clone());
                }
            }
            Claim::MethodNotAllowed { allow } => allowed.extend(allow),
            Claim::None => {}
        }
    }
    let method = &call.method;
    let failure = match allowed.is_empty() {
        true => Failure::mistake(format!("no route of the function has {path}")),
        false => Failure::mistake(format!("the route of {path} does not take {method}")),
    };
    let known = routes.iter().map(|route| shown(route)).collect::<Vec<_>>();
    Err(failure.hint(format!("there is {}", known.join(", "))))
}

/// `GET,POST /api/users/{id}`
fn shown(route: &Trigger) -> String {
    let path = route.config["path"].as_str().unwrap_or(&route.name);
    let methods = route.config["methods"].as_array().into_iter().flatten();
    let methods: Vec<&str> = methods.filter_map(Value::as_str).collect();
    if methods.is_empty() { path.to_owned() } else { format!("{} {path}", methods.join(",")) }
}

/// A request as the report shows it.
pub(super) fn described(call: &HttpCall) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = call.headers.keys().map(|name| {
        let values = call.headers.get_all(name).iter();
        let values: Vec<String> = values.map(|value| text(value.as_bytes())).collect();
        (name.as_str().to_owned(), json!(values.join(", ")))
    });
    let params = call.params.iter().map(|(name, value)| (name.clone(), json!(value)));
    json!({
        "method": call.method.as_str(),
        "path": call.target,
        "params": params.collect::<Map<_, _>>(),
        "headers": headers.collect::<Map<_, _>>(),
        "body": text(&call.body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Outcome<HttpCall> {
        let document = Document { place: "request.json".to_owned(), text: text.to_owned() };
        read(&document, "http://127.0.0.1:8090")
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let call = request(r#"{"path": "/users/7"}"#).unwrap();
        assert_eq!((call.method, call.target.as_str()), (Method::GET, "/users/7"));
        assert_eq!(call.headers[HOST], "127.0.0.1:8090");
        assert!(call.body.is_empty());
        let call = request(
            r#"{"path": "/a?x=1", "query": {"q": "a b", "n": [1, true]}, "body": {"k": 1},
                "headers": {"X-One": "1", "accept": ["a", "b"]}}"#,
        )
        .unwrap();
        assert_eq!(
            (call.method.as_str(), call.target.as_str()),
            ("POST", "/a?x=1&n=1&n=true&q=a%20b")
        );
        assert_eq!(call.headers[CONTENT_TYPE], "application/json");
        assert_eq!(call.headers.get_all("accept").iter().count(), 2);
        assert_eq!(call.body, r#"{"k":1}"#);
        let call = request(r#"{"method": "put", "path": "/", "body": "raw"}"#).unwrap();
        assert_eq!((call.method, &call.body[..]), (Method::PUT, &b"raw"[..]));
        assert!(!call.headers.contains_key(CONTENT_TYPE));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let refused = request(
            r#"{"methd": "GET", "method": "GTE", "path": "a b", "query": 7,
                "headers": {"a b": "x", "ok": "a\nb", "deep": {}}}"#,
        )
        .unwrap_err();
        let lines: Vec<String> = refused.problems.iter().map(ToString::to_string).collect();
        for said in [
            "request.json: methd: unknown field \"methd\" (did you mean \"method\"?)",
            "request.json: method: unknown method \"GTE\" (did you mean \"GET\"?)",
            "request.json: path: must begin with /",
            "request.json: query: expected an object",
            "request.json: headers.a b: is not a header name",
            "request.json: headers.ok: its value",
            "request.json: headers.deep: expected a text",
        ] {
            assert!(lines.iter().any(|line| line.starts_with(said)), "{said}: {lines:#?}");
        }
        assert!(request("{}").unwrap_err().problems[0].to_string().contains("path: is missing"));
    }
}

//! A request for a route, for test runs.

use evoke_ports::Sample;
use http::Method;
use serde_json::{Value, json};

use super::config::route;
use super::path::{RoutePath, Segment};

/// What stands for a parameter in the path of a sample.
const PARAM: &str = "1";

/// A request the route of a checked configuration has: GET where it takes that, else its first
/// method.
pub(super) fn request(config: &Value) -> Option<Sample> {
    let route = route(config)?;
    let method = match &route.methods {
        Some(methods) if !methods.contains(&Method::GET) => methods.first()?.clone(),
        _ => Method::GET,
    };
    let mut data = json!({
        "method": method.as_str(),
        "path": path(&route.path),
        "headers": {},
        "query": {},
    });
    if [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
        data["headers"] = json!({ "content-type": "application/json" });
        data["body"] = json!({});
    }
    Some(Sample { kind: "http.request".to_owned(), data })
}

fn path(route: &RoutePath) -> String {
    let segments = route.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => encode(text),
        Segment::Param(_) | Segment::Rest(_) => PARAM.to_owned(),
    });
    segments.fold(String::new(), |path, segment| path + "/" + &segment)
}

/// A segment as a client sends it: all but unreserved characters (RFC 3986, section 2.3) and `@`,
/// `:` are percent-encoded.
fn encode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

use evoke_model::suggest::did_you_mean;
use evoke_model::{Millis, Problem};
use evoke_ports::Fields;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde_json::Value;

use super::template::Template;
use crate::answer::says_json;

/// The methods a target may name.
pub(super) const METHODS: &[&str] = &["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"];

/// Requests under way at once where nothing is said: enough to hide the latency of a far endpoint,
/// few enough not to be an attack on it.
pub(super) const CONCURRENCY_DEFAULT: u64 = 64;

/// Each request under way holds a connection, and a process has some thousands of them.
pub(super) const CONCURRENCY_MAX: u64 = 1_024;

const TIMEOUT_DEFAULT: Millis = Millis::from_secs(30);
/// As long as a function may take.
const TIMEOUT_MAX: Millis = Millis::from_secs(15 * 60);
const HEADERS_MAX: usize = 64;

/// Set by the client from what is sent; a second opinion would only break the framing.
const FRAMING: &[HeaderName] = &[
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
];

const KNOWN: &[&str] =
    &["url", "method", "headers", "body", "timeout", "concurrency", "follow_redirects"];

/// What a trigger says.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Template>,
    pub(super) timeout: Millis,
    pub(super) concurrency: usize,
    pub(super) redirects: Redirects,
}

/// What a redirect means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Redirects {
    /// A failure.
    Refuse,
    /// Go there.
    Follow,
}

impl Config {
    pub(super) fn read(config: &Value) -> Result<Self, Vec<Problem>> {
        let mut fields = Fields::new(config, KNOWN);
        let url = url(&mut fields);
        let method = method(&mut fields);
        let headers = headers(&mut fields);
        let body = body(&mut fields, &headers);
        let timeout = fields.read("timeout").unwrap_or(TIMEOUT_DEFAULT);
        if timeout == Millis::ZERO || timeout > TIMEOUT_MAX {
            fields
                .problem(Problem::new("timeout", format!("must be between 1ms and {TIMEOUT_MAX}")));
        }
        let concurrency = fields.read("concurrency").unwrap_or(CONCURRENCY_DEFAULT);
        if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
            let message = format!("must be between 1 and {CONCURRENCY_MAX}");
            fields.problem(Problem::new("concurrency", message));
        }
        let redirects = match fields.read("follow_redirects") {
            Some(true) => Redirects::Follow,
            Some(false) | None => Redirects::Refuse,
        };
        // A missing URL is a problem already, so the placeholder is never used.
        let Some(url) = url else { return fields.finish(()).and(Err(Vec::new())) };
        let concurrency = concurrency as usize;
        fields.finish(Self { url, method, headers, body, timeout, concurrency, redirects })
    }
}

fn url(fields: &mut Fields<'_>) -> Option<Url> {
    let text = fields.required_text("url")?;
    let problem = match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            Problem::new("url", format!("the scheme \"{}\" is not supported", url.scheme()))
                .suggest("http or https")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Problem::new("url", "credentials do not belong into a URL, which is logged")
                .suggest("an authorization header")
        }
        Ok(url) => return Some(url),
        Err(error) => {
            Problem::new("url", format!("is no URL: {error}")).suggest("https://example.com/path")
        }
    };
    fields.problem(problem);
    None
}

fn method(fields: &mut Fields<'_>) -> Method {
    let Some(text) = fields.text("method") else { return Method::POST };
    let upper = text.to_ascii_uppercase();
    if !METHODS.contains(&upper.as_str()) {
        fields.problem(
            Problem::new("method", format!("unknown method \"{text}\""))
                .suggest(did_you_mean(&upper, METHODS.iter().copied())),
        );
    }
    upper.parse().unwrap_or(Method::POST)
}

fn headers(fields: &mut Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let given = match fields.get("headers") {
        None => return headers,
        Some(Value::Object(given)) => given,
        Some(_) => {
            fields.problem(Problem::new("headers", "expected an object of texts"));
            return headers;
        }
    };
    if given.len() > HEADERS_MAX {
        fields.problem(Problem::new("headers", format!("at most {HEADERS_MAX}")));
    }
    for (name, value) in given {
        let field = format!("headers.{name}");
        let parsed_name = name.parse::<HeaderName>().ok().filter(|name| !FRAMING.contains(name));
        let parsed_value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        match (parsed_name, parsed_value) {
            (Some(name), Some(mut value)) => {
                // Values may hold secrets; they are not printed.
                value.set_sensitive(true);
                headers.append(name, value);
            }
            (None, _) => {
                fields.problem(Problem::new(field, "is no header that can be set"));
            }
            (_, None) => {
                fields.problem(Problem::new(field, "expected a text without line breaks"));
            }
        }
    }
    headers
}

fn body(fields: &mut Fields<'_>, headers: &HeaderMap) -> Option<Template> {
    let text = fields.text("body")?;
    let media_type = headers.get(header::CONTENT_TYPE);
    let is_json = media_type.is_none_or(|value| value.to_str().is_ok_and(says_json));
    let template = if is_json { Template::json(text) } else { Template::text(text) };
    template.map_err(|problem| fields.problem(problem)).ok()
}

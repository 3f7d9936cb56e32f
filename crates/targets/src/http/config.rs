use std::sync::Arc;

use evoke_model::policy::Rate;
use evoke_model::suggest::did_you_mean;
use evoke_model::{ByteSize, Millis, Problem};
use evoke_ports::Fields;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde_json::Value;

use super::signature::{self, Signing};
use super::template::Template;
use super::tls::Tls;
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

/// Bytes of an answer that are recorded where nothing is said: an error page and its reason.
pub(super) const RECORD_DEFAULT: ByteSize = ByteSize::new(64 << 10);

/// The record is for people to read, and each execution keeps its own.
pub(super) const RECORD_MAX: ByteSize = ByteSize::from_mb(1);

const KNOWN: &[&str] = &[
    "url",
    "method",
    "headers",
    "body",
    "timeout",
    "concurrency",
    "rate",
    "follow_redirects",
    "signing",
    "tls",
    "record_response",
];

/// What a trigger says.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Template>,
    pub(super) timeout: Millis,
    pub(super) concurrency: usize,
    pub(super) rate: Option<Rate>,
    pub(super) redirects: Redirects,
    pub(super) signing: Option<Signing>,
    pub(super) tls: Option<Arc<Tls>>,
    /// Bytes of an answer's body that are recorded.
    pub(super) record_bytes_max: usize,
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
        let timeout = timeout(&mut fields);
        let concurrency = concurrency(&mut fields);
        let rate = rate(&mut fields);
        let redirects = match fields.read("follow_redirects") {
            Some(true) => Redirects::Follow,
            Some(false) | None => Redirects::Refuse,
        };
        let signing = within(&mut fields, "signing", Signing::read);
        if signing.is_some() {
            signature::collisions(&headers).into_iter().for_each(|each| fields.problem(each));
        }
        let tls = within(&mut fields, "tls", Tls::read).map(Arc::new);
        if let (Some(_), Some(url)) = (&tls, &url) {
            fits_tls(&mut fields, url, redirects);
        }
        let record_bytes_max = record_response(&mut fields);
        // A missing URL is a problem already, so the placeholder is never used.
        let Some(url) = url else { return fields.finish(()).and(Err(Vec::new())) };
        fields.finish(Self {
            url,
            method,
            headers,
            body,
            timeout,
            concurrency,
            rate,
            redirects,
            signing,
            tls,
            record_bytes_max,
        })
    }

    /// Whom the target calls, whatever the path: `https://example.com:443`.
    pub(super) fn origin(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}://{host}:{port}", self.url.scheme())
    }
}

/// Reads an object inside of the configuration; its problems are told with its name in front.
fn within<T>(
    fields: &mut Fields<'_>,
    name: &str,
    read: fn(&Value) -> Result<T, Vec<Problem>>,
) -> Option<T> {
    let problems = match read(fields.get(name)?) {
        Ok(value) => return Some(value),
        Err(problems) => problems,
    };
    for problem in problems {
        let field = match problem.field.as_str() {
            "" => name.to_owned(),
            inner => format!("{name}.{inner}"),
        };
        fields.problem(Problem { field, ..problem });
    }
    None
}

fn timeout(fields: &mut Fields<'_>) -> Millis {
    let timeout = fields.read("timeout").unwrap_or(TIMEOUT_DEFAULT);
    if timeout == Millis::ZERO || timeout > TIMEOUT_MAX {
        fields.problem(Problem::new("timeout", format!("must be between 1ms and {TIMEOUT_MAX}")));
    }
    timeout
}

fn concurrency(fields: &mut Fields<'_>) -> usize {
    let concurrency = fields.read("concurrency").unwrap_or(CONCURRENCY_DEFAULT);
    if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
        let message = format!("must be between 1 and {CONCURRENCY_MAX}");
        fields.problem(Problem::new("concurrency", message));
    }
    concurrency as usize
}

fn rate(fields: &mut Fields<'_>) -> Option<Rate> {
    let rate: Rate = fields.read("rate")?;
    let wrong = [
        ("rate.limit", rate.limit == 0, "must be at least 1"),
        ("rate.per", rate.per == Millis::ZERO, "must be at least 1ms"),
        ("rate.burst", rate.burst == Some(0), "must be at least 1"),
        ("rate.key", rate.key.is_some(), "the rate of an endpoint has no key; a policy's has"),
    ];
    for (field, _, message) in wrong.into_iter().filter(|(_, is_wrong, _)| *is_wrong) {
        fields.problem(Problem::new(field, message));
    }
    Some(rate)
}

/// A certificate is for one endpoint, and only TLS has any.
fn fits_tls(fields: &mut Fields<'_>, url: &Url, redirects: Redirects) {
    if url.scheme() != "https" {
        fields.problem(Problem::new("tls", "needs a URL that begins with https"));
    }
    if redirects == Redirects::Follow {
        let message = "would show the certificate to whom the endpoint names; not with tls";
        fields.problem(Problem::new("follow_redirects", message));
    }
}

fn record_response(fields: &mut Fields<'_>) -> usize {
    let size: ByteSize = fields.read("record_response").unwrap_or(RECORD_DEFAULT);
    if size > RECORD_MAX {
        let message = format!("must be between 0 (nothing) and {RECORD_MAX}");
        fields.problem(Problem::new("record_response", message));
    }
    size.as_u64() as usize
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

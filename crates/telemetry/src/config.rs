//! Where spans go and which: from the project's settings, and from OpenTelemetry's own variables
//! for what the settings leave open.

use std::collections::BTreeMap;
use std::time::Duration;

use evoke_model::Problem;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::Share;

/// The receiver's base URL.
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// `name=value,name=value`, the values percent-encoded.
const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// The name of this service.
const NAME_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// What traces are received at, below the endpoint.
const TRACES: [&str; 2] = ["v1", "traces"];
/// What a service is called that nobody gave a name.
const NAME_DEFAULT: &str = "evoke";
/// Receivers want a key or a tenant, not more.
const HEADERS_MAX: usize = 64;
/// Set by the exporter from what it sends.
const OWN: &[HeaderName] = &[
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::HOST,
];

/// The section `[telemetry]` of a project's configuration, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `otlp_endpoint`: the receiver's base URL; nothing is exported without one.
    pub otlp_endpoint: Option<String>,
    /// `otlp_headers`: sent with each request.
    pub otlp_headers: BTreeMap<String, String>,
    /// `sample`: the share of the traces that begin here, 0 to 1.
    pub sample: f64,
    /// `service_name`: what this service is called in traces.
    pub service_name: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { otlp_endpoint: None, otlp_headers: BTreeMap::new(), sample: 1.0, service_name: None }
    }
}

/// Where spans go, and which.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Where requests go: the endpoint with `/v1/traces`.
    pub url: Url,
    /// Sent with each request. Their values are secret.
    pub headers: HeaderMap,
    /// The share of the traces that begin here; a caller's decision goes before it.
    pub sample: Share,
    /// What this service is called.
    pub service_name: String,
    /// How fast and how long.
    pub pace: Pace,
}

/// How much waits, how long, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a span waits at most before its batch is sent. Default: 1 s.
    pub period: Duration,
    /// Spans of a request at most. Default: 512, as OpenTelemetry's SDKs have it: half a megabyte.
    pub batch: usize,
    /// Spans that wait at most; more are dropped. Default: 8,192, a few megabytes.
    pub queue: usize,
    /// How long a request may take. Default: 10 s, as OpenTelemetry's exporters have it.
    pub timeout: Duration,
    /// Requests for one batch at most. Default: 8, which is about a minute.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with each. Default: 500 ms.
    pub retry_first: Duration,
    /// The longest wait, unless the receiver asks for a longer one. Default: 30 s.
    pub retry_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(1),
            batch: 512,
            queue: 8_192,
            timeout: Duration::from_secs(10),
            attempts: 8,
            retry_first: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

impl TelemetryConfig {
    /// Reads the settings; `environment` fills in what they leave open. `None` when there is no
    /// endpoint, so nothing is to be exported.
    ///
    /// # Errors
    /// Everything that is wrong, whether it comes from a setting or from a variable.
    pub fn read(
        settings: &Settings,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, Vec<Problem>> {
        let mut problems = Vec::new();
        let url = url(settings, environment, &mut problems);
        let headers = headers(settings, environment, &mut problems);
        let sample = Share::new(settings.sample).unwrap_or_else(|| {
            let problem = Problem::new("telemetry.sample", "must be between 0 and 1");
            problems.push(problem.suggest("0.1 for a tenth of the traces"));
            Share::ALL
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let name = filled(settings.service_name.as_ref())
            .or_else(|| filled(environment.get(NAME_VARIABLE)))
            .unwrap_or(NAME_DEFAULT);
        let service_name = name.to_owned();
        let pace = Pace::default();
        Ok(url.map(|url| Self { url, headers, sample, service_name, pace }))
    }
}

/// The text without space around it, if there is any. An empty variable counts as none, as
/// OpenTelemetry wants it.
fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn url(
    settings: &Settings,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Option<Url> {
    let (field, text) = match filled(settings.otlp_endpoint.as_ref()) {
        Some(text) => ("telemetry.otlp_endpoint", text),
        None => (ENDPOINT_VARIABLE, filled(environment.get(ENDPOINT_VARIABLE))?),
    };
    parse_url(text)
        .map_err(|problem| problems.push(Problem { field: field.into(), ..problem }))
        .ok()
}

fn parse_url(text: &str) -> Result<Url, Problem> {
    let problem = |message: &str, right: &str| Err(Problem::new("", message).suggest(right));
    let mut url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => return problem("is no URL of an OTLP receiver", "http://127.0.0.1:4318"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return problem("credentials do not belong into a URL, which is logged", "a header");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return problem("expected a URL without a query", "a header");
    }
    if url.path().trim_end_matches('/').ends_with("/v1/traces") {
        return problem("/v1/traces is added to it", "the URL without /v1/traces");
    }
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(TRACES);
    }
    Ok(url)
}

fn headers(
    settings: &Settings,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for pair in filled(environment.get(HEADERS_VARIABLE)).unwrap_or_default().split(',') {
        if pair.trim().is_empty() {
            continue;
        }
        let read = decode(pair).and_then(|(name, value)| header(name, &value));
        match read {
            Some((name, value)) => drop(headers.insert(name, value)),
            None => problems.push(
                // The pair itself may hold a secret and is not repeated.
                Problem::new(HEADERS_VARIABLE, "holds something that is no header")
                    .suggest("name=value,name=value with the values percent-encoded"),
            ),
        }
    }
    for (name, value) in &settings.otlp_headers {
        match header(name, value) {
            Some((name, value)) => drop(headers.insert(name, value)),
            None => problems.push(Problem::new(
                format!("telemetry.otlp_headers.{name}"),
                "is no header that can be set",
            )),
        }
    }
    if headers.len() > HEADERS_MAX {
        problems.push(Problem::new("telemetry.otlp_headers", format!("at most {HEADERS_MAX}")));
    }
    headers
}

fn decode(pair: &str) -> Option<(&str, String)> {
    let (name, value) = pair.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    Some((name.trim(), value.into_owned()))
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = name.parse().ok().filter(|name| !OWN.contains(name))?;
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn at(endpoint: &str) -> Settings {
        Settings { otlp_endpoint: Some(endpoint.to_owned()), ..Settings::default() }
    }

    fn read(settings: &Settings, variables: &[(&str, &str)]) -> TelemetryConfig {
        TelemetryConfig::read(settings, &environment(variables)).unwrap().unwrap()
    }

    fn fields(settings: &Settings, variables: &[(&str, &str)]) -> Vec<String> {
        let problems = TelemetryConfig::read(settings, &environment(variables)).unwrap_err();
        problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn nothing_is_exported_without_an_endpoint() {
        for (settings, variables) in [
            (Settings::default(), &[][..]),
            (at(" "), &[]),
            (Settings::default(), &[(ENDPOINT_VARIABLE, ""), (NAME_VARIABLE, "shop")]),
        ] {
            let config = TelemetryConfig::read(&settings, &environment(variables));
            assert!(matches!(config, Ok(None)), "{settings:?}");
        }
    }

    #[test]
    fn the_path_of_traces_is_added_to_the_endpoint() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example.com/otlp", "https://otel.example.com/otlp/v1/traces"),
            ("https://otel.example.com/otlp/", "https://otel.example.com/otlp/v1/traces"),
        ] {
            assert_eq!(read(&at(endpoint), &[]).url.as_str(), url);
            let variables = [(ENDPOINT_VARIABLE, endpoint)];
            assert_eq!(read(&Settings::default(), &variables).url.as_str(), url);
        }
    }

    #[test]
    fn variables_fill_in_what_the_settings_leave_open() {
        let variables = [
            (ENDPOINT_VARIABLE, "http://variable:4318"),
            (HEADERS_VARIABLE, " x-key=a%20b%3D , authorization = Bearer%20v,, "),
            (NAME_VARIABLE, "variable"),
        ];
        let from_variables = read(&Settings::default(), &variables);
        assert_eq!(from_variables.url.host_str(), Some("variable"));
        assert_eq!(from_variables.service_name, "variable");
        assert_eq!(from_variables.headers["x-key"], "a b=");
        assert_eq!(from_variables.headers["authorization"], "Bearer v");

        let mut settings = at("http://setting:4318");
        settings.service_name = Some("setting".to_owned());
        settings.otlp_headers.insert("Authorization".to_owned(), "Bearer s".to_owned());
        let both = read(&settings, &variables);
        assert_eq!(both.url.host_str(), Some("setting"));
        assert_eq!(both.service_name, "setting");
        assert_eq!(both.headers["authorization"], "Bearer s");
        assert_eq!(both.headers.len(), 2);
        assert_eq!(read(&at("http://a"), &[]).service_name, "evoke");
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_secret_is_repeated() {
        let mut settings = at("localhost:4318");
        settings.sample = 2.0;
        settings.otlp_headers.insert("content-type".to_owned(), "text/plain".to_owned());
        settings.otlp_headers.insert("x-key".to_owned(), "sec\nret".to_owned());
        let wrong = [
            "telemetry.otlp_endpoint",
            HEADERS_VARIABLE,
            "telemetry.otlp_headers.content-type",
            "telemetry.otlp_headers.x-key",
            "telemetry.sample",
        ];
        let variables = [(HEADERS_VARIABLE, "secret")];
        assert_eq!(fields(&settings, &variables), wrong);
        let problems = TelemetryConfig::read(&settings, &environment(&variables)).unwrap_err();
        assert!(!format!("{problems:?}").contains("secret"));
        let config = read(&at("http://a"), &[(HEADERS_VARIABLE, "authorization=hidden")]);
        assert!(!format!("{config:?}").contains("hidden"));
    }

    #[test]
    fn endpoints_that_cannot_be_meant_are_refused() {
        for endpoint in [
            "grpc://127.0.0.1:4317",
            "127.0.0.1:4318",
            "http://user:pass@host",
            "http://host/?key=1",
            "http://host/v1/traces",
            "http://host/v1/traces/",
        ] {
            assert_eq!(fields(&at(endpoint), &[]), ["telemetry.otlp_endpoint"], "{endpoint}");
            let variables = [(ENDPOINT_VARIABLE, endpoint)];
            assert_eq!(fields(&Settings::default(), &variables), [ENDPOINT_VARIABLE]);
        }
    }
}

//! Where spans go: `[telemetry]`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reader::{Report, Wrong};

/// Where spans go.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Where spans are sent: the address of an OpenTelemetry collector that takes OTLP over HTTP,
    /// as `http://127.0.0.1:4318`. Default: empty, what `OTEL_EXPORTER_OTLP_ENDPOINT` says, or
    /// nothing is sent.
    pub otlp_endpoint: String,
    /// Headers sent with each request, by name; they may hold a token. Default: none.
    pub otlp_headers: BTreeMap<String, String>,
    /// Share of the traces that begin here that is sent, 0 to 1; a caller that traces has decided
    /// already. Default: 1.
    pub sample: f64,
    /// What this server is called in traces. Default: `evoke`.
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: String::new(),
            otlp_headers: BTreeMap::new(),
            sample: 1.0,
            service_name: "evoke".to_owned(),
        }
    }
}

/// The values of headers are not shown.
impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("otlp_endpoint", &self.otlp_endpoint)
            .field("otlp_headers", &self.otlp_headers.keys())
            .field("sample", &self.sample)
            .field("service_name", &self.service_name)
            .finish()
    }
}

impl Telemetry {
    /// Reports everything that is out of range or cannot be sent.
    pub(crate) fn check(&self, report: &mut Report) {
        let endpoint = self.otlp_endpoint.as_str();
        let host = ["http://", "https://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
        let is_address = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
        if !endpoint.is_empty() && (!is_address || endpoint.contains(char::is_whitespace)) {
            let wrong = Wrong::new("it is not an address of http or https");
            report.problem("telemetry.otlp_endpoint", wrong.suggest("http://127.0.0.1:4318"));
        }
        for (name, value) in &self.otlp_headers {
            if let Some(wrong) = header(name, value) {
                report.problem(format!("telemetry.otlp_headers.{name}"), wrong);
            }
        }
        if !(0.0..=1.0).contains(&self.sample) {
            let wrong = Wrong::new(format!("{} is out of range", self.sample));
            report.problem("telemetry.sample", wrong.suggest("0 to 1"));
        }
        if self.service_name.trim().is_empty() {
            report.problem("telemetry.service_name", Wrong::new("it is empty").suggest("evoke"));
        }
    }
}

/// What is wrong with a header, without its value.
fn header(name: &str, value: &str) -> Option<Wrong> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Some(Wrong::new("it is not a name of a header"));
    }
    let is_plain = value.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte));
    (!is_plain).then(|| Wrong::new("the value has characters that a header cannot have"))
}

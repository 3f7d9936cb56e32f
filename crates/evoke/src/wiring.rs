//! What the configuration means for the parts: each section in the words of its crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

use evoke_auth::settings::{self as auth, Issuer, Mail, Show, Signup, Trust, VerifiedOnly};
use evoke_engine::retention::KindPattern;
use evoke_engine::{Fill, RetentionPolicy, Rule, Settings};
use evoke_project::config::ForeignIssuer;
use evoke_project::{ProjectConfig, Reference, fill_environment};
use evoke_telemetry::{Telemetry, TelemetryConfig};

/// The numbers of the engine.
///
/// # Errors
/// A pattern of a retention rule is none; the configuration was checked, so that is a mistake of
/// ours.
pub fn engine(config: &ProjectConfig, url: String, scratch: PathBuf) -> anyhow::Result<Settings> {
    Ok(Settings {
        idempotency_window: config.events.idempotency_window,
        depth_max: u16::try_from(config.events.depth_max).unwrap_or(u16::MAX),
        url: url.into(),
        scratch: scratch.into(),
        keep_versions: config.runtimes.keep_versions as usize,
        fill: Fill::with(|written| fill_environment(written, &of_this_process)),
        retention: retention(config)?,
        ..Settings::default()
    })
}

/// The value of a reference in the environment of this process.
fn of_this_process(reference: &Reference) -> Option<String> {
    std::env::var(reference.variable()).ok()
}

fn retention(config: &ProjectConfig) -> anyhow::Result<RetentionPolicy> {
    let wished = &config.retention;
    let mut rules = Vec::with_capacity(wished.rules.len());
    for rule in &wished.rules {
        let kind = rule.kind.as_deref().map(KindPattern::parse).transpose();
        rules.push(Rule {
            kind: kind.map_err(|problem| anyhow::anyhow!("[[retention.rules]]: {problem}"))?,
            function: rule.function.as_deref().map(Into::into),
            events: rule.events,
            executions: rule.executions,
        });
    }
    Ok(RetentionPolicy {
        archive_after: wished.archive_after,
        events: wished.events,
        executions: wished.executions,
        dead_letters: wished.dead_letters,
        audit: wished.audit,
        max_bytes: wished.max_bytes,
        rules,
    })
}

/// What the service of users is told. `url` is where the server is reached; `show` takes mail where
/// no server for mail is named.
pub fn users(config: &ProjectConfig, url: &str, show: Option<Show>) -> auth::Settings {
    let wished = &config.users;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mail = match (given(&config.mail.url), show) {
        (Some(url), _) => Mail::Smtp { url, from: config.mail.from.clone() },
        (None, Some(show)) => Mail::Shown(show),
        (None, None) => Mail::None,
    };
    auth::Settings {
        signup: if wished.signup { Signup::Open } else { Signup::Closed },
        verified: if wished.require_verified { VerifiedOnly::Yes } else { VerifiedOnly::No },
        url: given(&wished.url).unwrap_or_else(|| url.to_owned()),
        issuer: wished.issuer.clone(),
        access_ttl: wished.access_ttl,
        refresh_ttl: wished.refresh_ttl,
        key_rotation: wished.key_rotation,
        verify_ttl: wished.verify_ttl,
        reset_ttl: wished.reset_ttl,
        lock_after: wished.lock_after,
        lock_for: wished.lock_for,
        verify_page: given(&wished.verify_page),
        reset_page: given(&wished.reset_page),
        foreign: wished.foreign.iter().filter_map(foreign).collect(),
        mail,
        ..auth::Settings::default()
    }
}

/// Another issuer; the configuration was checked, so one of the two is there.
fn foreign(issuer: &ForeignIssuer) -> Option<Issuer> {
    let trust = match (&issuer.jwks_url, &issuer.secret) {
        (Some(url), _) => Trust::Jwks(url.clone()),
        (None, Some(secret)) => Trust::Secret(secret.clone()),
        (None, None) => return None,
    };
    Some(Issuer { issuer: issuer.issuer.clone(), trust, audience: issuer.audience.clone() })
}

/// Starts the export of spans, where one is wanted.
///
/// # Errors
/// All that is wrong with the section or with the variables of OpenTelemetry, or no connection can
/// be prepared.
pub fn telemetry(
    config: &ProjectConfig,
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<Option<Telemetry>> {
    let wished = &config.telemetry;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let default = evoke_project::config::Telemetry::default();
    let settings = evoke_telemetry::Settings {
        otlp_endpoint: given(&wished.otlp_endpoint),
        otlp_headers: wished.otlp_headers.clone(),
        sample: wished.sample,
        // What is not said leaves the variable its say.
        service_name: given(&wished.service_name).filter(|name| *name != default.service_name),
    };
    let config = TelemetryConfig::read(&settings, environment).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("telemetry cannot be sent:\n  {}", lines.join("\n  "))
    })?;
    let Some(config) = config else { return Ok(None) };
    let instance = format!("{:032x}", fastrand::u128(..));
    Ok(Some(Telemetry::start(&config, &instance)?))
}

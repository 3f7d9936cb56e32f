//! Logs of the server itself: text for people, JSON for machines, always to stderr.

use std::io::IsTerminal;

use anyhow::Context;
use evoke_project::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Sets the process' logs up. `EVOKE_LOG` overrides the level, with the syntax of `tracing`
/// (`warn,evoke_engine=debug`).
///
/// # Errors
/// The filter is not valid, or logs were set up already.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let level = std::env::var("EVOKE_LOG").unwrap_or_else(|_| log.level.as_str().to_owned());
    let filter = EnvFilter::try_new(&level).with_context(|| format!("EVOKE_LOG is {level:?}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let done = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_target(false).try_init(),
    };
    done.map_err(|error| anyhow::anyhow!("set up logs: {error}"))
}

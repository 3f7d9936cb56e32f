//! What the generator is told and what it tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::histogram::{Histogram, Latency};

/// Replaced by the number of the event, always as many digits as the word has characters.
pub const PLACEHOLDER: &str = "{sequence}";

/// A request that is sent again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The body; each [`PLACEHOLDER`] in it becomes a number that no other has.
    pub body: String,
    /// `Authorization: Bearer`, if given.
    pub key: Option<String>,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "pace", rename_all = "snake_case")]
pub enum Pace {
    /// Each connection sends the next request when the last was answered.
    Closed,
    /// Requests are due at a fixed rate whatever the answers do; latency counts from when a request
    /// was due, not from when a connection was free for it.
    Open {
        /// Requests per second, over all connections.
        per_second: u32,
    },
}

/// A load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadSpec {
    /// Where to.
    pub address: SocketAddr,
    /// Connections, kept alive.
    pub connections: u32,
    /// What is sent.
    pub request: Request,
    /// How.
    pub pace: Pace,
    /// Stop after so many requests.
    pub requests: Option<u64>,
    /// Stop after so many milliseconds.
    pub millis: Option<u64>,
    /// The first number for [`PLACEHOLDER`].
    pub first: u64,
}

/// What happened.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadReport {
    /// Requests answered with 2xx.
    pub ok: u64,
    /// Other answers, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Connections that broke.
    pub broken: u64,
    /// The first answer that was not 2xx, or the first break, in words.
    pub first_trouble: Option<String>,
    /// When the first request was sent, in microseconds of the Unix epoch.
    pub began_us: u64,
    /// When the last answer was there.
    pub ended_us: u64,
    /// CPU time this process used, in milliseconds.
    pub cpu_ms: u64,
    /// From sending (or being due) to the whole answer.
    pub latency: Latency,
    /// The same in full, so that several loads can be taken together.
    pub histogram: Histogram,
}

impl LoadReport {
    /// How long it took.
    pub fn seconds(&self) -> f64 {
        self.ended_us.saturating_sub(self.began_us).max(1) as f64 / 1e6
    }

    /// Requests answered with 2xx per second.
    pub fn per_second(&self) -> f64 {
        self.ok as f64 / self.seconds()
    }

    /// Requests that were not answered with 2xx.
    pub fn failed(&self) -> u64 {
        self.broken + self.refused.values().sum::<u64>()
    }
}

/// What one connection or thread saw; merged at the end.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) ok: u64,
    pub(super) refused: BTreeMap<u16, u64>,
    pub(super) broken: u64,
    pub(super) first_trouble: Option<String>,
    pub(super) latency: Histogram,
}

impl Tally {
    pub(super) fn answered(&mut self, status: u16, nanos: u64, body: &[u8]) {
        self.latency.record(nanos);
        if (200..300).contains(&status) {
            self.ok += 1;
            return;
        }
        *self.refused.entry(status).or_default() += 1;
        if self.first_trouble.is_none() {
            let text = String::from_utf8_lossy(&body[..body.len().min(300)]);
            self.first_trouble = Some(format!("{status}: {text}"));
        }
    }

    pub(super) fn broke(&mut self, error: &std::io::Error) {
        self.broken += 1;
        self.first_trouble.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.ok += other.ok;
        self.broken += other.broken;
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
        self.first_trouble = self.first_trouble.take().or(other.first_trouble);
        self.latency.merge(&other.latency);
    }

    pub(super) fn report(self, began_us: u64, ended_us: u64) -> LoadReport {
        LoadReport {
            ok: self.ok,
            refused: self.refused,
            broken: self.broken,
            first_trouble: self.first_trouble,
            began_us,
            ended_us,
            cpu_ms: crate::process::own_cpu_ms(),
            latency: self.latency.summary(),
            histogram: self.latency,
        }
    }
}

//! The JSON inside of frames, but for calls, which are written by hand in [`super::call`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u32 = 1;

/// LOAD: what a worker shall run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load<'a> {
    /// Name of the function.
    pub function: &'a str,
    /// Number of its version.
    pub version: u32,
    /// Absolute folder of the code.
    pub code: &'a str,
    /// Absolute folder to work in: that of the function, of which the code is a copy.
    pub directory: &'a str,
    /// `file.export`.
    pub handler: &'a str,
    /// The function's environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Base URL of this server.
    pub url: &'a str,
    /// Limit of one attempt.
    pub timeout_ms: u64,
    /// Limit of the worker's memory.
    pub memory_bytes: u64,
}

/// HELLO: who connected.
#[derive(Debug, Deserialize)]
pub struct Hello {
    /// The version of the protocol it speaks.
    pub protocol: u32,
    /// Name of its language.
    pub runtime: String,
    /// Version of the language.
    pub version: String,
}

/// LOAD_FAILED: why the handler is not there.
#[derive(Debug, Deserialize)]
pub struct LoadFailed {
    /// What went wrong.
    pub message: String,
    /// Where.
    pub stack: Option<String>,
}

/// ERROR: what the handler threw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thrown {
    /// What went wrong.
    pub message: String,
    /// Where.
    pub stack: Option<String>,
    /// The error's class.
    #[serde(rename = "type")]
    pub class: Option<String>,
    /// `false` when another attempt is useless.
    pub retry: Option<bool>,
    /// When another attempt makes sense at the earliest.
    pub retry_after_ms: Option<u64>,
}

/// HEAD and the head of RESPONSE.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// Headers as name and value.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// Why nobody wants the answer of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelReason {
    /// It ran out of time.
    Timeout,
    /// Its execution was cancelled.
    Cancelled,
    /// The caller went away.
    ClientGone,
}

impl CancelReason {
    /// The payload of CANCEL.
    pub const fn payload(self) -> &'static [u8] {
        match self {
            Self::Timeout => br#"{"reason":"timeout"}"#,
            Self::Cancelled => br#"{"reason":"cancelled"}"#,
            Self::ClientGone => br#"{"reason":"client_gone"}"#,
        }
    }
}

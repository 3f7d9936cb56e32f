//! HTTP as functions see it, free of any server's types but those of the `http` crate.

use bytes::Bytes;
use evoke_model::Failure;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::mpsc;

use crate::identity::User;

/// First segments under `/api` and `/api/v1` that belong to the management API: those it has and
/// those it is to have. No route of a function may stand there, and the server looks for none.
pub const MANAGEMENT: &[&str] = &[
    "alerts",
    "audit",
    "auth",
    "buckets",
    "collections",
    "dead-letters",
    "doctor",
    "events",
    "executions",
    "functions",
    "hooks",
    "keys",
    "kinds",
    "operations",
    "retention",
    "runs",
    "schedules",
    "secrets",
    "transactions",
    "triggers",
    "webhook",
    "webhooks",
    "workflows",
];

/// A body: whole, or in pieces as they come.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// Pieces; the channel's end is the body's end, an error means it was cut off.
    Stream(mpsc::Receiver<Result<Bytes, Failure>>),
}

impl Body {
    /// A body of no bytes.
    pub const fn empty() -> Self {
        Self::Full(Bytes::new())
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    /// The failure that cut the body off.
    pub async fn collect(self) -> Result<Bytes, Failure> {
        match self {
            Self::Full(bytes) => Ok(bytes),
            Self::Stream(mut pieces) => {
                let mut all = Vec::new();
                while let Some(piece) = pieces.recv().await {
                    all.extend_from_slice(&piece?);
                }
                Ok(Bytes::from(all))
            }
        }
    }
}

/// A request for a function.
#[derive(Debug)]
pub struct HttpCall {
    /// The method.
    pub method: Method,
    /// Path and query as they came: `/api/users/7?full=1`.
    pub target: String,
    /// Scheme and host the caller used: `http://127.0.0.1:8090`.
    pub origin: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Path parameters, decoded, in the order of the pattern.
    pub params: Vec<(String, String)>,
    /// The body; limited by the server before it comes here.
    pub body: Bytes,
    /// Who calls, where the trigger wants to know and a token said it.
    pub user: Option<Box<User>>,
}

/// A function's answer to a request.
#[derive(Debug)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

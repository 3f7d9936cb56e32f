//! Where a poll stands.

use std::collections::BTreeMap;

use evoke_engine::PollStatus;
use evoke_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

/// Where a poll stands: when it is asked, what it answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollStanding {
    /// When its function is asked next; `null` while it is off.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_poll_at: Option<Timestamp>,
    /// When it was asked last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_poll_at: Option<Timestamp>,
    /// When it fired last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_fired_at: Option<Timestamp>,
    /// How often it was asked. A crash may lose what was counted in the last half minute.
    pub polls: u64,
    /// How often it fired.
    pub fired: u64,
    /// How often it did not, by reason: `no`, `same_context`, `busy`, `timeout`, `error`.
    pub skips: BTreeMap<String, u64>,
    /// The last time it did not fire, and why.
    pub last_skip: Option<PollSkip>,
    /// What its function gave back last, and is given again.
    pub state: Value,
}

/// A time a poll did not fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PollSkip {
    /// When.
    #[schema(schema_with = schemas::time)]
    pub at: Timestamp,
    /// `no`, `same_context`, `busy`, `timeout` or `error`.
    #[schema(example = "no")]
    pub reason: String,
    /// What the function or the server said of it.
    pub message: Option<String>,
}

impl From<PollStatus> for PollStanding {
    fn from(status: PollStatus) -> Self {
        let PollStatus { next_poll, last_poll, last_fired, polls, fired, .. } = status;
        let skips = status.skips.into_iter();
        let last_skip = status.last_skip.map(|skip| PollSkip {
            at: skip.at,
            reason: skip.reason.as_str().to_owned(),
            message: skip.message,
        });
        Self {
            next_poll_at: next_poll,
            last_poll_at: last_poll,
            last_fired_at: last_fired,
            polls,
            fired,
            skips: skips.map(|(reason, count)| (reason.as_str().to_owned(), count)).collect(),
            last_skip,
            state: status.state,
        }
    }
}

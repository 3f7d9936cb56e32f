//! What a timeline tells.

use evoke_model::Timestamp;
use serde::Serialize;

/// Something that happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The trigger's name.
    pub trigger: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// An occurrence fired.
    Fired {
        /// The instant it was planned for.
        scheduled: Timestamp,
    },
    /// An attempt began.
    Started {
        /// The occurrence.
        scheduled: Timestamp,
        /// Which attempt it is.
        attempt: u32,
        /// How many of the trigger run now, this one included.
        running: usize,
    },
    /// An attempt succeeded.
    Succeeded {
        /// The occurrence.
        scheduled: Timestamp,
        /// Which attempt it was.
        attempt: u32,
    },
    /// An attempt failed.
    Failed {
        /// The occurrence.
        scheduled: Timestamp,
        /// Which attempt it was.
        attempt: u32,
        /// When the next one is due; `None` where it was the last.
        retry_at: Option<Timestamp>,
    },
    /// An occurrence was not carried out, or was stopped.
    Skipped {
        /// The occurrence.
        scheduled: Timestamp,
        /// Why.
        why: String,
    },
}

/// What happened of one trigger in all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Total {
    /// The trigger's name.
    pub trigger: String,
    /// Occurrences that fired.
    pub fired: u64,
    /// Executions that succeeded.
    pub succeeded: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Executions that used up their attempts.
    pub failed: u64,
    /// Occurrences that were not carried out.
    pub skipped: u64,
    /// The most that ran at once.
    pub most_at_once: usize,
    /// The first occurrence after the end.
    pub next_run: Option<Timestamp>,
}

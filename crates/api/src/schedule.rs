//! Schedules: triggers of one kind, in the words of the Alyx document.

mod by_hand;
mod read;

use evoke_engine::{NewTrigger, ScheduleStatus};
use evoke_model::policy::Overflow;
use evoke_model::{Policy, Problem, Rejection, State, Timestamp, TriggerId, alyx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::schemas;
use crate::trigger::{KeptBy, Trigger};

pub use by_hand::{BackfillBody, Backfilled, FireBody, Fired, Upcoming};

/// Whether a schedule fires again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleState {
    /// It does.
    Active,
    /// It is off.
    Paused,
    /// It has no occurrence left.
    Ended,
}

impl std::str::FromStr for ScheduleState {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "active" => Ok(Self::Active),
            "paused" => Ok(Self::Paused),
            "ended" => Ok(Self::Ended),
            _ => Err(()),
        }
    }
}

impl From<&ScheduleStatus> for ScheduleState {
    fn from(status: &ScheduleStatus) -> Self {
        match status {
            ScheduleStatus { is_paused: true, .. } => Self::Paused,
            ScheduleStatus { next: None, .. } => Self::Ended,
            ScheduleStatus { .. } => Self::Active,
        }
    }
}

/// Where a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleStanding {
    /// Whether it fires again.
    pub status: ScheduleState,
    /// When.
    pub next_run: Option<Timestamp>,
    /// The instant of the occurrence that fired last.
    pub last_run: Option<Timestamp>,
    /// How that one ended, or stands.
    pub last_status: Option<State>,
}

impl ScheduleStanding {
    /// Of one that was deleted while it was looked at.
    pub const GONE: Self =
        Self { status: ScheduleState::Ended, next_run: None, last_run: None, last_status: None };

    /// Of what the engine knows of a schedule and of its last occurrence.
    pub fn new(status: ScheduleStatus, last_status: Option<State>) -> Self {
        Self {
            status: ScheduleState::from(&status),
            next_run: status.next,
            last_run: status.last,
            last_status,
        }
    }
}

/// A schedule: a trigger that fires at instants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// The id.
    #[schema(value_type = String, example = "trg_01j9z3k5m7n8p")]
    pub id: TriggerId,
    /// The name.
    pub name: String,
    /// `cron`, `interval` or `one_time`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cron expression, the interval, or the instant.
    pub expression: String,
    /// The time zone by whose clock it goes.
    pub timezone: String,
    /// The function it runs; `null` where it has another target.
    pub function: Option<String>,
    /// Where executions go.
    #[schema(value_type = Object)]
    pub target: Value,
    /// Whether it fires.
    pub enabled: bool,
    /// Whether it fires again.
    pub status: ScheduleState,
    /// When it fires next; `null` where it does not.
    #[schema(schema_with = schemas::time_or_null)]
    pub next_run: Option<Timestamp>,
    /// The instant of the occurrence that fired last.
    #[schema(schema_with = schemas::time_or_null)]
    pub last_run: Option<Timestamp>,
    /// How that one ended, or stands.
    #[schema(schema_with = schemas::state_or_null)]
    pub last_status: Option<State>,
    /// The first instant at which it may fire.
    pub start: Option<String>,
    /// The last instant at which it may fire.
    pub end: Option<String>,
    /// What occurrences are spread over.
    pub jitter: Option<String>,
    /// What becomes of occurrences that were missed: `policy`, and `max` and `within` where given.
    #[schema(value_type = Object, example = json!({ "policy": "last" }))]
    pub missed: Value,
    /// What its occurrences carry, and how they are carried out, in a few words.
    pub config: ScheduleConfig,
    /// How they are carried out, in full.
    #[schema(schema_with = schemas::policy)]
    pub policy: Policy,
    /// Who keeps it. Only schedules made through the API are changed through it.
    pub owner: KeptBy,
    /// When it was created.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
    /// Who changed it by hand last: the name of an API key, or `local`; `null` where nobody did.
    pub updated_by: Option<String>,
}

/// What the occurrences of a schedule carry, and how they are carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleConfig {
    /// Whether an occurrence is left out while earlier ones run.
    pub skip_if_running: bool,
    /// How many run at once; `null` is no limit.
    pub max_overlap: Option<u32>,
    /// What becomes of an occurrence that comes while so many run: `queue`, `skip` or `cancel`.
    pub overlap: Option<Overlap>,
    /// Whether there are further attempts after the first.
    pub retry_on_failure: bool,
    /// How many.
    pub max_retries: u32,
    /// What each occurrence carries.
    #[schema(schema_with = schemas::any)]
    pub input: Value,
}

/// What becomes of an occurrence that comes while as many run as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It waits.
    Queue,
    /// It is left out.
    Skip,
    /// It takes the place of the oldest that runs.
    Cancel,
}

impl From<Overflow> for Overlap {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Queue => Self::Queue,
            Overflow::Skip => Self::Skip,
            Overflow::Cancel => Self::Cancel,
        }
    }
}

impl Schedule {
    /// A trigger that is a schedule, and where it stands.
    pub fn new(trigger: &evoke_model::Trigger, standing: ScheduleStanding) -> Self {
        let Trigger { target, policy, owner, .. } = Trigger::from(trigger);
        let text = |name: &str| trigger.config.get(name).and_then(Value::as_str).map(str::to_owned);
        let timing =
            alyx::SCHEDULES.into_iter().find_map(|(kind, field)| Some((kind, text(field)?)));
        let (kind, expression) = timing.unwrap_or_default();
        let missed = trigger.config.get("missed").cloned();
        Self {
            id: trigger.id,
            name: trigger.name.clone(),
            kind: kind.to_owned(),
            expression,
            timezone: text("timezone").unwrap_or_else(|| "UTC".to_owned()),
            function: trigger.target.function_name().map(str::to_owned),
            target,
            enabled: trigger.enabled,
            status: standing.status,
            next_run: standing.next_run,
            last_run: standing.last_run,
            last_status: standing.last_status,
            start: text("start"),
            end: text("end"),
            jitter: text("jitter"),
            missed: missed.unwrap_or_else(|| json!({ "policy": "last" })),
            config: ScheduleConfig::new(trigger),
            policy,
            owner,
            created_at: trigger.created_at,
            updated_at: trigger.updated_at,
            updated_by: trigger.updated_by.clone(),
        }
    }
}

impl ScheduleConfig {
    fn new(trigger: &evoke_model::Trigger) -> Self {
        let concurrency = trigger.policy.concurrency.as_ref();
        let overflow = concurrency.map(|concurrency| concurrency.overflow);
        let retry = trigger.policy.retry.clone().unwrap_or_default();
        Self {
            skip_if_running: overflow == Some(Overflow::Skip),
            max_overlap: concurrency.map(|concurrency| concurrency.limit),
            overlap: overflow.map(Overlap::from),
            retry_on_failure: retry.attempts > 1,
            max_retries: retry.attempts.saturating_sub(1),
            input: trigger.config.get("input").cloned().unwrap_or_else(|| json!({})),
        }
    }
}

/// What a schedule is made from. To change one, send what is to change; `null` takes a field away.
/// What stands in `config` may stand beside it as well.
#[derive(ToSchema)]
#[schema(example = json!({
    "name": "nightly", "type": "cron", "expression": "0 2 * * *", "timezone": "Europe/Berlin",
    "function": "report", "config": { "skip_if_running": true, "input": { "days": 1 } },
}))]
pub struct ScheduleBody {
    /// The name, unique among the triggers made through the API.
    pub name: String,
    /// What `expression` is: `cron`, `interval` or `one_time`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A cron expression, an interval such as `5m`, or an instant.
    pub expression: String,
    /// A name of the tz database; UTC if not given.
    pub timezone: Option<String>,
    /// The function it runs.
    pub function: Option<String>,
    /// Another target than a function; see `/api/kinds`.
    #[schema(value_type = Option<Object>)]
    pub target: Option<Value>,
    /// Whether it fires; true if not given.
    pub enabled: Option<bool>,
    /// The first instant at which it may fire.
    pub start: Option<String>,
    /// The last instant at which it may fire.
    pub end: Option<String>,
    /// Spreads occurrences over so long after their instant.
    pub jitter: Option<String>,
    /// What becomes of occurrences that were missed: `skip`, `last` (the default) or `all`, or an
    /// object with it as `policy`, and `max` and `within`.
    #[schema(schema_with = schemas::any, required = false)]
    pub missed: Option<Value>,
    /// What its occurrences carry, and how they are carried out, in a few words.
    pub config: Option<ScheduleWords>,
    /// How they are carried out, in full.
    #[schema(schema_with = schemas::policy, required = false)]
    pub policy: Option<Policy>,
}

/// What the occurrences of a schedule carry, and how they are carried out, in a few words.
#[derive(ToSchema)]
pub struct ScheduleWords {
    /// Leaves an occurrence out while earlier ones run.
    pub skip_if_running: Option<bool>,
    /// How many run at once.
    pub max_overlap: Option<u32>,
    /// What becomes of an occurrence that comes while so many run.
    pub overlap: Option<Overlap>,
    /// Whether there are further attempts after the first.
    pub retry_on_failure: Option<bool>,
    /// How many; 3 if not given.
    pub max_retries: Option<u32>,
    /// What each occurrence carries.
    #[schema(schema_with = schemas::any, required = false)]
    pub input: Option<Value>,
}

/// A schedule as somebody wants it, and how they call the fields of the trigger it is.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedSchedule {
    /// The trigger.
    pub new: NewTrigger,
    names: read::Names,
}

impl AskedSchedule {
    /// A refusal of the trigger as one of the schedule: its problems name the fields of the body.
    pub fn told(&self, refused: Rejection) -> Rejection {
        if refused.problems.is_empty() {
            return refused;
        }
        let problems = refused.problems.into_iter().map(|problem| self.names.told(problem));
        Rejection {
            retry_after: refused.retry_after,
            ..Rejection::of(refused.code, problems.collect())
        }
    }
}

impl ScheduleBody {
    /// Reads the body of a new schedule.
    ///
    /// # Errors
    /// Everything that is wrong with its form; what is wrong with its timetable is for its kind to
    /// say.
    pub fn read(body: Value) -> Result<AskedSchedule, Vec<Problem>> {
        read::read(body)
    }

    /// Reads the body of a change: what it names takes the place of what `trigger` has.
    ///
    /// # Errors
    /// Everything that is wrong with the form of the result.
    pub fn patch(
        trigger: &evoke_model::Trigger,
        patch: Value,
    ) -> Result<AskedSchedule, Vec<Problem>> {
        read::patch(trigger, patch)
    }
}

#[cfg(test)]
mod tests;

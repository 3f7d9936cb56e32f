//! The routes of schedules. What is sent is the JSON of the route, so that a newer server's fields
//! pass through.

use reqwest::Method;
use serde_json::Value;

use crate::calls::{Query, Switch};
use crate::client::{Client, Page};
use crate::error::Error;

impl Client {
    /// All schedules.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn schedules(&self, query: &Query<'_>) -> Result<Page, Error> {
        self.list(&["api", "schedules"], query, u32::MAX).await
    }

    /// One schedule, by name or id.
    pub async fn schedule(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "schedules", id]).await
    }

    /// Fires a schedule now, with the `input` of `request` where it has one; gives the event and
    /// the execution.
    pub async fn fire_schedule(&self, id: &str, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "schedules", id, "trigger"], request).await
    }

    /// Fires a trigger that is a schedule, in the same way.
    pub async fn fire_trigger(&self, id: &str, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "triggers", id, "fire"], request).await
    }

    /// Fires the occurrences of a schedule from `from` to `to`, or counts them where `request` has
    /// `dry_run`.
    pub async fn backfill(&self, id: &str, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "schedules", id, "backfill"], request).await
    }

    /// Lets a schedule fire, or not.
    pub async fn switch_schedule(&self, id: &str, switch: Switch) -> Result<Value, Error> {
        let verb = match switch {
            Switch::On => "resume",
            Switch::Off => "pause",
        };
        self.post(&["api", "schedules", id, verb]).await
    }

    /// The next instants of a schedule.
    pub async fn upcoming(&self, id: &str, query: &Query<'_>) -> Result<Page, Error> {
        self.page(&["api", "schedules", id, "upcoming"], query).await
    }
}

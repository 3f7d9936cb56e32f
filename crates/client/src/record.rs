//! The routes of the record: dead letters, replays, what events led to, who did what, retention.
//! What is sent is the JSON of the route, so that a newer server's fields pass through.

use reqwest::Method;
use serde_json::Value;

use crate::calls::Query;
use crate::client::{Client, Page};
use crate::error::Error;
use crate::follow::Follow;

impl Client {
    /// Dead letters, newest first.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn dead_letters(&self, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "dead-letters"], query, limit).await
    }

    /// Dead letters by trigger and cause, the largest group first.
    pub async fn dead_letter_groups(&self, query: &Query<'_>) -> Result<Page, Error> {
        self.list(&["api", "dead-letters", "groups"], query, u32::MAX).await
    }

    /// One dead letter with every attempt and what it gets.
    pub async fn dead_letter(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "dead-letters", id]).await
    }

    /// Gives a dead letter other data.
    pub async fn edit_dead_letter(&self, id: &str, data: &Value) -> Result<Value, Error> {
        let body = serde_json::json!({ "data": data });
        self.send_json(Method::PATCH, &["api", "dead-letters", id], &body).await
    }

    /// Begins to run dead letters again, or counts them where `request` has `dry_run`.
    pub async fn redrive(&self, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "dead-letters", "redrive"], request).await
    }

    /// Takes dead letters off the list; the answer has their `count`.
    pub async fn purge_dead_letters(&self, query: &Query<'_>) -> Result<Value, Error> {
        let request = self.request(Method::DELETE, &["api", "dead-letters"]);
        self.json(request.query(query)).await
    }

    /// Begins to send events of the log again, or counts them where `request` has `dry_run`.
    pub async fn replay(&self, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "events", "replay"], request).await
    }

    /// What an event led to, from the root of its chain.
    pub async fn tree(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "events", id, "tree"]).await
    }

    /// Replays and redrives, newest first.
    pub async fn operations(&self, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "operations"], &[], limit).await
    }

    /// One operation with its progress.
    pub async fn operation(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "operations", id]).await
    }

    /// Ends an operation before it is done.
    pub async fn cancel_operation(&self, id: &str) -> Result<Value, Error> {
        self.post(&["api", "operations", id, "cancel"]).await
    }

    /// The progress of an operation as it goes on; after the message in which its `status` is no
    /// longer `running` there is nothing more to wait for.
    pub fn follow_operation(&self, id: &str) -> Follow {
        Follow::stream(self.clone(), &["api", "operations", id, "progress"])
    }

    /// Who changed what by hand, newest first.
    pub async fn audit(&self, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "audit"], query, limit).await
    }

    /// How large the record is and what becomes of it.
    pub async fn retention(&self) -> Result<Value, Error> {
        self.get(&["api", "retention"]).await
    }

    /// Runs retention once, to its end.
    pub async fn run_retention(&self) -> Result<Value, Error> {
        self.post(&["api", "retention", "run"]).await
    }
}

//! The routes, one method each.

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Page};
use crate::error::Error;
use crate::follow::Follow;

/// Filters of a list: the names are those of the route.
pub type Query<'a> = [(&'a str, String)];

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Calling {
    /// The caller waits for the answer.
    #[default]
    AndWait,
    /// The server answers as soon as the call is kept (202).
    Later,
}

/// Whether a trigger fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// It fires.
    On,
    /// It does not.
    Off,
}

/// What a called function gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// The execution that records the call, if the server named it.
    pub execution: Option<String>,
    /// The media type of the answer.
    pub content_type: Option<String>,
    /// The answer.
    pub body: Bytes,
}

impl Client {
    /// All functions.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn functions(&self) -> Result<Page, Error> {
        self.list(&["api", "functions"], &[], u32::MAX).await
    }

    /// One function, by name or id.
    pub async fn function(&self, name: &str) -> Result<Value, Error> {
        self.get(&["api", "functions", name]).await
    }

    /// The versions of a function that can be run, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn versions(&self, name: &str) -> Result<Page, Error> {
        self.list(&["api", "functions", name, "versions"], &[], u32::MAX).await
    }

    /// Makes the code of an older version current again; gives the function.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn roll_back(&self, name: &str, to: Option<u32>) -> Result<Value, Error> {
        let body = to.map_or_else(|| json!({}), |version| json!({ "version": version }));
        self.send_json(Method::POST, &["api", "functions", name, "rollback"], &body).await
    }

    /// Calls a function with a JSON payload.
    pub async fn invoke(&self, name: &str, data: &Value, how: Calling) -> Result<Invoked, Error> {
        let route = ["api", "functions", name, "invoke"];
        let mut request = self.request(Method::POST, &route).json(data);
        if how == Calling::Later {
            request = request.header("prefer", "respond-async");
        }
        let response = self.answer(request).await?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (execution, content_type) = (header("x-evoke-execution-id"), header("content-type"));
        Ok(Invoked { execution, content_type, body: self.bytes(response).await? })
    }

    /// The newest log lines of a function.
    pub async fn logs(&self, name: &str, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "functions", name, "logs"], query, limit).await
    }

    /// The log lines of a function as they come.
    pub fn follow_logs(&self, name: &str, query: &Query<'_>) -> Follow {
        Follow::new(self.clone(), &["api", "functions", name, "logs"], query)
    }

    /// Sends an event, or an array of events; gives the ids.
    pub async fn send(&self, events: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "events"], events).await
    }

    /// Events, newest first.
    pub async fn events(&self, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "events"], query, limit).await
    }

    /// One event, by our id or the sender's.
    pub async fn event(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "events", id]).await
    }

    /// Events as they come.
    pub fn follow_events(&self, query: &Query<'_>) -> Follow {
        Follow::new(self.clone(), &["api", "events"], query)
    }

    /// Executions, newest first.
    pub async fn executions(&self, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&["api", "executions"], query, limit).await
    }

    /// One execution with its attempts, logs and output.
    pub async fn execution(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "executions", id]).await
    }

    /// The finished attempts of an execution, oldest first.
    pub async fn attempts(&self, id: &str) -> Result<Page, Error> {
        self.page(&["api", "executions", id, "attempts"], &[]).await
    }

    /// Executions as they begin and end.
    pub fn follow_executions(&self, query: &Query<'_>) -> Follow {
        Follow::new(self.clone(), &["api", "executions"], query)
    }

    /// Why an execution is where it is.
    pub async fn explain(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "executions", id, "explain"]).await
    }

    /// Runs an execution that is over again.
    pub async fn retry(&self, id: &str) -> Result<Value, Error> {
        self.post(&["api", "executions", id, "retry"]).await
    }

    /// Stops an execution that is not over.
    pub async fn cancel(&self, id: &str) -> Result<Value, Error> {
        self.post(&["api", "executions", id, "cancel"]).await
    }

    /// Runs a trigger's target once, marked as a test; gives the execution. The event has `type`,
    /// `subject` and `data`, all of which may be left out.
    pub async fn test_trigger(&self, id: &str, event: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "triggers", id, "test"], event).await
    }

    /// All triggers.
    pub async fn triggers(&self, query: &Query<'_>) -> Result<Page, Error> {
        self.list(&["api", "triggers"], query, u32::MAX).await
    }

    /// One trigger, by name or id.
    pub async fn trigger(&self, id: &str) -> Result<Value, Error> {
        self.get(&["api", "triggers", id]).await
    }

    /// Lets a trigger fire, or not.
    pub async fn switch_trigger(&self, id: &str, switch: Switch) -> Result<Value, Error> {
        let verb = match switch {
            Switch::On => "enable",
            Switch::Off => "disable",
        };
        self.post(&["api", "triggers", id, verb]).await
    }

    /// All API keys, without their secrets.
    pub async fn keys(&self) -> Result<Page, Error> {
        self.list(&["api", "keys"], &[], u32::MAX).await
    }

    /// Makes an API key; the answer holds it, once.
    pub async fn create_key(&self, name: &str) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "keys"], &json!({ "name": name })).await
    }

    /// Takes an API key away.
    pub async fn delete_key(&self, id: &str) -> Result<Value, Error> {
        self.json(self.request(Method::DELETE, &["api", "keys", id])).await
    }
}

//! The routes of users, for whoever runs the server.

use reqwest::Method;
use serde_json::Value;

use crate::calls::Query;
use crate::client::{Client, Page};
use crate::error::Error;

const ROUTE: [&str; 3] = ["api", "auth", "users"];

fn of(id: &str) -> [&str; 4] {
    [ROUTE[0], ROUTE[1], ROUTE[2], id]
}

impl Client {
    /// Users, the oldest first.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn users(&self, query: &Query<'_>, limit: u32) -> Result<Page, Error> {
        self.list(&ROUTE, query, limit).await
    }

    /// One user.
    pub async fn user(&self, id: &str) -> Result<Value, Error> {
        self.get(&of(id)).await
    }

    /// Makes an account for somebody.
    pub async fn create_user(&self, user: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &ROUTE, user).await
    }

    /// Changes a user; what is left out stays.
    pub async fn change_user(&self, id: &str, change: &Value) -> Result<Value, Error> {
        self.send_json(Method::PATCH, &of(id), change).await
    }

    /// Ends all sessions of a user.
    pub async fn end_sessions_of(&self, id: &str) -> Result<Value, Error> {
        let [api, auth, users] = ROUTE;
        let route = [api, auth, users, id, "sessions"];
        self.json(self.request(Method::DELETE, &route)).await
    }

    /// Removes a user with all sessions.
    pub async fn delete_user(&self, id: &str) -> Result<Value, Error> {
        self.json(self.request(Method::DELETE, &of(id))).await
    }
}

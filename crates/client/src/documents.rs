//! The routes of collections.

use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde_json::{Value, json};

use crate::client::{Client, Page};
use crate::error::Error;
use crate::follow::Follow;

/// What becomes of a document that is put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// What is given is merged in.
    Merge,
    /// It takes the place of what is there.
    Replace,
    /// It takes the place of what is there, or is new.
    Upsert,
}

/// A part of a collection.
fn part<'a>(collection: &'a str, name: &'a str) -> [&'a str; 4] {
    ["api", "collections", collection, name]
}

impl Client {
    /// All collections.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn collections(&self) -> Result<Page, Error> {
        self.list(&["api", "collections"], &[], u32::MAX).await
    }

    /// Up to `limit` documents that a query finds, over as many pages as it takes.
    pub async fn documents(
        &self,
        collection: &str,
        query: &Value,
        limit: u32,
    ) -> Result<Page, Error> {
        let mut found = Page { items: Vec::new(), next: None };
        loop {
            let left = limit.saturating_sub(found.items.len() as u32).clamp(1, 1_000);
            let mut query = query.clone();
            query["limit"] = json!(left);
            query["cursor"] = json!(found.next);
            let page = self.query_documents(collection, &query).await?;
            found.items.extend(page.items);
            found.items.truncate(limit as usize);
            found.next = page.next;
            if found.next.is_none() || found.items.len() >= limit as usize {
                return Ok(found);
            }
        }
    }

    /// One page of a query.
    pub async fn query_documents(&self, collection: &str, query: &Value) -> Result<Page, Error> {
        let route = part(collection, "query");
        let mut answer = self.send_json(Method::POST, &route, query).await?;
        let next = answer["next_cursor"].as_str().map(str::to_owned);
        match answer["data"].take() {
            Value::Array(items) => Ok(Page { items, next }),
            _ => Err(Error::Garbled {
                url: self.route(&route).to_string(),
                what: "a list without data".to_owned(),
            }),
        }
    }

    /// How many documents a query finds.
    pub async fn count_documents(&self, collection: &str, query: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &part(collection, "count"), query).await
    }

    /// How a query would be carried out.
    pub async fn explain_query(&self, collection: &str, query: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &part(collection, "explain"), query).await
    }

    /// One document.
    pub async fn document(&self, collection: &str, id: &str) -> Result<Value, Error> {
        self.get(&["api", "collections", collection, "documents", id]).await
    }

    /// Creates a document, or a list of them.
    pub async fn create_documents(&self, collection: &str, data: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &part(collection, "documents"), data).await
    }

    /// Puts a document, named by its collection and id, if it has this revision.
    pub async fn put_document(
        &self,
        (collection, id): (&str, &str),
        put: Put,
        revision: Option<&str>,
        data: &Value,
    ) -> Result<Value, Error> {
        let method = if put == Put::Merge { Method::PATCH } else { Method::PUT };
        let route = ["api", "collections", collection, "documents", id];
        let mut request = self.request(method, &route).json(data);
        if put == Put::Upsert {
            request = request.query(&[("upsert", "true")]);
        }
        if let Some(revision) = revision {
            request = request.header(IF_MATCH, format!("\"{}\"", revision.trim_matches('"')));
        }
        self.json(request).await
    }

    /// Changes all documents that meet conditions.
    pub async fn update_documents(&self, collection: &str, change: &Value) -> Result<Value, Error> {
        self.send_json(Method::PATCH, &part(collection, "documents"), change).await
    }

    /// Deletes a document.
    pub async fn delete_document(&self, collection: &str, id: &str) -> Result<Value, Error> {
        let route = ["api", "collections", collection, "documents", id];
        self.json(self.request(Method::DELETE, &route)).await
    }

    /// Deletes all documents that meet conditions.
    pub async fn delete_documents(&self, collection: &str, filter: &Value) -> Result<Value, Error> {
        let request = self.request(Method::DELETE, &part(collection, "documents"));
        self.json(request.query(&[("where", filter.to_string())])).await
    }

    /// The changes of a collection from now on.
    pub fn follow_documents(&self, collection: &str) -> Follow {
        Follow::stream(self.clone(), &part(collection, "changes"))
    }
}

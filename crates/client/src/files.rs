//! The routes of buckets and files. Bytes go through as they come, however many there are.

use bytes::Bytes;
use reqwest::{Body, Method, Response};
use serde_json::Value;

use crate::calls::Query;
use crate::client::{Client, Page};
use crate::error::Error;

/// A file on its way here.
#[derive(Debug)]
pub struct Download {
    response: Response,
    url: String,
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        self.response.chunk().await.map_err(unreachable)
    }
}

impl Client {
    /// All buckets.
    ///
    /// # Errors
    /// See [`Error`]; the same holds for every call below.
    pub async fn buckets(&self) -> Result<Page, Error> {
        self.list(&["api", "buckets"], &[], u32::MAX).await
    }

    /// Makes a bucket, or changes its settings.
    pub async fn put_bucket(&self, bucket: &str, settings: &Value) -> Result<Value, Error> {
        self.send_json(Method::PUT, &["api", "buckets", bucket], settings).await
    }

    /// Removes a bucket that is empty.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<Value, Error> {
        self.json(self.request(Method::DELETE, &["api", "buckets", bucket])).await
    }

    /// A page of the files of a bucket, as the route gives it: with what names were folded into.
    pub async fn files(&self, bucket: &str, query: &Query<'_>) -> Result<Value, Error> {
        let route = ["api", "buckets", bucket, "files"];
        self.json(self.request(Method::GET, &route).query(query)).await
    }

    /// Writes a file.
    pub async fn put_file(
        &self,
        (bucket, name): (&str, &str),
        content_type: Option<&str>,
        body: Body,
    ) -> Result<Value, Error> {
        // A slash in a segment is escaped, and means the same.
        let mut request = self.request(Method::PUT, &["api", "buckets", bucket, "files", name]);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        self.json(request.body(body)).await
    }

    /// Reads a file.
    pub async fn file(&self, (bucket, name): (&str, &str)) -> Result<Download, Error> {
        let request = self.request(Method::GET, &["api", "buckets", bucket, "files", name]);
        let response = self.answer(request).await?;
        Ok(Download { response, url: self.url().to_owned() })
    }

    /// Removes a file.
    pub async fn delete_file(&self, (bucket, name): (&str, &str)) -> Result<Value, Error> {
        let route = ["api", "buckets", bucket, "files", name];
        self.json(self.request(Method::DELETE, &route)).await
    }

    /// Signs a link.
    pub async fn sign_link(&self, bucket: &str, request: &Value) -> Result<Value, Error> {
        self.send_json(Method::POST, &["api", "buckets", bucket, "sign"], request).await
    }
}

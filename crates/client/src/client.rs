//! One server, its address and the key for it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::error::{Error, Refusal};

/// A server that does not take a connection within this time is not there.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Items of one page when all are wanted: the most a server gives.
const PAGE_MAX: u32 = 1_000;

/// Calls to one server. Cheap to clone; its connections are shared.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: reqwest::Url,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Value>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Client {
    /// Calls to the server at `url`, with this API key if it asks for one.
    ///
    /// # Errors
    /// The address or the key cannot be one.
    pub fn new(url: &str, key: Option<&str>) -> Result<Self, Error> {
        // A second caller in the same process finds it installed already.
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let address = || Error::Address { url: url.to_owned() };
        let mut base = reqwest::Url::parse(url).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(address());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let value = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut value = value.map_err(|_| Error::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_WAIT_MAX)
            .user_agent(concat!("evoke/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| Error::Unreachable { url: url.to_owned(), source })?;
        Ok(Self { http, base })
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The address of a route: each segment is escaped.
    pub(crate) fn route(&self, segments: &[&str]) -> reqwest::Url {
        let mut url = self.base.clone();
        // An address with a host always has a path that segments can be added to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(crate) fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        self.http.request(method, self.route(segments))
    }

    pub(crate) fn stream(&self, url: reqwest::Url) -> RequestBuilder {
        self.http.get(url).header(ACCEPT, "text/event-stream")
    }

    /// The answer, if it is 2xx.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<Response, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url().to_owned(), source };
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(unreachable)?;
        Err(Error::Refused(Box::new(Refusal::read(status, &body))))
    }

    /// The body of a 2xx answer.
    pub(crate) async fn bytes(&self, response: Response) -> Result<Bytes, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url().to_owned(), source };
        response.bytes().await.map_err(unreachable)
    }

    /// The JSON of a 2xx answer; `null` when there is none.
    pub(crate) async fn json(&self, request: RequestBuilder) -> Result<Value, Error> {
        let response = self.answer(request).await?;
        let url = response.url().to_string();
        let body = self.bytes(response).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body)
            .map_err(|error| Error::Garbled { url, what: error.to_string() })
    }

    pub(crate) async fn get(&self, segments: &[&str]) -> Result<Value, Error> {
        self.json(self.request(Method::GET, segments)).await
    }

    pub(crate) async fn post(&self, segments: &[&str]) -> Result<Value, Error> {
        self.json(self.request(Method::POST, segments)).await
    }

    /// Sends JSON and reads the JSON that comes back.
    pub(crate) async fn send_json(
        &self,
        method: Method,
        segments: &[&str],
        body: &Value,
    ) -> Result<Value, Error> {
        self.json(self.request(method, segments).json(body)).await
    }

    /// One page of a list.
    pub(crate) async fn page(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
    ) -> Result<Page, Error> {
        let mut answer = self.json(self.request(Method::GET, segments).query(query)).await?;
        let next = answer["next_cursor"].as_str().map(str::to_owned);
        match answer["data"].take() {
            Value::Array(items) => Ok(Page { items, next }),
            _ => Err(Error::Garbled {
                url: self.route(segments).to_string(),
                what: "a list without data".to_owned(),
            }),
        }
    }

    /// Up to `limit` items of a list, over as many pages as it takes.
    pub(crate) async fn list(
        &self,
        segments: &[&str],
        query: &[(&str, String)],
        limit: u32,
    ) -> Result<Page, Error> {
        let mut found = Page { items: Vec::new(), next: None };
        loop {
            let left = limit.saturating_sub(found.items.len() as u32);
            let mut query = query.to_vec();
            query.push(("limit", left.clamp(1, PAGE_MAX).to_string()));
            query.extend(found.next.take().map(|cursor| ("cursor", cursor)));
            let page = self.page(segments, &query).await?;
            found.items.extend(page.items);
            found.items.truncate(limit as usize);
            found.next = page.next;
            if found.next.is_none() || found.items.len() >= limit as usize {
                return Ok(found);
            }
        }
    }
}

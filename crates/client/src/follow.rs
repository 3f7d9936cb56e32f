//! A stream that is taken up again when it breaks.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use crate::client::Client;
use crate::error::{Class, Error};
use crate::sse::{Message, Parser};

/// Waits between two tries to take a broken stream up again.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// Messages of a route as they come, over as many connections as it takes.
pub struct Follow {
    client: Client,
    url: reqwest::Url,
    last_id: Option<String>,
    open: Option<(Response, Parser)>,
    was_open: bool,
}

impl Follow {
    pub(crate) fn new(client: Client, segments: &[&str], query: &[(&str, String)]) -> Self {
        let mut url = client.route(segments);
        url.query_pairs_mut().append_pair("follow", "true").extend_pairs(query);
        Self::at(client, url)
    }

    /// Messages of a route that is nothing but a stream.
    pub(crate) fn stream(client: Client, segments: &[&str]) -> Self {
        let url = client.route(segments);
        Self::at(client, url)
    }

    fn at(client: Client, url: reqwest::Url) -> Self {
        Self { client, url, last_id: None, open: None, was_open: false }
    }

    /// The next message. A stream that was open once is taken up again for as long as it takes when
    /// the server goes away: it may just be restarting.
    ///
    /// # Errors
    /// The first connection failed, or the server refuses.
    pub async fn next(&mut self) -> Result<Message, Error> {
        let mut tries = 0;
        loop {
            match self.try_next().await {
                Ok(Some(message)) => return Ok(message),
                // The server ended the stream, or it broke.
                Ok(None) => {}
                Err(error) if self.was_open && error.class() == Class::Unreachable => {}
                Err(error) => return Err(error),
            }
            self.open = None;
            tokio::time::sleep(WAITS[tries.min(WAITS.len() - 1)]).await;
            tries += 1;
        }
    }

    async fn try_next(&mut self) -> Result<Option<Message>, Error> {
        if self.open.is_none() {
            self.open = Some((self.connect().await?, Parser::default()));
            self.was_open = true;
        }
        let Some((response, parser)) = &mut self.open else { return Ok(None) };
        loop {
            let message = parser.next();
            if let Some(id) = parser.last_id() {
                self.last_id = Some(id.to_owned());
            }
            if message.is_some() {
                return Ok(message);
            }
            // A broken connection is the end of this stream like an orderly one.
            let Ok(Some(piece)) = response.chunk().await else { return Ok(None) };
            let url = || self.url.to_string();
            parser
                .push(&piece)
                .map_err(|what| Error::Garbled { url: url(), what: what.to_owned() })?;
        }
    }

    async fn connect(&self) -> Result<Response, Error> {
        let mut request = self.client.stream(self.url.clone());
        if let Some(id) = &self.last_id {
            request = request.header("last-event-id", id);
        }
        let response = self.client.answer(request).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(response);
        }
        let what = format!("expected a stream, got {}", kind.unwrap_or("no media type"));
        Err(Error::Garbled { url: self.url.to_string(), what })
    }
}

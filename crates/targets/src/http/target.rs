use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::policy::Rate;
use evoke_model::{Code, Event, Failure, Outcome, Problem, Timestamp};
use evoke_ports::{Clock, Delivered, Descriptor, Endpoint, Job, Target};
use reqwest::Client;
use serde_json::Value;

use super::client::{Clients, Reach};
use super::config::Config;
use super::exchange::{self, Answer};
use super::record::Record;
use super::request::{self, Content, Parts};
use crate::TargetOptions;

/// HTTP endpoints.
pub(crate) struct HttpTarget {
    descriptor: Descriptor,
    clock: Arc<dyn Clock>,
    clients: Clients,
}

impl HttpTarget {
    pub(crate) fn new(options: TargetOptions) -> Self {
        let reach = if options.allow_private { Reach::Everything } else { Reach::Public };
        let descriptor = super::descriptor();
        Self { descriptor, clock: options.clock, clients: Clients::new(reach) }
    }
}

impl Target for HttpTarget {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn open(&self, config: &Value) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let config = Config::read(config)?;
        let refuse = |field, message: String| vec![Problem::new(field, message)];
        self.clients.check(&config.url).map_err(|refused| refuse("url", refused.to_string()))?;
        let made = self.clients.get(&config);
        let client =
            made.map_err(|message| refuse(config.tls.as_ref().map_or("url", |_| "tls"), message))?;
        let group = format!("{}:{}", self.descriptor.kind, config.origin()).into();
        Ok(Arc::new(HttpEndpoint { config, client, group, clock: self.clock.clone() }))
    }
}

/// One URL and what is sent there.
struct HttpEndpoint {
    config: Config,
    client: Arc<Client>,
    group: Arc<str>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Endpoint for HttpEndpoint {
    fn capacity(&self) -> usize {
        self.config.concurrency
    }

    fn group(&self) -> Option<Arc<str>> {
        Some(Arc::clone(&self.group))
    }

    fn rate(&self) -> Option<Rate> {
        self.config.rate.clone()
    }

    async fn deliver(&self, job: Job) -> Delivered {
        let event = Arc::clone(&job.event);
        let answer = self.call(job, Content::Event(&event)).await;
        self.delivered(answer, Answer::outcome)
    }

    /// The body of the answer says which events failed; it is handed on as it is.
    async fn deliver_batch(&self, job: Job, events: &[Arc<Event>]) -> Delivered {
        let answer = self.call(job, Content::Batch(events)).await;
        self.delivered(answer, Answer::batch_outcome)
    }
}

impl HttpEndpoint {
    fn delivered(
        &self,
        answer: Result<Answer, Outcome>,
        read: fn(Answer, Timestamp) -> Outcome,
    ) -> Delivered {
        let outcome =
            answer.map_or_else(|outcome| outcome, |answer| read(answer, self.clock.now()));
        Delivered { outcome, version: 0 }
    }

    /// Makes the request; what ends it without an answer is an outcome already.
    async fn call(&self, job: Job, content: Content<'_>) -> Result<Answer, Outcome> {
        let now = self.clock.now();
        let own = now.plus(self.config.timeout);
        let deadline = job.deadline.map_or(own, |deadline| deadline.min(own));
        let request = self.request(&job, content, now).map_err(Outcome::Failure)?;
        let record = match content {
            Content::Event(_) => Record::of(self.config.record_bytes_max),
            Content::Batch(_) => Record::of_batch(self.config.record_bytes_max),
        };
        tokio::select! {
            biased;
            () = job.cancel.cancelled() => Err(Outcome::Cancelled),
            answer = exchange::send(request, record) => answer.map_err(Outcome::Failure),
            () = self.clock.sleep_until(deadline) => {
                let message = "the target gave no whole answer in time";
                Err(Outcome::TimedOut(Failure::new(Code::TargetTimeout, message)))
            }
        }
    }

    fn request(
        &self,
        job: &Job,
        content: Content<'_>,
        now: Timestamp,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let Config { url, method, .. } = &self.config;
        let Parts { headers, body } = request::parts(&self.config, job, content, now)?;
        let request = self.client.request(method.clone(), url.clone()).headers(headers);
        Ok(match body {
            Some(body) => request.body(body),
            None => request,
        })
    }
}

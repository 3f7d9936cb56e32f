use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{Code, Failure, Outcome, Problem};
use evoke_ports::{Clock, Delivered, Descriptor, Endpoint, Job, Target};
use http::header::{self, HeaderName};
use http::{HeaderMap, Method};
use reqwest::Client;
use serde_json::{Value, json};

use super::client::{Clients, Reach};
use super::config::Config;
use super::{exchange, template::Template};
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
        let refuse = |message: String| vec![Problem::new("url", message)];
        self.clients.check(&config.url).map_err(|refused| refuse(refused.to_string()))?;
        let client = self.clients.get(&config.url, config.redirects).map_err(refuse)?;
        Ok(Arc::new(HttpEndpoint { config, client, clock: self.clock.clone() }))
    }
}

/// One URL and what is sent there.
struct HttpEndpoint {
    config: Config,
    client: Client,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Endpoint for HttpEndpoint {
    fn capacity(&self) -> usize {
        self.config.concurrency
    }

    async fn deliver(&self, job: Job) -> Delivered {
        let outcome = match self.request(&job) {
            Ok(request) => self.carry_out(request, &job).await,
            Err(failure) => Outcome::Failure(failure),
        };
        Delivered { outcome, version: 0 }
    }
}

impl HttpEndpoint {
    async fn carry_out(&self, request: reqwest::RequestBuilder, job: &Job) -> Outcome {
        let own = self.clock.now().plus(self.config.timeout);
        let deadline = job.deadline.map_or(own, |deadline| deadline.min(own));
        tokio::select! {
            biased;
            () = job.cancel.cancelled() => Outcome::Cancelled,
            answer = exchange::send(request) => match answer {
                Ok(answer) => answer.outcome(self.clock.now()),
                Err(failure) => Outcome::Failure(failure),
            },
            () = self.clock.sleep_until(deadline) => {
                let message = "the target gave no whole answer in time";
                Outcome::TimedOut(Failure::new(Code::TargetTimeout, message))
            }
        }
    }

    fn request(&self, job: &Job) -> Result<reqwest::RequestBuilder, Failure> {
        let Config { url, method, headers, body, .. } = &self.config;
        let body = match body {
            Some(template) => Some(render(template, job)?),
            None if *method == Method::GET || *method == Method::HEAD => None,
            None => {
                let mut event = Vec::with_capacity(job.event.data.len() + 512);
                job.event.write_json(&mut event);
                Some(event)
            }
        };
        let request = self
            .client
            .request(method.clone(), url.clone())
            .headers(exchange::headers(headers, self.our_headers(job, headers)));
        Ok(match body {
            Some(body) => request.body(body),
            None => request,
        })
    }

    fn our_headers(&self, job: &Job, own: &HeaderMap) -> Vec<(HeaderName, String)> {
        let execution = job.execution.to_string();
        let mut headers = vec![
            (HeaderName::from_static("evoke-event"), job.event.public_id()),
            (HeaderName::from_static("evoke-attempt"), job.attempt.to_string()),
            (HeaderName::from_static("evoke-execution"), execution.clone()),
            // The same for every attempt, so that the other side can tell a repetition.
            (HeaderName::from_static("idempotency-key"), execution),
        ];
        if let Some(traceparent) = &job.event.traceparent {
            headers.push((HeaderName::from_static("traceparent"), traceparent.to_string()));
        }
        let media_type = match (&self.config.body, &self.config.method) {
            (Some(_), _) => Some("application/json"),
            (None, &Method::GET | &Method::HEAD) => None,
            (None, _) => Some("application/cloudevents+json; charset=utf-8"),
        };
        if let Some(media_type) = media_type.filter(|_| !own.contains_key(header::CONTENT_TYPE)) {
            headers.push((header::CONTENT_TYPE, media_type.to_owned()));
        }
        headers
    }
}

/// A template that fails for an event fails for it again, so there is no other attempt.
fn render(template: &Template, job: &Job) -> Result<Vec<u8>, Failure> {
    let mut event = Vec::with_capacity(job.event.data.len() + 512);
    job.event.write_json(&mut event);
    let refuse = |message: String| {
        Failure::new(Code::TargetFailed, format!("the body template: {message}")).for_good()
    };
    let event: Value = serde_json::from_slice(&event).map_err(|error| refuse(error.to_string()))?;
    let values = json!({
        "event": event,
        "execution": { "id": job.execution.to_string(), "attempt": job.attempt },
        "trigger": { "name": job.trigger.name, "kind": job.trigger.kind },
    });
    template.render(&values).map_err(refuse)
}

//! All webhooks by their addresses.

use std::sync::Arc;

use ahash::AHashMap;
use evoke_model::{Code, Millis, Rejection, Timestamp, Trigger, TriggerId};
use evoke_ports::{Claim, Denied, HttpCall, Received};
use http::Method;
use serde_json::Value;

use super::ROOT;
use super::config::{self, Hook};
use super::receive::{Own, receive};
use crate::http::decode;

/// Where a webhook is reached by its id or name beside [`ROOT`].
const ALIASES: [&str; 2] = ["/api/webhook/", "/api/v1/webhook/"];

/// When a sender may come back to a webhook whose secrets are not there yet.
const WAIT: Millis = Millis::from_secs(5);

/// All webhooks.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: AHashMap<TriggerId, Entry>,
    /// By the part of the path behind the root, decoded; oldest first.
    paths: AHashMap<String, Vec<TriggerId>>,
    names: AHashMap<String, Vec<TriggerId>>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    /// `None` where the configuration is not understood: references to secrets are not filled in
    /// yet, or it was stored by another release. Such a webhook lets nobody in.
    hook: Option<Hook>,
}

impl Entry {
    fn takes(&self, method: &Method) -> bool {
        self.hook.as_ref().is_none_or(|hook| hook.methods.contains(method))
    }
}

impl Table {
    pub(super) fn build(triggers: &[Arc<Trigger>]) -> Self {
        let mut table = Self::default();
        let mut by_age: Vec<&Arc<Trigger>> = triggers.iter().collect();
        by_age.sort_by_key(|trigger| trigger.id);
        for trigger in by_age {
            let hook = config::read(&trigger.config).map(|(_, hook)| hook).ok();
            let path = trigger.config.get("path").and_then(|path| path.as_str());
            if let Some(rest) = path.and_then(|path| behind(path, ROOT)) {
                table.paths.entry(decoded(rest)).or_default().push(trigger.id);
            }
            table.names.entry(trigger.name.clone()).or_default().push(trigger.id);
            table.entries.insert(trigger.id, Entry { name: trigger.name.clone(), hook });
        }
        table
    }

    pub(super) fn claim(&self, method: &Method, path: &str) -> Claim {
        let (rest, by_path) = match behind(path, ROOT) {
            Some(rest) => (decoded(rest), true),
            None => match ALIASES.iter().find_map(|alias| path.strip_prefix(alias)) {
                Some(rest) => (decoded(rest), false),
                None => return Claim::None,
            },
        };
        let by_id = rest.parse().ok().filter(|id| self.entries.contains_key(id));
        let paths = self.paths.get(&rest).filter(|_| by_path).into_iter().flatten();
        let names = self.names.get(&rest).into_iter().flatten();
        let mut found = by_id.into_iter().chain(paths.copied()).chain(names.copied()).peekable();
        if found.peek().is_none() {
            return Claim::None;
        }
        let mut allow: Vec<Method> = Vec::new();
        for id in found {
            let Some(entry) = self.entries.get(&id) else { continue };
            if entry.takes(method) {
                return Claim::Trigger { id, params: Vec::new() };
            }
            for method in entry.hook.iter().flat_map(|hook| &hook.methods) {
                if !allow.contains(method) {
                    allow.push(method.clone());
                }
            }
        }
        Claim::MethodNotAllowed { allow }
    }

    /// The oldest webhook at the path of a checked configuration that takes one of its methods.
    pub(super) fn rival(&self, config: &Value, own: Option<TriggerId>) -> Option<TriggerId> {
        let place = decoded(behind(config.get("path")?.as_str()?, ROOT)?);
        let methods = config.get("methods").and_then(Value::as_array).into_iter().flatten();
        let methods: Vec<Method> =
            methods.filter_map(|method| method.as_str()?.parse().ok()).collect();
        let others = self.paths.get(&place)?.iter().filter(|id| Some(**id) != own);
        others.copied().find(|id| {
            let entry = self.entries.get(id);
            entry.is_some_and(|entry| methods.iter().any(|method| entry.takes(method)))
        })
    }

    pub(super) fn receive(&self, trigger: TriggerId, call: &HttpCall, now: Timestamp) -> Received {
        let refuse = |rejection| Received::Refused(Box::new(Denied { rejection, challenge: None }));
        let Some(entry) = self.entries.get(&trigger) else {
            return refuse(Rejection::new(Code::TriggerNotFound, "the webhook is gone"));
        };
        match &entry.hook {
            Some(hook) => receive(hook, &Own { id: trigger, name: &entry.name }, call, now),
            None => {
                let message = "the webhook is not ready: its configuration is not complete";
                refuse(Rejection::new(Code::Starting, message).retry_after(WAIT))
            }
        }
    }
}

fn behind<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    path.strip_prefix(root)?.strip_prefix('/')
}

fn decoded(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(decode).collect();
    segments.join("/")
}

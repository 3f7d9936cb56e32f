//! All webhooks by their addresses.

use std::fmt;
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

struct Entry {
    trigger: Arc<Trigger>,
    /// `None` where the configuration is not understood: references to secrets are not filled in
    /// yet, or it was stored by another release. Such a webhook lets nobody in.
    hook: Option<Arc<Hook>>,
}

/// Without the configuration: secrets are part of it.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:?}, {:?})", self.trigger.name, self.hook)
    }
}

impl Entry {
    fn takes(&self, method: &Method) -> bool {
        self.hook.as_ref().is_none_or(|hook| hook.methods.contains(method))
    }
}

impl Table {
    /// The table of these triggers. What is as it was is not read again: a schema takes long enough
    /// to compile to be felt where many webhooks have one.
    pub(super) fn rebuilt(&self, triggers: &[Arc<Trigger>]) -> Self {
        let mut table = Self::default();
        let mut by_age: Vec<&Arc<Trigger>> = triggers.iter().collect();
        by_age.sort_by_key(|trigger| trigger.id);
        for trigger in by_age {
            let same = self.entries.get(&trigger.id);
            let hook = match same.filter(|entry| entry.trigger.config == trigger.config) {
                Some(entry) => entry.hook.clone(),
                None => config::read(&trigger.config).map(|(_, hook)| Arc::new(hook)).ok(),
            };
            let path = trigger.config.get("path").and_then(|path| path.as_str());
            if let Some(rest) = path.and_then(|path| behind(path, ROOT)) {
                table.paths.entry(decoded(rest)).or_default().push(trigger.id);
            }
            table.names.entry(trigger.name.clone()).or_default().push(trigger.id);
            table.entries.insert(trigger.id, Entry { trigger: trigger.clone(), hook });
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
            Some(hook) => receive(hook, &Own { id: trigger, name: &entry.trigger.name }, call, now),
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

#[cfg(test)]
mod tests {
    use super::super::tests::trigger;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_changed_is_read_again() {
        let hook = |delivery: &str| trigger(2, "b", json!({ "delivery_id": delivery }));
        let other = trigger(1, "a", json!({ "schema": { "type": "object" } }));
        let read = |table: &Table, id| {
            let entry = &table.entries[&TriggerId::from_u64(id)];
            entry.hook.clone().unwrap()
        };
        let first = Table::default().rebuilt(&[other.clone(), hook("x-one")]);
        let second = first.rebuilt(&[other, hook("x-two")]);
        assert!(Arc::ptr_eq(&read(&first, 1), &read(&second, 1)));
        let named = read(&second, 2).delivery_id.clone().unwrap();
        assert_eq!(named, "x-two");
    }

    #[test]
    fn a_table_shows_no_secret() {
        let verification = json!({ "type": "github", "secret": "k3y" });
        let hook = trigger(1, "a", json!({ "verification": verification }));
        let table = Table::default().rebuilt(&[hook]);
        assert!(!format!("{table:?}").contains("k3y"));
    }
}

//! The paths of a whole project: one path and method belongs to one trigger.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::desired::DesiredTrigger;
use crate::reader::Wrong;

/// The routes that are taken.
#[derive(Default)]
pub struct Routes {
    /// By path without the names of its parameters.
    taken: BTreeMap<String, Vec<Route>>,
}

struct Route {
    /// None: all.
    methods: BTreeSet<String>,
    /// `function "users"`
    owner: String,
}

impl Route {
    fn overlaps(&self, other: &Self) -> bool {
        let any = self.methods.is_empty() || other.methods.is_empty();
        any || !self.methods.is_disjoint(&other.methods)
    }

    fn of(config: &Value, owner: &str) -> Self {
        let methods = config.get("methods").and_then(Value::as_array).into_iter().flatten();
        let methods = methods.filter_map(Value::as_str).map(str::to_ascii_uppercase);
        Self { methods: methods.collect(), owner: owner.to_owned() }
    }
}

/// A path with the names of its parameters left out: two of the same form take the same requests.
fn form(path: &str) -> String {
    let segment = |segment: &str| match segment.strip_prefix('{') {
        Some(name) if name.ends_with("...}") => "{...}".to_owned(),
        Some(_) => "{}".to_owned(),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

impl Routes {
    /// Adds the routes among some triggers, or says which of them are taken and adds none.
    pub fn add(&mut self, owner: &str, triggers: &[DesiredTrigger]) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let mut added: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        let is_routed = |trigger: &&DesiredTrigger| {
            trigger.enabled && ["http", "webhook"].contains(&trigger.kind.as_str())
        };
        for trigger in triggers.iter().filter(is_routed) {
            let Some(path) = trigger.config.get("path").and_then(Value::as_str) else { continue };
            let (form, route) = (form(path), Route::of(&trigger.config, owner));
            let others = self.taken.get(&form).into_iter().flatten();
            let mut others = others.chain(added.get(&form).into_iter().flatten());
            if let Some(other) = others.find(|other| other.overlaps(&route)) {
                let message = if other.owner == owner {
                    format!("the route {path} is claimed twice")
                } else {
                    format!("the route {path} is claimed by {} and by {owner}", other.owner)
                };
                let hint = "give one of them another path or other methods";
                wrong.push(Wrong::new(message).suggest(hint));
            }
            added.entry(form).or_default().push(route);
        }
        if wrong.is_empty() {
            for (form, routes) in added {
                self.taken.entry(form).or_default().extend(routes);
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::{Policy, Target};
    use serde_json::json;

    use super::*;

    fn http(config: Value) -> DesiredTrigger {
        DesiredTrigger {
            name: "a".to_owned(),
            kind: "http".to_owned(),
            config,
            target: Target::function("f"),
            policy: Policy::default(),
            enabled: true,
            written: None,
        }
    }

    #[test]
    fn a_route_is_taken_by_its_form_and_its_methods() {
        let mut routes = Routes::default();
        let taken = json!({ "path": "/a/{id}", "methods": ["GET", "PUT"] });
        assert_eq!(routes.add("f", &[http(taken.clone())]), []);
        let free = [
            json!({ "path": "/a/{id}", "methods": ["POST"] }),
            json!({ "path": "/a/b" }),
            json!({ "path": "/a/{id...}" }),
            json!({ "path": "/a" }),
        ];
        assert_eq!(routes.add("g", &free.map(http)), []);
        let conflicts = [
            json!({ "path": "/a/{name}", "methods": ["PUT"] }),
            json!({ "path": "/a/{name}" }),
            json!({ "path": "/a/{rest...}", "methods": ["GET"] }),
        ];
        assert_eq!(routes.add("h", &conflicts.map(http)).len(), 3);
        let off = DesiredTrigger { enabled: false, ..http(taken) };
        assert_eq!(routes.add("h", &[off]), []);
    }
}

//! Reading what a trigger is made from: all problems at once, each with its field and, for a
//! mistyped name, the nearest one.

use evoke_engine::NewTrigger;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Problem, Target};
use serde_json::{Map, Value, json};

use super::{flat_target, policy};

const FIELDS: [&str; 6] = ["name", "type", "config", "target", "policy", "enabled"];

/// Reads the body of a new trigger.
pub(super) fn read(body: Value) -> Result<NewTrigger, Vec<Problem>> {
    let Value::Object(mut body) = body else {
        return Err(vec![Problem::new("", "expected an object")]);
    };
    let mut problems = Vec::new();
    for name in body.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        let problem = Problem::new(name, "is not a field of a trigger");
        problems.push(problem.suggest(did_you_mean(name, FIELDS)));
    }
    let mut text = |name: &str| match body.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => text,
        other => {
            problems.push(Problem::new(
                name,
                match other {
                    None | Some(Value::Null) => "is required",
                    Some(Value::String(_)) => "may not be empty",
                    Some(_) => "expected a text",
                },
            ));
            String::new()
        }
    };
    let (name, kind) = (text("name"), text("type"));
    let config = match body.remove("config") {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(config @ Value::Object(_)) => config,
        Some(_) => {
            problems.push(Problem::new("config", "expected an object"));
            Value::Null
        }
    };
    let target = read_target(body.remove("target"), &mut problems);
    let policy = policy::read(body.remove("policy"), &mut problems);
    let enabled = match body.remove("enabled") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(flag)) => flag,
        Some(_) => {
            problems.push(Problem::new("enabled", "expected true or false"));
            true
        }
    };
    if problems.is_empty() {
        Ok(NewTrigger { name, kind, config, target, policy, enabled })
    } else {
        Err(problems)
    }
}

/// Reads the body of a change.
pub(super) fn patch(
    trigger: &evoke_model::Trigger,
    patch: Value,
) -> Result<NewTrigger, Vec<Problem>> {
    if !patch.is_object() {
        return Err(vec![Problem::new("", "expected an object")]);
    }
    let mut body = json!({
        "name": trigger.name,
        "type": trigger.kind,
        "config": trigger.config,
        "target": flat_target(&trigger.target),
        "policy": trigger.policy,
        "enabled": trigger.enabled,
    });
    let kind = patch.pointer("/target/type");
    if kind.is_some_and(|kind| *kind != trigger.target.kind) {
        // What the target of another kind had would only be in the way.
        body["target"] = Value::Null;
    }
    merge(&mut body, patch);
    read(body)
}

/// JSON Merge Patch (RFC 7396). The depth is bounded by that of the body, which its reader limits.
fn merge(into: &mut Value, patch: Value) {
    match patch {
        Value::Object(patch) => {
            if !into.is_object() {
                *into = Value::Object(Map::new());
            }
            let Value::Object(object) = into else { return };
            for (name, value) in patch {
                if value.is_null() {
                    object.remove(&name);
                } else {
                    merge(object.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        other => *into = other,
    }
}

fn read_target(target: Option<Value>, problems: &mut Vec<Problem>) -> Target {
    let nothing = Target { kind: String::new(), config: Value::Null };
    let mut target = match target {
        Some(Value::Object(target)) => target,
        None | Some(Value::Null) => {
            let hint = "send {\"type\": \"function\", \"name\": \"...\"}";
            problems.push(Problem::new("target", "is required").suggest(hint));
            return nothing;
        }
        Some(_) => {
            problems.push(Problem::new("target", "expected an object"));
            return nothing;
        }
    };
    match target.remove("type") {
        Some(Value::String(kind)) if !kind.is_empty() => {
            // Both forms are read: the flat one of manifests, and that of the store.
            let nested = target.get("config").is_some_and(Value::is_object) && target.len() == 1;
            let config = if nested { target.remove("config") } else { None };
            Target { kind, config: config.unwrap_or(Value::Object(target)) }
        }
        other => {
            let what = if other.is_some() { "expected the name of a kind" } else { "is required" };
            problems.push(Problem::new("target.type", what));
            nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::Policy;
    use evoke_model::policy::Priority;

    use super::*;

    fn fields(body: Value) -> Vec<String> {
        let problems = read(body).expect_err("a refusal");
        let mut found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_trigger_is_read_as_it_is_written() {
        let new = read(json!({
            "name": "orders", "type": "event", "config": { "match": "order.*" },
            "target": { "type": "http", "url": "https://x.test" },
            "policy": { "retry": { "attempts": 3, "initial": "2s" }, "timeout": 5 },
        }))
        .expect("good");
        assert_eq!(new.target.kind, "http");
        assert_eq!(new.target.config, json!({ "url": "https://x.test" }));
        assert_eq!(new.policy.retry.map(|retry| retry.attempts), Some(3));
        assert!(new.enabled);
        let nested = json!({
            "name": "orders", "type": "event",
            "target": { "type": "http", "config": { "url": "https://x.test" } },
        });
        assert_eq!(read(nested).expect("good").target, new.target);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let found = fields(json!({
            "nmae": "x", "type": "", "config": 7, "target": { "name": "f" }, "enabled": "yes",
            "policy": {
                "retry": { "atempts": 3, "backof": "x" }, "timeout": "soon", "priorty": 1,
                "concurrency": {}, "mode": "sometimes",
            },
        }));
        let mut expected = [
            "nmae: is not a field of a trigger (did you mean \"name\"?)",
            "name: is required",
            "type: may not be empty",
            "config: expected an object",
            "target.type: is required",
            "policy.priorty: is not a field of a policy (did you mean \"priority\"?)",
            "policy.retry.atempts: is not a field of a policy (did you mean \"attempts\"?)",
            "policy.retry.backof: is not a field of a policy (did you mean \"backoff\"?)",
            "policy.concurrency.limit: is required",
            "policy.mode: unknown variant `sometimes`, expected `async` or `sync`",
            "policy.timeout: expected a duration like 250ms, 30s, 5m, 2h or 7d, got \"soon\"",
            "enabled: expected true or false",
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(fields(json!([])), ["expected an object"]);
    }

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let old = evoke_model::Trigger {
            id: evoke_model::TriggerId::from_u64(1),
            name: "orders".into(),
            kind: "event".into(),
            config: json!({ "match": "order.*", "source": "/shop" }),
            target: Target::function("f"),
            policy: Policy { order_by: Some("event.subject".into()), ..Policy::default() },
            enabled: true,
            owner: evoke_model::trigger::Owner::Api,
            created_at: evoke_model::Timestamp::EPOCH,
            updated_at: evoke_model::Timestamp::EPOCH,
            updated_by: None,
            deleted_at: None,
        };
        let change = json!({ "config": { "source": null }, "policy": { "priority": 3 } });
        let new = patch(&old, change).expect("good");
        assert_eq!(new.config, json!({ "match": "order.*" }));
        assert_eq!(new.policy.priority, Priority::Fixed(3));
        assert_eq!(new.policy.order_by, old.policy.order_by);
        assert_eq!((new.name.as_str(), &new.target), ("orders", &old.target));
        let elsewhere = json!({ "target": { "type": "http", "url": "https://x.test" } });
        let elsewhere = patch(&old, elsewhere).expect("good").target;
        assert_eq!(elsewhere.config, json!({ "url": "https://x.test" }));
        assert!(patch(&old, json!({ "name": null })).is_err());
        assert!(patch(&old, json!(null)).is_err());
    }
}

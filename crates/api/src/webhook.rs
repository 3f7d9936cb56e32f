//! Webhooks: triggers of one kind, in the words of the Alyx document.

use evoke_engine::NewTrigger;
use evoke_model::policy::Mode;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Policy, Problem, Rejection, Timestamp, TriggerId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::schemas;
use crate::trigger::{KeptBy, Trigger, TriggerBody};

/// The kind of trigger that a webhook is.
pub const KIND: &str = "webhook";

/// What belongs to the kind's configuration.
const CONFIG: [&str; 6] =
    ["path", "methods", "verification", "skip_invalid", "schema", "delivery_id"];

/// All fields of a body.
const FIELDS: [&str; 13] = [
    "name",
    "function",
    "function_id",
    "target",
    "path",
    "methods",
    "verification",
    "skip_invalid",
    "schema",
    "delivery_id",
    "mode",
    "policy",
    "enabled",
];

/// A webhook: a trigger that takes requests of another service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// The id.
    #[schema(value_type = String, example = "trg_01j9z3k5m7n8p")]
    pub id: TriggerId,
    /// The name.
    pub name: String,
    /// The address the sender is given, as this request reached the server.
    #[schema(example = "http://127.0.0.1:8090/webhooks/stripe")]
    pub url: String,
    /// A path beside `/webhooks/{id}` and `/webhooks/{name}`.
    pub path: Option<String>,
    /// The methods it takes.
    pub methods: Vec<String>,
    /// How requests are verified. Secrets are shown as `***`.
    #[schema(value_type = Object, example = json!({ "type": "stripe", "secret": "***" }))]
    pub verification: Value,
    /// Whether requests that are not verified are let in, with `verified: false`.
    pub skip_invalid: bool,
    /// JSON Schema of the body.
    #[schema(schema_with = schemas::any)]
    pub schema: Value,
    /// The header with the id of the delivery, where it is not that of the verification.
    pub delivery_id: Option<String>,
    /// `async`: logged, and run later. `sync`: the function answers the sender.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// The function it runs; `null` where it has another target.
    pub function: Option<String>,
    /// Where executions go.
    #[schema(value_type = Object)]
    pub target: Value,
    /// Whether it fires.
    pub enabled: bool,
    /// How executions are carried out.
    #[schema(schema_with = schemas::policy)]
    pub policy: Policy,
    /// Who keeps it. Only webhooks made through the API are changed through it.
    pub owner: KeptBy,
    /// When it was created.
    #[schema(schema_with = schemas::time)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(schema_with = schemas::time)]
    pub updated_at: Timestamp,
    /// Who changed it by hand last: the name of an API key, or `local`; `null` where nobody did.
    pub updated_by: Option<String>,
}

impl Webhook {
    /// A trigger that is a webhook, with its configuration as it may be shown. `origin` is scheme
    /// and host of this server as the caller knows it.
    pub fn new(trigger: &evoke_model::Trigger, config: &Value, origin: &str) -> Self {
        let Trigger { target, policy, owner, .. } = Trigger::from(trigger);
        let field = |name: &str| config.get(name).cloned();
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = text("path");
        let place = path.clone().unwrap_or_else(|| format!("/webhooks/{}", trigger.id));
        let methods = match config.get("methods") {
            Some(Value::Array(methods)) => methods.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(method)) => vec![method.as_str()],
            _ => vec!["POST"],
        };
        Self {
            id: trigger.id,
            name: trigger.name.clone(),
            url: format!("{origin}{place}"),
            path,
            methods: methods.into_iter().map(str::to_owned).collect(),
            verification: field("verification").unwrap_or_else(|| json!({ "type": "none" })),
            skip_invalid: field("skip_invalid") == Some(Value::Bool(true)),
            schema: field("schema").unwrap_or_default(),
            delivery_id: text("delivery_id"),
            mode: policy.mode.unwrap_or(Mode::Async),
            function: trigger.target.function_name().map(str::to_owned),
            target,
            enabled: trigger.enabled,
            policy,
            owner,
            created_at: trigger.created_at,
            updated_at: trigger.updated_at,
            updated_by: trigger.updated_by.clone(),
        }
    }
}

/// What a webhook is made from. To change one, send what is to change; `null` takes a field away.
#[derive(ToSchema)]
#[schema(example = json!({
    "path": "/webhooks/stripe", "function": "on-payment",
    "verification": { "type": "stripe", "secret": "whsec_..." },
}))]
pub struct WebhookBody {
    /// The name, unique among the triggers made through the API: part of the type of its events,
    /// `webhook.NAME`. Made of the path, or else the function, if not given.
    pub name: Option<String>,
    /// The function it runs; `function_id` means the same.
    pub function: Option<String>,
    /// Another target than a function; see `/api/kinds`.
    #[schema(value_type = Option<Object>)]
    pub target: Option<Value>,
    /// A path beside `/webhooks/{id}` and `/webhooks/{name}`; begins with `/webhooks/`.
    pub path: Option<String>,
    /// The methods it takes; `POST` if not given.
    pub methods: Option<Vec<String>>,
    /// How requests are verified; see `/api/kinds`. Not at all if not given.
    #[schema(value_type = Option<Object>)]
    pub verification: Option<Value>,
    /// Lets requests in that are not verified, with `verified: false`.
    pub skip_invalid: Option<bool>,
    /// JSON Schema of the body: what does not fit is refused.
    #[schema(schema_with = schemas::any)]
    pub schema: Option<Value>,
    /// The header with the id of the delivery, if it is not that of the verification.
    pub delivery_id: Option<String>,
    /// `async`, the default, or `sync`: the function answers the sender.
    #[schema(value_type = Option<String>)]
    pub mode: Option<Mode>,
    /// How executions are carried out.
    #[schema(schema_with = schemas::policy)]
    pub policy: Option<Policy>,
    /// Whether it fires; true if not given.
    pub enabled: Option<bool>,
}

impl WebhookBody {
    /// Reads the body of a new webhook.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(body: Value) -> Result<NewTrigger, Vec<Problem>> {
        let mut trigger = as_trigger(body)?;
        if trigger.get("name").is_none_or(Value::is_null) {
            trigger["name"] = made_name(&trigger).into();
        }
        trigger["type"] = KIND.into();
        TriggerBody::read(trigger).map_err(flat)
    }

    /// Reads the body of a change: the webhook `old` with `patch` merged in.
    ///
    /// # Errors
    /// Everything that is wrong with the form of the result.
    pub fn patch(old: &evoke_model::Trigger, patch: Value) -> Result<NewTrigger, Vec<Problem>> {
        TriggerBody::patch(old, as_trigger(patch)?).map_err(flat)
    }

    /// A refusal in which the fields stand where the body has them.
    pub fn place(rejection: Rejection) -> Rejection {
        Rejection { problems: flat(rejection.problems), ..rejection }
    }
}

/// The body as that of a trigger, with only what is given.
fn as_trigger(body: Value) -> Result<Value, Vec<Problem>> {
    let Value::Object(mut body) = body else {
        return Err(vec![Problem::new("", "expected an object")]);
    };
    let strangers = body.keys().filter(|name| !FIELDS.contains(&name.as_str()));
    let mut problems: Vec<Problem> = strangers
        .map(|name| {
            let problem = Problem::new(name, "is not a field of a webhook");
            problem.suggest(did_you_mean(name, FIELDS))
        })
        .collect();
    let mut trigger = Map::new();
    let config: Map<String, Value> =
        CONFIG.iter().filter_map(|name| Some(((*name).to_owned(), body.remove(*name)?))).collect();
    trigger.insert("config".to_owned(), config.into());
    let functions = ["function", "function_id"].map(|name| (name, body.remove(name)));
    for (name, function) in functions {
        let Some(function) = function else { continue };
        let target = json!({ "type": "function", "name": function });
        if body.contains_key("target") {
            problems
                .push(Problem::new(name, "says the same as \"target\", which is given as well"));
        }
        body.insert("target".to_owned(), target);
    }
    if let Some(mode) = body.remove("mode") {
        match body.entry("policy").or_insert_with(|| json!({})) {
            Value::Object(policy) => drop(policy.insert("mode".to_owned(), mode)),
            Value::Null => drop(body.insert("policy".to_owned(), json!({ "mode": mode }))),
            // What it is instead is told by its reader.
            _ => {}
        }
    }
    for name in ["name", "target", "policy", "enabled"] {
        trigger.extend(body.remove(name).map(|value| (name.to_owned(), value)));
    }
    if problems.is_empty() { Ok(Value::Object(trigger)) } else { Err(problems) }
}

/// `stripe` for `/webhooks/stripe`; the function's name where there is no path.
fn made_name(trigger: &Value) -> String {
    let path = trigger["config"]["path"].as_str().unwrap_or_default();
    let path = path.trim_start_matches("/webhooks").trim_matches('/').replace('/', "-");
    let function = trigger["target"]["name"].as_str().unwrap_or_default();
    [path.as_str(), function].into_iter().find(|name| !name.is_empty()).unwrap_or(KIND).to_owned()
}

/// Problems of a trigger with the fields of a webhook.
fn flat(problems: Vec<Problem>) -> Vec<Problem> {
    let place = |problem: Problem| {
        let field = match problem.field.as_str() {
            "policy.mode" => "mode",
            "target.name" => "function",
            field => field.strip_prefix("config.").unwrap_or(field),
        };
        Problem { field: field.to_owned(), ..problem }
    };
    problems.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_read_as_a_trigger() {
        let new = WebhookBody::read(json!({
            "path": "/webhooks/shop/orders", "function_id": "f", "mode": "sync",
            "verification": { "type": "github", "secret": "s" }, "policy": { "timeout": "5s" },
        }))
        .expect("good");
        assert_eq!((new.name.as_str(), new.kind.as_str()), ("shop-orders", KIND));
        assert_eq!(new.target.function_name(), Some("f"));
        assert_eq!(new.policy.mode, Some(Mode::Sync));
        assert!(new.policy.timeout.is_some());
        let config = json!({
            "path": "/webhooks/shop/orders", "verification": { "type": "github", "secret": "s" },
        });
        assert_eq!(new.config, config);
        let named = WebhookBody::read(json!({ "function": "on-payment" })).expect("good");
        assert_eq!(named.name, "on-payment");
    }

    #[test]
    fn what_is_wrong_is_told_where_the_body_has_it() {
        for (body, field) in [
            (json!({ "function": "f", "pth": "/x" }), "pth"),
            (json!({ "function": "f", "mode": "later" }), "mode"),
            (json!({ "function": 7 }), "function"),
            (json!({ "function": "f", "target": {} }), "function"),
            (json!({ "path": "/webhooks/x" }), "target"),
            (json!([]), ""),
        ] {
            let problems = match WebhookBody::read(body.clone()) {
                Err(problems) => problems,
                Ok(new) => {
                    assert_eq!((field, new.target.config), ("function", json!({ "name": 7 })));
                    continue;
                }
            };
            assert_eq!(problems[0].field, field, "{body}");
        }
        let rejection = Rejection::of(
            evoke_model::Code::InvalidTrigger,
            vec![Problem::new("config.verification.secret", "is missing")],
        );
        assert_eq!(WebhookBody::place(rejection).problems[0].field, "verification.secret");
    }

    #[test]
    fn a_change_replaces_the_target_and_keeps_the_rest() {
        let new = WebhookBody::read(json!({
            "target": { "type": "http", "url": "https://x.test" }, "path": "/webhooks/a",
        }))
        .expect("good");
        let old = evoke_model::Trigger {
            id: TriggerId::from_u64(1),
            name: new.name,
            kind: new.kind,
            config: new.config,
            target: new.target,
            policy: new.policy,
            enabled: true,
            owner: evoke_model::trigger::Owner::Api,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
            updated_by: None,
            deleted_at: None,
        };
        let change = json!({ "function": "f", "path": null, "mode": "sync" });
        let changed = WebhookBody::patch(&old, change).expect("good");
        assert_eq!(changed.target, evoke_model::Target::function("f"));
        assert_eq!(changed.config, json!({}));
        assert_eq!((changed.name.as_str(), changed.policy.mode), ("a", Some(Mode::Sync)));
        let shown = Webhook::new(&old, &old.config, "http://h:1");
        assert_eq!(shown.url, "http://h:1/webhooks/a");
        assert_eq!(shown.methods, ["POST"]);
    }
}

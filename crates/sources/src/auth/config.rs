use evoke_model::Problem;
use evoke_model::suggest::did_you_mean;
use evoke_model::trigger::Subscription;
use evoke_ports::Fields;
use serde_json::{Value, json};

const EVENTS: &[&str] = &["events", "event", "actions", "action"];

/// What users do.
pub(super) const ACTIONS: [&str; 5] =
    ["signup", "login", "logout", "password_reset", "email_verify"];

/// The same by other names.
pub(super) const ALIASES: [(&str, &str); 2] = [("onUserCreate", "signup"), ("onLogin", "login")];

/// The configuration in its canonical form: all the actions that are wanted.
pub(super) fn check(config: &Value) -> Result<Value, Vec<Problem>> {
    let mut fields = Fields::new(config, EVENTS);
    let events = events(&mut fields);
    fields.finish(json!({ "events": events }))
}

fn events(fields: &mut Fields<'_>) -> Vec<&'static str> {
    let Some((name, value)) = fields.one_of(EVENTS) else { return ACTIONS.to_vec() };
    let given = fields.texts_of(name, value);
    if given == ["*"] {
        return ACTIONS.to_vec();
    }
    let mut wanted = Vec::new();
    for (place, text) in given.into_iter().enumerate() {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == text);
        let canonical = alias.map_or(text, |(_, canonical)| canonical);
        if ACTIONS.contains(&canonical) {
            wanted.push(canonical);
            continue;
        }
        let field = if value.is_array() { format!("{name}[{place}]") } else { name.to_owned() };
        let problem = Problem::new(field, format!("{text:?} is nothing that users do"));
        let names = ACTIONS.into_iter().chain(ALIASES.map(|(alias, _)| alias));
        fields.problem(problem.suggest(did_you_mean(text, names)));
    }
    ACTIONS.into_iter().filter(|action| wanted.contains(action)).collect()
}

fn wanted(config: &Value) -> impl Iterator<Item = &str> {
    config.get("events").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What a checked configuration wants. What was refused has another type, which none of them takes.
pub(super) fn subscription(config: &Value) -> Subscription {
    let kinds: Vec<String> = wanted(config).map(|action| format!("auth.{action}")).collect();
    Subscription {
        kind: Some(kinds.join("|")),
        source: Some("/auth".to_owned()),
        ..Subscription::default()
    }
}

/// An action that a checked configuration wants.
pub(super) fn sample(config: &Value) -> String {
    wanted(config).next().unwrap_or(ACTIONS[0]).to_owned()
}

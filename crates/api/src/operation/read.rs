//! Reading what is asked for: all problems at once, each with its field.

use evoke_engine::{DeadLetterFilter, Redrive, Replay, ReplayTo};
use evoke_model::policy::Rate;
use evoke_model::{ExecutionId, Problem, Redirect};
use evoke_ports::fields::Fields;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Asked;

const REDRIVE: &[&str] = &[
    "cause",
    "trigger",
    "function",
    "ids",
    "since",
    "until",
    "filter",
    "to",
    "rate",
    "stop_after",
    "limit",
    "dry_run",
];

const REPLAY: &[&str] =
    &["type", "source", "subject", "since", "until", "filter", "to", "rate", "limit", "dry_run"];

pub(super) fn redrive(body: &Value) -> Result<Asked<Redrive>, Vec<Problem>> {
    let mut fields = Fields::new(body, REDRIVE);
    let cause = text(&mut fields, "cause").and_then(|text| {
        let cause = text.parse().ok().filter(|_| text.len() == 16);
        if cause.is_none() {
            let message = format!("expected 16 hexadecimal digits, got {text:?}");
            fields.problem(Problem::new("cause", message));
        }
        cause
    });
    let trigger = text(&mut fields, "trigger");
    let filter = DeadLetterFilter {
        trigger: None,
        function: text(&mut fields, "function"),
        cause,
        ids: ids(&mut fields),
        since: fields.read("since"),
        until: fields.read("until"),
        filter: text(&mut fields, "filter"),
    };
    let to = within(&mut fields, "to", &["function", "version"], redirect);
    let request = Redrive {
        filter,
        to: to.flatten(),
        rate: rate(&mut fields),
        stop_after: fields.read("stop_after"),
        limit: limit(&mut fields),
    };
    let is_dry_run = fields.read("dry_run").unwrap_or(false);
    fields.finish(Asked { request, trigger, is_dry_run })
}

pub(super) fn replay(body: &Value) -> Result<Asked<Replay>, Vec<Problem>> {
    let mut fields = Fields::new(body, REPLAY);
    let to = within(&mut fields, "to", &["trigger", "function", "version"], target);
    let (to, trigger) = to.unwrap_or_default();
    let request = Replay {
        kind: text(&mut fields, "type"),
        source: text(&mut fields, "source"),
        subject: text(&mut fields, "subject"),
        since: fields.read("since"),
        until: fields.read("until"),
        filter: text(&mut fields, "filter"),
        to,
        rate: rate(&mut fields),
        limit: limit(&mut fields),
    };
    let is_dry_run = fields.read("dry_run").unwrap_or(false);
    fields.finish(Asked { request, trigger, is_dry_run })
}

/// A text that is not empty where it is given: an empty filter is a slip, and would take all.
fn text(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    fields.get(name)?;
    fields.required_text(name).map(str::to_owned)
}

/// Reads an object within the body; its problems have its name before their field.
fn within<'a, T>(
    fields: &mut Fields<'a>,
    name: &str,
    known: &'static [&'static str],
    read: impl FnOnce(&mut Fields<'a>) -> T,
) -> Option<T> {
    let mut inner = Fields::new(fields.get(name)?, known);
    let value = read(&mut inner);
    match inner.finish(value) {
        Ok(value) => Some(value),
        Err(problems) => {
            for problem in problems {
                let path = match problem.field.as_str() {
                    "" => name.to_owned(),
                    field => format!("{name}.{field}"),
                };
                fields.problem(Problem { field: path, ..problem });
            }
            None
        }
    }
}

fn redirect(to: &mut Fields<'_>) -> Option<Redirect> {
    let version = to.read("version");
    let function = to.required_text("function")?.into();
    Some(Redirect { function, version })
}

/// Who gets replayed events, and the trigger among them by its name.
fn target(to: &mut Fields<'_>) -> (ReplayTo, Option<String>) {
    let [has_trigger, has_function, has_version] =
        ["trigger", "function", "version"].map(|name| to.get(name).is_some());
    let function = if has_function { redirect(to) } else { None };
    let trigger = text(to, "trigger");
    match (has_trigger, has_function, has_version) {
        (true, true, _) => to.problem(Problem::new("", "names a trigger and a function")),
        (true, false, true) => to.problem(Problem::new("version", "a trigger has no version")),
        (false, false, _) => {
            to.problem(Problem::new("", "names neither a trigger nor a function"));
        }
        (true, false, false) | (false, true, _) => {}
    }
    (function.map_or(ReplayTo::Matching, ReplayTo::Function), trigger)
}

fn rate(fields: &mut Fields<'_>) -> Option<Rate> {
    within(fields, "rate", &["limit", "per", "burst"], |rate| {
        let limit = required(rate, "limit");
        let per = required(rate, "per");
        let burst = rate.read("burst");
        Some(Rate { limit: limit?, per: per?, key: None, burst })
    })
    .flatten()
}

fn required<T: DeserializeOwned>(fields: &mut Fields<'_>, name: &str) -> Option<T> {
    if fields.get(name).is_none() {
        fields.problem(Problem::new(name, "is required"));
    }
    fields.read(name)
}

fn limit(fields: &mut Fields<'_>) -> Option<u64> {
    let limit = fields.read("limit")?;
    if limit == 0 {
        fields.problem(Problem::new("limit", "must be at least 1"));
    }
    Some(limit)
}

fn ids(fields: &mut Fields<'_>) -> Vec<ExecutionId> {
    let Some(given) = fields.get("ids") else { return Vec::new() };
    let Some(items) = given.as_array().filter(|items| !items.is_empty()) else {
        fields.problem(Problem::new("ids", "expected a list of at least one id"));
        return Vec::new();
    };
    let mut ids = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let name = format!("ids[{place}]");
        match item.as_str().map(str::parse) {
            Some(Ok(id)) => ids.push(id),
            Some(Err(error)) => {
                let error: <ExecutionId as std::str::FromStr>::Err = error;
                fields.problem(Problem::new(name, error.to_string()));
            }
            None => fields.problem(Problem::new(name, "expected the id of an execution")),
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use evoke_model::Millis;
    use serde_json::json;

    use super::*;

    fn told<T: std::fmt::Debug>(read: Result<T, Vec<Problem>>) -> Vec<String> {
        read.expect_err("a refusal").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_redrive_is_read_as_it_is_written() {
        let asked = redrive(&json!({
            "cause": "00000000000000ff", "trigger": "orders", "function": "bill",
            "since": "2026-12-01T00:00:00Z", "filter": "event.data.n > 1",
            "to": { "function": "mend", "version": 2 }, "rate": { "limit": 5, "per": "1m" },
            "stop_after": 0, "limit": 10, "dry_run": true,
        }))
        .expect("good");
        assert_eq!(asked.trigger.as_deref(), Some("orders"));
        assert!(asked.is_dry_run);
        let Redrive { filter, to, rate, stop_after, limit } = asked.request;
        assert_eq!(filter.cause, Some(evoke_model::Cause(255)));
        assert_eq!(filter.function.as_deref(), Some("bill"));
        assert_eq!(to, Some(Redirect { function: "mend".into(), version: Some(2) }));
        let per = Millis::from_secs(60);
        assert_eq!(rate, Some(Rate { limit: 5, per, key: None, burst: None }));
        assert_eq!((stop_after, limit), (Some(0), Some(10)));
        assert_eq!(redrive(&json!({})).expect("all of them").request, Redrive::default());
    }

    #[test]
    fn everything_that_is_wrong_with_a_redrive_is_told_at_once() {
        let problems = told(redrive(&json!({
            "casue": "x", "cause": "ff", "trigger": "", "ids": ["exe_1", 7], "since": "noon",
            "to": { "versoin": 1 }, "rate": { "limit": 0.5 }, "limit": 0, "dry_run": "yes",
        })));
        let fields: Vec<_> = problems.iter().map(|told| told.split(": ").next()).collect();
        let expected = [
            "casue",
            "cause",
            "trigger",
            "ids[0]",
            "ids[1]",
            "since",
            "to.versoin",
            "to.function",
            "rate.per",
            "rate.limit",
            "limit",
            "dry_run",
        ];
        let mut fields: Vec<_> = fields.into_iter().flatten().collect();
        let mut expected = expected.to_vec();
        fields.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert!(problems[0].contains("did you mean \"cause\"?"), "{problems:?}");
        assert_eq!(told(redrive(&json!([]))), ["expected an object"]);
        assert_eq!(told(redrive(&json!({ "ids": [] }))).len(), 1, "an empty list is no filter");
    }

    #[test]
    fn a_replay_goes_to_all_or_one() {
        let to = |to: Value| replay(&json!({ "to": to }));
        let asked = replay(&json!({ "type": "order.*" })).expect("good");
        assert_eq!(asked.request.to, ReplayTo::Matching);
        assert_eq!(asked.request.kind.as_deref(), Some("order.*"));
        let asked = to(json!({ "trigger": "orders" })).expect("good");
        assert_eq!(asked.trigger.as_deref(), Some("orders"));
        let asked = to(json!({ "function": "bill" })).expect("good");
        let bill = Redirect { function: "bill".into(), version: None };
        assert_eq!((asked.request.to, asked.trigger), (ReplayTo::Function(bill), None));
        for (wrong, told_as) in [
            (json!({}), "to: names neither a trigger nor a function"),
            (json!({ "trigger": "a", "function": "b" }), "to: names a trigger and a function"),
            (json!({ "trigger": "a", "version": 1 }), "to.version: a trigger has no version"),
            (json!("bill"), "to: expected an object"),
            (json!({ "function": "" }), "to.function: may not be empty"),
        ] {
            assert!(told(to(wrong.clone())).contains(&told_as.to_owned()), "{wrong}");
        }
    }
}

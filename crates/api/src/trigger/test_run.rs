//! What a test run of a trigger is given.

use evoke_engine::TestEvent;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Data, Problem};
use serde_json::Value;
use utoipa::ToSchema;

use crate::schemas;

const FIELDS: [&str; 3] = ["type", "subject", "data"];
/// As for any event.
const TEXT_BYTES_MAX: usize = 1_024;

/// The event of a test run.
#[derive(ToSchema)]
#[schema(example = json!({ "data": { "total": 129.95 } }))]
pub struct TestBody {
    /// What happened; `test.<name of the trigger>` if not given.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 1024)]
    pub kind: Option<String>,
    /// What it happened to.
    #[schema(min_length = 1, max_length = 1024)]
    pub subject: Option<String>,
    /// The payload: any JSON.
    #[schema(schema_with = schemas::any, required = false)]
    pub data: Value,
}

impl TestBody {
    /// Reads the body of a test run.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: Value) -> Result<TestEvent, Vec<Problem>> {
        let Value::Object(mut body) = body else {
            return Err(vec![Problem::new("", "expected an object")]);
        };
        let unknown = body.keys().filter(|name| !FIELDS.contains(&name.as_str()));
        let mut problems: Vec<_> = unknown
            .map(|name| {
                let problem = Problem::new(name, "is not a field of a test event");
                problem.suggest(did_you_mean(name, FIELDS))
            })
            .collect();
        let mut text = |name: &str| match body.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if (1..=TEXT_BYTES_MAX).contains(&text.len()) => {
                Some(text.into())
            }
            Some(_) => {
                let wanted = format!("expected a text of 1 to {TEXT_BYTES_MAX} bytes");
                problems.push(Problem::new(name, wanted));
                None
            }
        };
        let (kind, subject) = (text("type"), text("subject"));
        if !problems.is_empty() {
            return Err(problems);
        }
        let data = body.remove("data").map_or(Data::None, |data| Data::from_value(&data));
        Ok(TestEvent { kind, subject, data })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_and_everything_wrong_with_it_is_said() {
        assert_eq!(TestBody::read(json!({})), Ok(TestEvent::default()));
        let given = json!({ "type": "order.created", "subject": "7", "data": { "n": 1 } });
        let read = TestBody::read(given).expect("an event");
        assert_eq!(read.kind.as_deref(), Some("order.created"));
        assert_eq!(read.subject.as_deref(), Some("7"));
        assert_eq!(read.data, Data::from_value(&json!({ "n": 1 })));
        let problems = TestBody::read(json!({ "type": "", "dat": 1, "subject": 1 }))
            .expect_err("three problems");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["dat", "type", "subject"]);
        assert!(problems[0].suggestion.as_deref().is_some_and(|text| text.contains("data")));
        assert_eq!(TestBody::read(json!([])).expect_err("no object").len(), 1);
    }
}

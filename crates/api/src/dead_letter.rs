//! Dead letters: by cause, and what is given to edit one.

use evoke_model::{Data, ExecutionId, Problem, Timestamp, TriggerId};
use evoke_ports::fields::Fields;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::execution::Failure;
use crate::schemas;

/// Dead letters of one trigger with one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterGroup {
    /// The cause: a fingerprint of the error, 16 hexadecimal digits.
    #[schema(example = "9f86d081884c7d65")]
    pub cause: String,
    /// The trigger.
    #[schema(value_type = String, example = "trg_01j9z3k5m7n8p")]
    pub trigger_id: TriggerId,
    /// Its name.
    pub trigger_name: Option<String>,
    /// The function it runs; `null` for other targets.
    pub function: Option<String>,
    /// How many there are.
    pub count: u64,
    /// When the event of the oldest was accepted.
    #[schema(schema_with = schemas::time)]
    pub first_at: Timestamp,
    /// When the event of the newest was accepted.
    #[schema(schema_with = schemas::time)]
    pub last_at: Timestamp,
    /// What the newest died of.
    pub error: Option<Failure>,
    /// The newest.
    #[schema(value_type = String, example = "exe_01j9z3k5m7n8p01j9z3k5m7n8p")]
    pub sample_id: ExecutionId,
}

impl From<evoke_engine::DeadLetterGroup> for DeadLetterGroup {
    fn from(group: evoke_engine::DeadLetterGroup) -> Self {
        let error =
            group.sample.as_ref().map(|failure| Failure { stack: None, ..Failure::from(failure) });
        Self {
            cause: group.cause.to_string(),
            trigger_id: group.trigger_id,
            trigger_name: group.trigger.as_ref().map(|trigger| trigger.name.clone()),
            function: group.function.as_deref().map(str::to_owned),
            count: group.count,
            first_at: group.first_at,
            last_at: group.last_at,
            error,
            sample_id: group.sample_id,
        }
    }
}

/// What a dead letter gets from now on.
#[derive(ToSchema)]
#[schema(example = json!({ "data": { "total": 129.95 } }))]
pub struct DeadLetterEdit {
    /// In the place of its event's data: any JSON.
    #[schema(schema_with = schemas::any)]
    pub data: Value,
}

impl DeadLetterEdit {
    /// Reads the body of an edit.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(body: &Value) -> Result<Data, Vec<Problem>> {
        let mut fields = Fields::new(body, &["data"]);
        // `null` is a payload like any other.
        let data = body.get("data");
        if data.is_none() {
            fields.problem(Problem::new("data", "is required"));
        }
        fields.finish(data.map_or(Data::None, Data::from_value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edit_has_data_and_nothing_else() {
        let data = json!({ "n": 1 });
        assert_eq!(DeadLetterEdit::read(&json!({ "data": data })), Ok(Data::from_value(&data)));
        let null = Data::from_value(&Value::Null);
        assert_eq!(DeadLetterEdit::read(&json!({ "data": null })), Ok(null));
        let problems = DeadLetterEdit::read(&json!({ "dat": 1 })).expect_err("two problems");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["dat", "data"]);
        assert!(DeadLetterEdit::read(&json!([1])).is_err());
    }
}

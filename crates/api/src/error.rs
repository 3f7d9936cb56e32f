//! The one form of every error.

use evoke_model::{Code, Millis, Problem, Rejection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Error,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Error {
    /// The code; each has a page in the documentation.
    #[schema(value_type = String, example = "EV_001")]
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
    /// Everything that is wrong with what was sent, field by field.
    #[schema(value_type = Vec<FieldProblem>)]
    pub problems: Vec<Problem>,
    /// The id of the request, as in `X-Request-Id`.
    pub request_id: String,
    /// The page of the code.
    #[schema(example = "/docs/errors/EV_001")]
    pub docs: String,
    /// The stack of a failed function; only in development.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

/// One thing that is wrong with what was sent.
#[derive(ToSchema)]
#[schema(as = Problem)]
pub struct FieldProblem {
    /// Path of the field: `events[2].type`; empty when it is the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub suggestion: Option<String>,
}

impl ErrorBody {
    /// The body of a refusal.
    pub fn new(rejection: &Rejection, request_id: &str) -> Self {
        Self {
            error: Error {
                code: rejection.code,
                message: rejection.message.clone(),
                problems: rejection.problems.clone(),
                request_id: request_id.to_owned(),
                docs: docs(rejection.code),
                stack: None,
            },
        }
    }

    /// With the stack of the function that failed.
    #[must_use]
    pub fn with_stack(mut self, stack: Option<String>) -> Self {
        self.error.stack = stack;
        self
    }
}

/// Where the page of a code is.
pub fn docs(code: Code) -> String {
    format!("/docs/errors/{code}")
}

/// The seconds of a `Retry-After` header: rounded up, so that nobody comes too early.
pub fn retry_after_secs(wait: Millis) -> u64 {
    wait.as_u64().div_ceil(1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_documented_one() {
        let problem = Problem::new("type", "is required").suggest("you wrote \"typ\"");
        let body = ErrorBody::new(&Rejection::of(Code::InvalidEvent, vec![problem]), "req_1");
        let expected = serde_json::json!({ "error": {
            "code": "EV_001",
            "message": "type: is required (you wrote \"typ\")",
            "problems": [
                { "field": "type", "message": "is required", "suggestion": "you wrote \"typ\"" },
            ],
            "request_id": "req_1",
            "docs": "/docs/errors/EV_001",
        }});
        assert_eq!(serde_json::to_value(body).expect("json"), expected);
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (millis, secs) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(retry_after_secs(Millis::new(millis)), secs);
        }
    }
}

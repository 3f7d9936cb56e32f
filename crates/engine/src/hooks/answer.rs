//! What a hook says: yes, no, or yes with another document.

use evoke_model::{Code, Data, Problem, Rejection};
use serde::Deserialize;
use serde_json::Value;

/// The status of a refusal that names none.
const STATUS_DEFAULT: u16 = Code::HookRejected.status();
const MESSAGE_LEN_MAX: usize = 2_000;
const PROBLEMS_MAX: usize = 100;

/// What a hook says.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Verdict {
    /// The change may be made; with this document instead, if there is one.
    Agreed(Option<Value>),
    /// It may not.
    Refused(Rejection),
}

/// The refusal of a hook that gives more than a word.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Written {
    message: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    problems: Vec<Problem>,
}

/// What the value says that a hook returned.
///
/// # Errors
/// What cannot be understood of it. A hook that cannot be understood has not agreed.
pub(super) fn of_value(data: &Data) -> Result<Verdict, String> {
    let Value::Object(mut fields) = data.to_value() else { return Ok(Verdict::Agreed(None)) };
    let written = match fields.remove("reject") {
        None | Some(Value::Null | Value::Bool(false)) => {
            return match fields.remove("document") {
                None | Some(Value::Null) => Ok(Verdict::Agreed(None)),
                Some(document @ Value::Object(_)) => Ok(Verdict::Agreed(Some(document))),
                Some(_) => Err("`document` must be an object".to_owned()),
            };
        }
        Some(Value::Bool(true)) => Written::default(),
        Some(Value::String(message)) => Written { message: Some(message), ..Written::default() },
        Some(object @ Value::Object(_)) => serde_json::from_value(object)
            .map_err(|error| format!("`reject` has {{message, status, problems}}: {error}"))?,
        Some(_) => return Err("`reject` must be true, a text or an object".to_owned()),
    };
    let status = written.status.unwrap_or(STATUS_DEFAULT);
    if !(400..=499).contains(&status) {
        return Err(format!("`reject.status` must be 400 to 499, not {status}"));
    }
    Ok(Verdict::Refused(refusal(status, written)))
}

/// What a web response says: a status from 400 is a refusal, with the body as its reason.
///
/// # Errors
/// The hook failed.
pub(super) fn of_response(status: u16, body: &[u8]) -> Result<Verdict, String> {
    match status {
        0..=399 => of_value(&Data::Json(bytes::Bytes::copy_from_slice(body))),
        400..=499 => {
            let written = serde_json::from_slice(body).unwrap_or_else(|_| {
                let text = String::from_utf8_lossy(body);
                let message = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                Written { message, ..Written::default() }
            });
            Ok(Verdict::Refused(refusal(status, written)))
        }
        _ => Err(format!("it answered with status {status}")),
    }
}

fn refusal(status: u16, written: Written) -> Rejection {
    let Written { message, mut problems, .. } = written;
    problems.truncate(PROBLEMS_MAX);
    let mut rejection = Rejection::of(Code::HookRejected, problems);
    if let Some(message) = message {
        rejection.message = message.chars().take(MESSAGE_LEN_MAX).collect();
    }
    rejection.status = Some(status).filter(|status| *status != STATUS_DEFAULT);
    rejection
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(value: &Value) -> (u16, String, usize) {
        match of_value(&Data::from_value(value)) {
            Ok(Verdict::Refused(no)) => {
                (no.status.unwrap_or(STATUS_DEFAULT), no.message, no.problems.len())
            }
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn whatever_is_no_refusal_agrees() {
        for value in [json!(null), json!(true), json!({}), json!({"ok": 1}), json!([{"reject": 1}])]
        {
            assert_eq!(of_value(&Data::from_value(&value)), Ok(Verdict::Agreed(None)), "{value}");
        }
        assert_eq!(of_value(&Data::None), Ok(Verdict::Agreed(None)));
        let document = json!({"reject": false, "document": {"a": 1}});
        let changed = Verdict::Agreed(Some(json!({"a": 1})));
        assert_eq!(of_value(&Data::from_value(&document)), Ok(changed));
    }

    #[test]
    fn a_refusal_may_say_why() {
        let title = Code::HookRejected.title();
        assert_eq!(refused(&json!({"reject": true})), (422, title.to_owned(), 0));
        assert_eq!(refused(&json!({"reject": "no"})), (422, "no".to_owned(), 0));
        let whole = json!({"reject": {
            "message": "taken", "status": 409,
            "problems": [{"field": "email", "message": "is taken"}],
        }});
        assert_eq!(refused(&whole), (409, "taken".to_owned(), 1));
        let response = of_response(403, b"go away\n");
        let Ok(Verdict::Refused(no)) = response else { panic!("{response:?}") };
        assert_eq!((no.status, no.message.as_str()), (Some(403), "go away"));
    }

    #[test]
    fn what_cannot_be_understood_has_not_agreed() {
        for value in [
            json!({"reject": 1}),
            json!({"reject": {"status": 200}}),
            json!({"reject": {"status": 500}}),
            json!({"reject": {"mesage": "x"}}),
            json!({"document": "x"}),
        ] {
            assert!(of_value(&Data::from_value(&value)).is_err(), "{value}");
        }
        assert!(of_response(500, b"").is_err());
    }
}

//! What a function answered for a batch: which of the executions failed.
//!
//! Two forms are understood: our own, and that of functions written for Amazon SQS
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>):
//!
//! ```json
//! { "failed": ["evt_01j9z3k5m7n8p", { "id": "evt_01j9z3k5m7n8q", "error": "no stock" }, 3] }
//! { "batchItemFailures": [{ "itemIdentifier": "evt_01j9z3k5m7n8p" }] }
//! ```
//!
//! Any other answer says that nothing failed. A list that cannot be read makes the whole batch
//! fail: better twice than lost.

use std::collections::BTreeMap;

use serde_json::Value;

/// An execution of a batch that failed while others may have worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedItem {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What went wrong, if the function said so.
    pub message: Option<String>,
}

/// Reads which items failed, each once and in the order of the batch. `ids` are the ids of the
/// batch's events, as the function got them.
///
/// # Errors
///
/// Why the list cannot be read, in a sentence; the whole batch then counts as failed.
pub fn failed_items(answer: &Value, ids: &[&str]) -> Result<Vec<FailedItem>, String> {
    let (name, list, read): (_, _, Read) =
        match (answer.get("failed"), answer.get("batchItemFailures")) {
            (Some(list), _) => ("failed", list, own_form),
            (None, Some(list)) => ("batchItemFailures", list, sqs_form),
            (None, None) => return Ok(Vec::new()),
        };
    let items = list
        .as_array()
        .ok_or_else(|| format!("`{name}` of the answer is not a list but {list}"))?;
    let mut failed = BTreeMap::new();
    for item in items {
        let FailedItem { index, message } = read(item, ids).ok_or_else(|| {
            format!("`{name}` of the answer holds {item}, which is not in the batch")
        })?;
        let known: &mut Option<String> = failed.entry(index).or_default();
        *known = known.take().or(message);
    }
    Ok(failed.into_iter().map(|(index, message)| FailedItem { index, message }).collect())
}

/// Reads one item; `None` if it names none of the batch.
type Read = fn(&Value, &[&str]) -> Option<FailedItem>;

fn own_form(item: &Value, ids: &[&str]) -> Option<FailedItem> {
    let (name, message) = match item {
        Value::Object(fields) => (fields.get("id")?, fields.get("error").map(text)),
        name => (name, None),
    };
    let index = match name {
        Value::Number(place) => usize::try_from(place.as_u64()?).ok().filter(|i| *i < ids.len())?,
        name => place_of(name, ids)?,
    };
    Some(FailedItem { index, message })
}

fn sqs_form(item: &Value, ids: &[&str]) -> Option<FailedItem> {
    let index = place_of(item.get("itemIdentifier")?, ids)?;
    Some(FailedItem { index, message: None })
}

fn place_of(name: &Value, ids: &[&str]) -> Option<usize> {
    let name = name.as_str()?;
    ids.iter().position(|id| *id == name)
}

fn text(message: &Value) -> String {
    message.as_str().map_or_else(|| message.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const IDS: [&str; 4] = ["evt_a", "evt_b", "evt_c", "evt_d"];

    fn failed(answer: &Value) -> Vec<(usize, Option<String>)> {
        let items = failed_items(answer, &IDS).expect("it can be read");
        items.into_iter().map(|item| (item.index, item.message)).collect()
    }

    #[test]
    fn both_forms_are_read_each_item_once_in_the_order_of_the_batch() {
        let no = |index| (index, None);
        let said = |index, message: &str| (index, Some(message.to_owned()));
        for (answer, items) in [
            (json!({ "failed": [] }), vec![]),
            (json!({ "failed": ["evt_c", "evt_a"] }), vec![no(0), no(2)]),
            (
                json!({ "failed": [3, { "id": "evt_b", "error": "boom" }] }),
                vec![said(1, "boom"), no(3)],
            ),
            (
                json!({ "failed": [{ "id": 0, "error": { "code": 7 } }] }),
                vec![said(0, "{\"code\":7}")],
            ),
            (
                json!({ "failed": ["evt_a", 0, { "id": "evt_a", "error": "x" }] }),
                vec![said(0, "x")],
            ),
            (json!({ "batchItemFailures": [{ "itemIdentifier": "evt_d" }] }), vec![no(3)]),
            (json!({ "batchItemFailures": [] }), vec![]),
        ] {
            assert_eq!(failed(&answer), items, "{answer}");
        }
    }

    #[test]
    fn any_other_answer_says_that_nothing_failed() {
        for answer in [json!(null), json!("ok"), json!([1, 2]), json!({ "done": 3 }), json!(7)] {
            assert_eq!(failed(&answer), [], "{answer}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_fails_the_batch() {
        for answer in [
            json!({ "failed": "evt_a" }),
            json!({ "failed": null }),
            json!({ "failed": ["evt_x"] }),
            json!({ "failed": [4] }),
            json!({ "failed": [-1] }),
            json!({ "failed": [1.5] }),
            json!({ "failed": [{ "error": "boom" }] }),
            json!({ "failed": [["evt_a"]] }),
            json!({ "batchItemFailures": { "itemIdentifier": "evt_a" } }),
            json!({ "batchItemFailures": ["evt_a"] }),
            json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }),
        ] {
            let sentence = failed_items(&answer, &IDS).expect_err("it cannot be read");
            assert!(sentence.contains(" of the answer "), "{sentence}");
        }
    }
}

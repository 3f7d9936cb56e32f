//! What a function answered for a batch: which of the executions failed.

use serde_json::Value;

/// An execution of a batch that failed while others may have worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedItem {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What went wrong, if the function said so.
    pub message: Option<String>,
}

/// Reads which items failed.
///
/// # Errors
///
/// The list cannot be read, in a sentence; the whole batch then counts as failed.
pub fn failed_items(answer: &Value, ids: &[&str]) -> Result<Vec<FailedItem>, String> {
    let (list, read): (_, fn(&Value, &[&str]) -> Result<FailedItem, String>) =
        match (answer.get("failed"), answer.get("batchItemFailures")) {
            (Some(list), _) => (list, own_form),
            (None, Some(list)) => (list, sqs_form),
            (None, None) => return Ok(Vec::new()),
        };
    let Some(list) = list.as_array() else {
        return Err("the list of failed items is not a list".to_owned());
    };
    list.iter().map(|item| read(item, ids)).collect()
}

fn own_form(_item: &Value, _ids: &[&str]) -> Result<FailedItem, String> {
    Err("not an item".to_owned())
}

fn sqs_form(_item: &Value, _ids: &[&str]) -> Result<FailedItem, String> {
    Err("not an item".to_owned())
}

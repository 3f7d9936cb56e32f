//! The short words for a limit on what runs of one trigger: `skip_if_running`, `max_overlap` and
//! `overlap` say of schedules what `concurrency` says of all triggers.

use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::suggest::did_you_mean;

/// The short words.
pub const WORDS: [&str; 3] = ["skip_if_running", "max_overlap", "overlap"];

/// What an overlap may be.
const OVERLAPS: [&str; 3] = ["queue", "skip", "cancel"];

/// Takes the short words out of the fields of a policy and gives back the `concurrency` they stand
/// for. `max_overlap` is its limit, 1 where only another is given; `overlap` its overflow, and
/// `skip_if_running` says that it is `skip`.
///
/// # Errors
/// Everything that is wrong with them, or that `concurrency` is given as well.
pub fn concurrency(fields: &mut Map<String, Value>) -> Result<Option<Value>, Vec<Problem>> {
    let [skip, limit, overlap] =
        WORDS.map(|word| fields.remove(word).filter(|value| !value.is_null()));
    let given: Vec<_> = WORDS
        .into_iter()
        .zip([&skip, &limit, &overlap])
        .filter(|(_, value)| value.is_some())
        .collect();
    let mut problems = Vec::new();
    if fields.get("concurrency").is_some_and(|value| !value.is_null()) {
        let twice = "says the same as `concurrency`, which is given as well";
        problems.extend(given.iter().map(|(word, _)| Problem::new(*word, twice)));
    }
    if skip.as_ref().is_some_and(|skip| !skip.is_boolean()) {
        problems.push(Problem::new(WORDS[0], "expected true or false"));
    }
    let skips = skip == Some(Value::Bool(true));
    if limit
        .as_ref()
        .is_some_and(|limit| !limit.as_u64().is_some_and(|n| (1..=1_000_000).contains(&n)))
    {
        problems.push(Problem::new(WORDS[1], "expected a whole number (1 to 1,000,000)"));
    }
    match overlap.as_ref().map(Value::as_str) {
        None => {}
        Some(Some(word)) if !OVERLAPS.contains(&word) => {
            let problem = Problem::new(WORDS[2], format!("{word:?} is not an overlap"));
            problems.push(problem.suggest(did_you_mean(word, OVERLAPS)));
        }
        Some(Some(word)) if skips && word != "skip" => {
            let message = format!("{word:?} contradicts `skip_if_running`");
            problems.push(Problem::new(WORDS[2], message).suggest("skip"));
        }
        Some(Some(_)) => {}
        Some(None) => problems.push(Problem::new(WORDS[2], "expected one of: queue, skip, cancel")),
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let is_asked = skips || limit.is_some() || overlap.is_some();
    let overflow = if skips { json!("skip") } else { overlap.unwrap_or_else(|| json!("queue")) };
    let limit = limit.unwrap_or_else(|| json!(1));
    Ok(is_asked.then(|| json!({ "limit": limit, "overflow": overflow })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: Value) -> Result<Option<Value>, Vec<String>> {
        let mut fields = fields.as_object().cloned().unwrap();
        let made = concurrency(&mut fields);
        assert!(!WORDS.iter().any(|word| fields.contains_key(*word)));
        made.map_err(|problems| problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn short_words_stand_for_a_limit() {
        let limit =
            |limit: u32, overflow: &str| Ok(Some(json!({ "limit": limit, "overflow": overflow })));
        assert_eq!(of(json!({ "retry": {} })), Ok(None));
        assert_eq!(of(json!({ "skip_if_running": false })), Ok(None));
        assert_eq!(of(json!({ "skip_if_running": true })), limit(1, "skip"));
        assert_eq!(of(json!({ "skip_if_running": true, "max_overlap": 3 })), limit(3, "skip"));
        assert_eq!(of(json!({ "max_overlap": 3 })), limit(3, "queue"));
        assert_eq!(of(json!({ "overlap": "cancel" })), limit(1, "cancel"));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_word() {
        let wrong = |fields: &[&str]| Err(fields.iter().map(|f| (*f).to_owned()).collect());
        assert_eq!(of(json!({ "skip_if_running": 1, "max_overlap": 0 })), wrong(&WORDS[..2]));
        assert_eq!(of(json!({ "overlap": "skipp" })), wrong(&["overlap"]));
        assert_eq!(of(json!({ "overlap": "queue", "skip_if_running": true })), wrong(&["overlap"]));
        let both = json!({ "max_overlap": 2, "concurrency": { "limit": 1 } });
        assert_eq!(of(both), wrong(&["max_overlap"]));
    }
}

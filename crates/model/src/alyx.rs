//! The words in which the Alyx platform speaks of schedules, for manifests and for the API.

use serde_json::{Map, Value, json};

use crate::problem::Problem;

/// Its types of schedules, and the field that takes the `expression` of each.
pub const SCHEDULES: [(&str, &str); 3] =
    [("cron", "cron"), ("interval", "every"), ("one_time", "at")];

/// The words that say what happens after a failure.
pub const RETRY_WORDS: [&str; 2] = ["retry_on_failure", "max_retries"];

/// How many retries there are where only `retry_on_failure` is given.
const RETRIES_DEFAULT: u64 = 3;

/// The most attempts there may be after the first.
const RETRIES_MAX: u64 = 99;

/// Takes the words out of these fields and gives back the `retry` they stand for. They count what
/// comes after the first attempt; `max_retries` alone says that there are some.
///
/// # Errors
/// Everything that is wrong with them, or that `retry` is given as well.
pub fn retry(fields: &mut Map<String, Value>) -> Result<Option<Value>, Vec<Problem>> {
    let [wanted, retries] =
        RETRY_WORDS.map(|word| fields.remove(word).filter(|value| !value.is_null()));
    let mut problems = Vec::new();
    if fields.get("retry").is_some_and(|value| !value.is_null()) {
        let twice = "says the same as `retry`, which is given as well";
        let given = RETRY_WORDS.into_iter().zip([&wanted, &retries]);
        let given = given.filter(|(_, value)| value.is_some());
        problems.extend(given.map(|(word, _)| Problem::new(word, twice)));
    }
    if wanted.as_ref().is_some_and(|wanted| !wanted.is_boolean()) {
        problems.push(Problem::new(RETRY_WORDS[0], "expected true or false"));
    }
    let count = retries.as_ref().map(|value| value.as_u64().filter(|count| *count <= RETRIES_MAX));
    if count == Some(None) {
        let problem = Problem::new(RETRY_WORDS[1], "expected a whole number");
        problems.push(problem.suggest(format!("0 to {RETRIES_MAX}")));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if wanted.is_none() && retries.is_none() {
        return Ok(None);
    }
    let retries = match wanted {
        Some(Value::Bool(false)) => 0,
        _ => count.flatten().unwrap_or(RETRIES_DEFAULT),
    };
    Ok(Some(json!({ "attempts": retries + 1 })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: Value) -> Result<Option<u64>, Vec<String>> {
        let mut fields = fields.as_object().cloned().unwrap();
        let made = retry(&mut fields);
        assert!(!RETRY_WORDS.iter().any(|word| fields.contains_key(*word)));
        made.map(|made| made.map(|retry| retry["attempts"].as_u64().unwrap()))
            .map_err(|problems| problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn retries_come_after_the_first_attempt() {
        for (fields, attempts) in [
            (json!({ "timeout": "5s" }), None),
            (json!({ "max_retries": null }), None),
            (json!({ "retry_on_failure": true }), Some(4)),
            (json!({ "retry_on_failure": true, "max_retries": 1 }), Some(2)),
            (json!({ "retry_on_failure": false, "max_retries": 5 }), Some(1)),
            (json!({ "max_retries": 5 }), Some(6)),
        ] {
            assert_eq!(of(fields.clone()), Ok(attempts), "{fields}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_its_word() {
        let wrong = |fields: &[&str]| Err(fields.iter().map(|f| (*f).to_owned()).collect());
        let both = json!({ "retry_on_failure": 1, "max_retries": 100 });
        assert_eq!(of(both), wrong(&RETRY_WORDS));
        let twice = json!({ "max_retries": 1, "retry": { "attempts": 3 } });
        assert_eq!(of(twice), wrong(&["max_retries"]));
    }
}

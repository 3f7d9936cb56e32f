//! What a user gives: payloads and times.

use std::io::Read;

use evoke_model::{Millis, Timestamp};
use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// A payload: JSON, `@FILE`, or `-` for stdin.
pub(crate) fn payload(given: &str) -> Outcome<Value> {
    let (text, place) = match given.strip_prefix('@') {
        Some(file) => (read_file(file)?, file),
        None if given == "-" => (read_stdin()?, "stdin"),
        None => (given.to_owned(), "--data"),
    };
    serde_json::from_str(&text).map_err(|error| {
        let failure = Failure::mistake(format!("{place} is not JSON: {error}"));
        match given.starts_with(['@', '-']) {
            true => failure,
            // The usual slip: quotes that the shell has taken.
            false => failure.hint(format!("a text is written --data '\"{given}\"'")),
        }
    })
}

fn read_file(file: &str) -> Outcome<String> {
    std::fs::read_to_string(file).map_err(|error| Failure::mistake(format!("read {file}: {error}")))
}

fn read_stdin() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| Failure::mistake(format!("read stdin: {error}")))?;
    Ok(text)
}

/// A time as the API takes it: as it is, or so long before `now`.
pub(crate) fn time(given: &str, now: Timestamp) -> Outcome<String> {
    if let Ok(time) = given.parse::<Timestamp>() {
        return Ok(time.to_string());
    }
    let is_bare = given.bytes().all(|byte| byte.is_ascii_digit());
    match given.parse::<Millis>() {
        Ok(ago) if !is_bare => Ok(now.minus(ago).to_string()),
        _ => Err(Failure::mistake(format!("{given:?} is not a time"))
            .hint("write 2026-12-01T09:00:00Z, or how long ago: 15m, 2h, 7d")),
    }
}

/// The moment a command was given.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_micros(since.map_or(0, |since| since.as_micros() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_from_the_command_line_and_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, "{\"a\": [1]}").unwrap();
        assert_eq!(payload("{\"a\": 1}").unwrap()["a"], 1);
        assert_eq!(payload(&format!("@{}", file.display())).unwrap()["a"][0], 1);
        assert!(payload("hello").unwrap_err().hint.unwrap().contains("'\"hello\"'"));
        assert!(payload("@/nowhere.json").unwrap_err().message.contains("/nowhere.json"));
    }

    #[test]
    fn times_are_instants_or_so_long_ago() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        assert_eq!(time("2026-12-01T09:00:00Z", now).unwrap(), "2026-12-01T09:00:00Z");
        assert_eq!(time("1h", now).unwrap(), now.minus(Millis::from_secs(3_600)).to_string());
        for text in ["", "yesterday", "15", "-1h"] {
            assert!(time(text, now).is_err(), "{text}");
        }
    }
}

//! What a user gives: payloads and times.

use std::io::Read;

use evoke_model::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};

/// A payload: JSON, `@FILE`, or `-` for stdin.
pub(crate) fn payload(given: &str) -> Outcome<Value> {
    payload_of("--data", given)
}

/// The same as it was given with another option.
pub(crate) fn payload_of(option: &str, given: &str) -> Outcome<Value> {
    let (text, place) = match given.strip_prefix('@') {
        Some(file) => (read_file(file)?, file),
        None if given == "-" => (read_stdin()?, "stdin"),
        None => (given.to_owned(), option),
    };
    serde_json::from_str(&text).map_err(|error| {
        let failure = Failure::mistake(format!("{place} is not JSON: {error}"));
        match given.starts_with(['@', '-']) {
            true => failure,
            // The usual slip: quotes that the shell has taken.
            false => failure.hint(format!("a text is written {option} '\"{given}\"'")),
        }
    })
}

/// A payload in a file.
pub(crate) fn payload_file(file: &str) -> Outcome<Value> {
    payload(&format!("@{file}"))
}

/// A rate as the API takes it: `50/s`, `100/10s`, `1/500ms`.
pub(crate) fn rate(given: &str) -> Outcome<Value> {
    let wrong = || {
        Failure::mistake(format!("{given:?} is not a rate"))
            .hint("write so many in a time: 50/s, 100/m, 1/500ms")
    };
    let (limit, per) = given.split_once('/').ok_or_else(wrong)?;
    let limit: u32 = limit.trim().parse().map_err(|_| wrong())?;
    let per = Some(per.trim()).filter(|per| !per.is_empty()).ok_or_else(wrong)?;
    // `s` is one second.
    let per = if per.starts_with(|first: char| first.is_ascii_digit()) {
        per.to_owned()
    } else {
        format!("1{per}")
    };
    per.parse::<Millis>().map_err(|_| wrong())?;
    Ok(json!({ "limit": limit, "per": per }))
}

/// A function as the API takes it: `NAME`, or `NAME@VERSION`.
pub(crate) fn function(given: &str) -> Outcome<Value> {
    let Some((name, version)) = given.split_once('@') else {
        return Ok(json!({ "function": given }));
    };
    let version: u32 = version.parse().map_err(|_| {
        Failure::mistake(format!("{version:?} is not a version"))
            .hint(format!("write a number, as in {name}@3, or only {name}"))
    })?;
    Ok(json!({ "function": name, "version": version }))
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
    fn rates_and_functions_are_short() {
        for (text, limit, per) in
            [("50/s", 50, "1s"), ("100/10s", 100, "10s"), ("1/500ms", 1, "500ms"), ("3/m", 3, "1m")]
        {
            assert_eq!(rate(text).unwrap(), json!({ "limit": limit, "per": per }));
        }
        for text in ["50", "a/s", "5/", "5/x", "-1/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(function("bill").unwrap(), json!({ "function": "bill" }));
        assert_eq!(function("bill@3").unwrap(), json!({ "function": "bill", "version": 3 }));
        assert!(function("bill@new").is_err());
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

//! A file in one of the four forms made into one kind of value. What is wrong with the text itself
//! (syntax, duplicate keys, nesting, size) is found here; what it means is not looked at.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::reader::Wrong;

/// A manifest describes one function; a larger file is something else.
const BYTES_MAX: u64 = 1 << 20;
/// Deeper than any manifest, and far below what a stack holds.
const DEPTH_MAX: usize = 64;

/// Reads a file whose extension says its form. Scripts may import what lies below `root`.
///
/// # Errors
/// The first thing that is wrong with the text, with line and column where they are known.
pub fn read(path: &Path, root: &Path) -> Result<Value, Wrong> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if matches!(extension, "ts" | "js" | "mjs") {
        // A named pipe would make the script engine's reader wait for ever.
        check_file(path)?;
        return evoke_script::evaluate_config(path, root).map_err(script_wrong);
    }
    let text = read_text(path)?;
    if text.trim().is_empty() {
        return Err(Wrong::new("the file is empty").suggest("write at least `name` or `runtime`"));
    }
    let value = match extension {
        "yaml" | "yml" => yaml(&text)?,
        "toml" => toml(&text)?,
        _ => json(&text)?,
    };
    if depth(&value) > DEPTH_MAX {
        return Err(Wrong::new(format!("it is nested more than {DEPTH_MAX} levels deep")));
    }
    Ok(value)
}

fn script_wrong(error: evoke_script::ScriptError) -> Wrong {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    Wrong::new(message)
}

fn check_file(path: &Path) -> Result<u64, Wrong> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err(Wrong::new("it is not a file"));
    }
    Ok(metadata.len())
}

/// Reads a text file of at most [`BYTES_MAX`].
///
/// # Errors
/// It is no file, too large, or not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Wrong> {
    let too_large = || Wrong::new(format!("the file is larger than {} kb", BYTES_MAX >> 10));
    if check_file(path)? > BYTES_MAX {
        return Err(too_large());
    }
    let file = fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    // The file may grow between the look at its size and the reading.
    let mut limited = file.take(BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format!("the text is not UTF-8 (at byte {})", error.utf8_error().valid_up_to())
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn json(text: &str) -> Result<Value, Wrong> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map(|strict| strict.0).map_err(|error| Wrong::new(error.to_string()))
}

fn yaml(text: &str) -> Result<Value, Wrong> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_events: 50_000,
            max_aliases: 1_000,
            max_documents: 1,
        },
        // `no` and `on` are words in a manifest, not booleans.
        strict_booleans: true,
        with_snippet: false,
    };
    let strict: Strict =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    Ok(strict.0)
}

pub fn toml(text: &str) -> Result<Value, Wrong> {
    // The parser calls itself for brackets; it has a limit of its own, but dotted keys nest too.
    let dotted = text.lines().map(|line| line.matches('.').count()).max().unwrap_or_default();
    if dotted > 10 * DEPTH_MAX {
        return Err(Wrong::new(format!("it is nested more than {DEPTH_MAX} levels deep")));
    }
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or_default());
        let line = line.map(|before| format!("line {}: ", before.matches('\n').count() + 1));
        format!("{}{}", line.unwrap_or_default(), error.message())
    })?;
    Ok(from_toml(toml::Value::Table(table)))
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        // Infinite numbers have no JSON form; they become nothing, which no field takes.
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(fields) => {
            let fields = fields.into_iter().map(|(key, value)| (key, from_toml(value)));
            Value::Object(fields.collect())
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A value in which no key comes twice: a key that silently wins over another is a mistake that
/// nobody sees.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::from(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            let Strict(value) = fields.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(name: &str, bytes: &[u8]) -> Result<Value, Wrong> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        read(&path, folder.path())
    }

    #[test]
    fn the_four_forms_say_the_same() {
        let expected =
            json!({ "name": "a", "memory": 512, "list": [1.5, true], "in": { "b": "c" } });
        let forms = [
            ("function.json", r#"{"name":"a","memory":512,"list":[1.5,true],"in":{"b":"c"}}"#),
            ("function.yaml", "name: a\nmemory: 512\nlist: [1.5, true]\nin:\n  b: c\n"),
            ("function.yml", "\u{feff}{name: a, memory: 512, list: [1.5, true], in: {b: c}}"),
            ("function.toml", "name = 'a'\nmemory = 512\nlist = [1.5, true]\n[in]\nb = 'c'\n"),
            (
                "function.config.ts",
                "export default { name: 'a', memory: 512, list: [1.5, true], in: { b: 'c' } }",
            ),
            (
                "function.config.mjs",
                "export default { name: 'a', memory: 512, list: [1.5, true], in: { b: 'c' } }",
            ),
        ];
        for (name, text) in forms {
            assert_eq!(of(name, text.as_bytes()), Ok(expected.clone()), "{name}");
        }
    }

    #[test]
    fn yaml_words_stay_words() {
        let value =
            of("a.yaml", b"a: no\nb: on\nc: 2026-12-01T09:00:00Z\nd: '5'\ne: true\nf: ~\n1: x");
        let expected = json!({
            "a": "no", "b": "on", "c": "2026-12-01T09:00:00Z", "d": "5", "e": true, "f": null,
            "1": "x"
        });
        assert_eq!(value, Ok(expected));
    }

    #[test]
    fn mistakes_in_the_text_are_said_with_their_line() {
        let table = [
            ("a.json", "{\n  \"a\": 1,\n  \"a\": 2\n}", "the key \"a\" is given twice at line 3"),
            ("a.json", "{\n  \"a\": }", "line 2"),
            ("a.json", "{} {}", "line 1"),
            ("a.yaml", "a: 1\nb: 2\na: 3\n", "duplicate"),
            ("a.yaml", "a: [1\nb: 2", "line"),
            ("a.yaml", "a: 1\n---\nb: 2\n", "document"),
            ("a.toml", "a = 1\nb = 2\na = 3\n", "line 3"),
            ("a.toml", "a = \n", "line 1"),
            ("a.config.ts", "export default { a: }", "a.config.ts:1:21"),
        ];
        for (name, text, expected) in table {
            let wrong = of(name, text.as_bytes()).unwrap_err().to_string();
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
    }

    #[test]
    fn hostile_files_are_refused() {
        let n = 10_000;
        let bomb: String = (1..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
            let alias = format!("*a{}", i - 1);
            format!("{text}a{i}: &a{i} [{}]\n", vec![alias; 9].join(","))
        });
        let deep_yaml: String = (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        let texts = [
            String::new(),
            " \n\t\n".to_owned(),
            "[".repeat(n),
            format!("{}{}", "[".repeat(n), "]".repeat(n)),
            format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n)),
            format!("{}1{}", "{a: ".repeat(n), "}".repeat(n)),
            format!("a = {}{}", "[".repeat(n), "]".repeat(n)),
            format!("a = {}1{}", "{b = ".repeat(n), "}".repeat(n)),
            format!("{} = 1", vec!["a"; n].join(".")),
            format!("[{}]", vec!["a"; n].join(".")),
            "- ".repeat(n),
            "a: &a [*a, *a]".to_owned(),
            "\u{1}\u{2}\0".to_owned(),
            "x".repeat(BYTES_MAX as usize + 1),
            bomb,
            deep_yaml,
        ];
        for name in ["a.json", "a.yaml", "a.toml"] {
            for text in &texts {
                let start: String = text.chars().take(30).collect();
                let result = of(name, text.as_bytes());
                let harmless = result.is_err() || !result.unwrap().is_object();
                assert!(harmless, "{name}: {start:?}");
            }
        }
        for name in ["a.json", "a.yaml", "a.toml", "a.config.ts"] {
            for bytes in [&b"\xff\xfe\x00"[..], b"\x7fELF\x02\x01\x01\x00\xf0\x9f", b"a: \xc3\x28"]
            {
                assert!(of(name, bytes).is_err(), "{name}: {bytes:?}");
            }
        }
    }

    #[test]
    fn only_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read(folder.path(), folder.path());
        assert!(refused.is_err());
        let missing = read(&folder.path().join("a.json"), folder.path());
        assert!(missing.is_err());
    }
}

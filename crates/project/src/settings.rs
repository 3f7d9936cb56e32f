//! Reads `evoke.toml` and its overrides into [`ProjectConfig`], collecting what is wrong.
//!
//! The defaults as a value are the table of all keys: what is not in it is unknown, and a key is
//! right when the defaults with only this key replaced can be read.

use std::collections::BTreeMap;
use std::path::Path;

use evoke_model::{ByteSize, Millis, suggest};
use serde_json::{Map, Value};

use crate::config::{FILE, ProjectConfig, retention};
use crate::desired::FileProblem;
use crate::document;
use crate::manifest::{MEMORY_RANGE, TIMEOUT_RANGE};
use crate::reader::{Report, Wrong, describe, join, unknown};

/// What variables of settings begin with.
const PREFIX: &str = "EVOKE_";
/// Variables with that beginning that are no settings: those of the client and those that functions
/// get.
const OTHERS: [&str; 8] = [
    "EVOKE_API_KEY",
    "EVOKE_CONFIG",
    "EVOKE_EXECUTION_ID",
    "EVOKE_FUNCTION",
    "EVOKE_PROFILE",
    "EVOKE_SOCKET",
    "EVOKE_TOKEN",
    "EVOKE_URL",
];
/// What variables begin with that hold secrets.
const SECRETS: &str = "EVOKE_SECRET_";

/// Reads the file and the variables.
///
/// # Errors
/// Everything that is wrong.
pub fn load(
    file: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<ProjectConfig, Vec<FileProblem>> {
    let mut report = Report::default();
    let defaults = serde_json::to_value(ProjectConfig::default()).unwrap_or_default();
    let mut known = Vec::new();
    leaves(&defaults, "", &mut known);

    let mut given = Vec::new();
    match std::fs::symlink_metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        _ => match document::read_text(file).and_then(|text| document::toml(&text)) {
            Ok(value) => collect(&value, &defaults, "", &mut given, &mut report),
            Err(wrong) => report.problem("", wrong),
        },
    }
    overrides(environment, &known, &defaults, &mut given, &mut report);

    let mut whole = defaults.clone();
    for Setting { path, value, shown } in given {
        let mut single = defaults.clone();
        put(&mut single, &path, value.clone());
        match serde_json::from_value::<ProjectConfig>(single) {
            Ok(_) => put(&mut whole, &path, value),
            Err(error) => report.problem(shown, wrong_type(&error, &value)),
        }
    }
    let config: ProjectConfig = serde_json::from_value(whole).unwrap_or_default();
    check(&config, &mut report);
    if report.problems.is_empty() {
        return Ok(config);
    }
    let path = file.file_name().map_or_else(|| FILE.into(), Into::into);
    let problem = |problem| FileProblem { path: std::path::PathBuf::clone(&path), problem };
    Err(report.problems.into_iter().map(problem).collect())
}

/// One setting somebody gave.
struct Setting {
    /// `server.port`
    path: String,
    value: Value,
    /// What errors call it: the path, or the variable.
    shown: String,
}

/// A list of sections. Its items are looked at one by one, where the reader of the whole tree would
/// stop at the first mistake.
const RULES: &str = "retention.rules";

/// All keys. An object without any is a setting whose keys the user chooses.
fn leaves(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, inner)| leaves(inner, &join(at, key), out));
        }
        _ => out.push(at.to_owned()),
    }
}

fn collect(value: &Value, defaults: &Value, at: &str, out: &mut Vec<Setting>, report: &mut Report) {
    let (Value::Object(fields), Value::Object(known)) = (value, defaults) else {
        report.problem(at, format!("expected a section, got {}", describe(value)));
        return;
    };
    for (key, inner) in fields {
        let path = join(at, key);
        match known.get(key) {
            None => {
                report.problem(path, unknown("key", key, known.keys().map(String::as_str)));
            }
            Some(section @ Value::Object(keys)) if !keys.is_empty() => {
                collect(inner, section, &path, out, report);
            }
            Some(_) if path == RULES => {
                let value = retention::rules(inner, &path, report);
                out.extend(value.map(|value| Setting { shown: path.clone(), path, value }));
            }
            Some(_) => out.push(Setting { shown: path.clone(), path, value: inner.clone() }),
        }
    }
}

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

fn overrides(
    environment: &BTreeMap<String, String>,
    known: &[String],
    defaults: &Value,
    out: &mut Vec<Setting>,
    report: &mut Report,
) {
    let names: Vec<String> = known.iter().map(|path| variable(path)).collect();
    let sections =
        defaults.as_object().into_iter().flatten().filter(|(_, value)| value.is_object());
    let sections: Vec<String> = sections.map(|(key, _)| variable(key) + "_").collect();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if let Some(path) = known.iter().find(|path| variable(path) == *name) {
            let value = from_text(text, pointer(defaults, path));
            // Files come first and variables after, so the later one wins.
            out.push(Setting { path: path.clone(), value, shown: name.clone() });
            continue;
        }
        if OTHERS.contains(&name.as_str()) || name.starts_with(SECRETS) {
            continue;
        }
        // A slip in a name must not silently leave the default in place.
        let near = suggest::nearest(name, names.iter().map(String::as_str)).is_some();
        if near || sections.iter().any(|section| name.starts_with(section)) {
            report.problem(name, unknown("variable", name, names.iter().map(String::as_str)));
        }
    }
}

/// A variable's text in the type its setting has.
fn from_text(text: &str, default: Option<&Value>) -> Value {
    let parsed = || serde_json::from_str::<Value>(text).ok();
    match default {
        Some(Value::Number(_)) => parsed().filter(Value::is_number),
        Some(Value::Bool(_)) => parsed().filter(Value::is_boolean),
        Some(Value::Array(_)) if text.trim_start().starts_with('[') => parsed(),
        Some(Value::Object(_)) => pairs(text),
        Some(Value::Array(_)) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(Value::from).collect())
        }
        // `auth.required` is a word or a boolean.
        Some(Value::String(word)) if word == "auto" => parsed().filter(Value::is_boolean),
        _ => None,
    }
    .unwrap_or_else(|| Value::from(text))
}

/// `name=value, other=value`, as OpenTelemetry writes headers in a variable.
fn pairs(text: &str) -> Option<Value> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), Value::from(value.trim())))
    };
    pairs.map(split).collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn pointer<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |inner, key| inner.get(key))
}

fn put(whole: &mut Value, path: &str, value: Value) {
    let mut place = whole;
    for key in path.split('.') {
        // Paths come from the defaults, so each step is there.
        let Some(inner) = place.get_mut(key) else { return };
        place = inner;
    }
    *place = value;
}

fn wrong_type(error: &serde_json::Error, value: &Value) -> Wrong {
    let text = error.to_string();
    match text.strip_prefix("invalid type: ").and_then(|rest| rest.split_once("expected ")) {
        Some((_, expected)) => Wrong::new(format!("expected {expected}, got {}", describe(value))),
        None => Wrong::new(text),
    }
}

fn check(config: &ProjectConfig, report: &mut Report) {
    let body = ByteSize::new(1 << 10)..=ByteSize::from_mb(1 << 10);
    within("server.body_max", &config.server.body_max, &body, report);
    let grace = Millis::ZERO..=Millis::from_secs(3600);
    within("server.shutdown_grace", &config.server.shutdown_grace, &grace, report);
    within("events.depth_max", &config.events.depth_max, &(1..=1000), report);
    let window = Millis::ZERO..=Millis::from_secs(30 * 86_400);
    within("events.idempotency_window", &config.events.idempotency_window, &window, report);
    config.retention.check(report);
    config.storage.check(report);
    config.telemetry.check(report);
    config.users.check(report);
    config.mail.check(report);
    let is_header = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !config.server.client_address.chars().all(is_header) {
        let wrong = Wrong::new("it is not a name of a header").suggest("x-forwarded-for");
        report.problem("server.client_address", wrong);
    }
    let idle = Millis::from_secs(1)..=Millis::from_secs(7 * 86_400);
    within("runtimes.idle", &config.runtimes.idle, &idle, report);
    within("runtimes.keep_versions", &config.runtimes.keep_versions, &(1..=1_000), report);
    within("defaults.memory", &config.defaults.memory, &MEMORY_RANGE, report);
    within("defaults.timeout", &config.defaults.timeout, &TIMEOUT_RANGE, report);
    if !config.store.url.starts_with("sqlite:") && config.store.url != "memory:" {
        let url = describe(&Value::from(config.store.url.as_str()));
        let wrong = Wrong::new(format!("unknown store {url}"));
        report.problem("store.url", wrong.suggest("sqlite:PATH or memory:"));
    }
    let functions = Path::new(&config.functions);
    let inside = functions.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !inside || config.functions.is_empty() {
        report.problem("functions", Wrong::new("expected a folder inside the project"));
    }
}

/// Reports a value that is out of its range.
pub(crate) fn within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: &T,
    range: &std::ops::RangeInclusive<T>,
    report: &mut Report,
) {
    if !range.contains(value) {
        let bounds = format!("{} to {}", range.start(), range.end());
        report.problem(field, Wrong::new(format!("{value} is out of range")).suggest(bounds));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{DEFAULT_TEXT, Level, Required};

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<ProjectConfig, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("evoke.toml");
        std::fs::write(&file, text).unwrap();
        let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load(&file, &environment.collect())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_manual_is_the_default_and_names_every_setting() {
        assert_eq!(of(DEFAULT_TEXT, &[]), Ok(ProjectConfig::default()));
        assert_eq!(of("", &[]), Ok(ProjectConfig::default()));
        let manual = document::toml(DEFAULT_TEXT).unwrap();
        let (mut named, mut known) = (Vec::new(), Vec::new());
        leaves(&manual, "", &mut named);
        leaves(&serde_json::to_value(ProjectConfig::default()).unwrap(), "", &mut known);
        assert_eq!(named, known);
        for line in DEFAULT_TEXT.lines().collect::<Vec<_>>().windows(2) {
            let setting = line[1].contains(" = ") && !line[1].starts_with('#');
            assert!(!setting || line[0].starts_with('#'), "no comment before {:?}", line[1]);
        }
    }

    #[test]
    fn users_and_mail_are_checked_without_showing_what_is_secret() {
        let text = r#"
            [users]
            url = "shop.test"
            access_ttl = "1s"
            lock_after = 1
            verify_page = "https://shop.test/verify"
            foreign = [
                { issuer = "a", secret = "hunter2" },
                { issuer = "a", jwks_url = "https://a.test/jwks" },
                { issuer = "b" },
                { issuer = "evoke", jwks_url = "ftp://x" },
            ]
            [mail]
            url = "http://user:hunter2@mail.test"
            from = "nobody"
        "#;
        let problems = of(text, &[]).unwrap_err().join("\n");
        for field in [
            "users.url",
            "users.access_ttl",
            "users.lock_after",
            "users.verify_page",
            "users.foreign[0].secret",
            "users.foreign[1].issuer",
            "users.foreign[2]: ",
            "users.foreign[3].issuer",
            "users.foreign[3].jwks_url",
            "mail.url",
            "mail.from",
        ] {
            assert!(problems.contains(field), "{field} in {problems}");
        }
        assert!(!problems.contains("hunter2"), "{problems}");
        let secret = "0123456789abcdef0123456789abcdef";
        let foreign = format!(r#"[{{"issuer": "a", "secret": "{secret}", "audience": "shop"}}]"#);
        let mail = ("EVOKE_MAIL_URL", "smtps://user:hunter2@mail.test:465");
        let config = of("", &[("EVOKE_USERS_FOREIGN", &foreign), mail]).unwrap();
        assert_eq!(config.users.foreign[0].audience.as_deref(), Some("shop"));
        let shown = format!("{config:?}");
        assert!(!shown.contains(secret) && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_empty_one() {
        let missing = load(Path::new("/nowhere/evoke.toml"), &BTreeMap::new()).unwrap();
        assert_eq!(missing, ProjectConfig::default());
    }

    #[test]
    fn settings_are_read_and_overridden() {
        let text = "[server]\nport = 9000\nbody_max = 5\n[auth]\nrequired = true\n[runtimes]\ntools = ['a']\n";
        let config = of(text, &[]).unwrap();
        assert_eq!(config.server.port, 9000);
        assert_eq!(config.server.body_max, ByteSize::from_mb(5));
        assert_eq!(config.auth.required, Required::Always);

        let variables = [
            ("EVOKE_SERVER_PORT", "0"),
            ("EVOKE_SERVER_HOST", "::1"),
            ("EVOKE_LOG_LEVEL", "debug"),
            ("EVOKE_AUTH_REQUIRED", "false"),
            ("EVOKE_RUNTIMES_TOOLS", "b, c"),
            ("EVOKE_TARGETS_ALLOW_PRIVATE", "true"),
            ("EVOKE_NAME", "7"),
            ("EVOKE_URL", "http://elsewhere"),
            ("EVOKE_FUNCTION", "f"),
            ("EVOKE_OF_SOMEBODY_ELSE", "x"),
            ("EVOKE_SECRET_A", "x"),
            ("PATH", "/bin"),
        ];
        let config = of(text, &variables).unwrap();
        assert_eq!(config.server.port, 0);
        assert_eq!(config.server.host.to_string(), "::1");
        assert_eq!(config.log.level, Level::Debug);
        assert_eq!(config.auth.required, Required::Never);
        assert_eq!(config.runtimes.tools, ["b", "c"]);
        assert!(config.targets.allow_private);
        assert_eq!(config.name, "7");
    }

    #[test]
    fn the_record_is_kept_as_long_as_it_says() {
        let text = r#"
            [retention]
            archive_after = false
            events = "2d"
            max_bytes = "10gb"
            [[retention.rules]]
            type = "order.*"
            events = "90d"
            executions = "365d"
            [[retention.rules]]
            function = "resize"
            executions = 3600
            [telemetry]
            otlp_endpoint = "http://127.0.0.1:4318"
            otlp_headers = { authorization = "Bearer t0ken", x-tenant = "a" }
            sample = 0.25
        "#;
        let config = of(text, &[]).unwrap();
        let retention = &config.retention;
        assert_eq!((retention.archive_after, retention.events), (None, days(2)));
        assert_eq!(retention.executions, days(30));
        assert_eq!(retention.max_bytes, Some(ByteSize::from_mb(10 << 10)));
        let [orders, resize] = retention.rules.as_slice() else { panic!("{retention:?}") };
        assert_eq!(orders.kind.as_deref(), Some("order.*"));
        assert_eq!((orders.events, orders.executions), (Some(days(90)), Some(days(365))));
        assert_eq!(resize.function.as_deref(), Some("resize"));
        assert_eq!(resize.executions, Some(Millis::from_secs(3600)));
        assert_eq!(config.telemetry.otlp_headers["authorization"], "Bearer t0ken");
        assert_eq!(config.telemetry.sample.to_bits(), 0.25_f64.to_bits());
        let shown = format!("{config:?}");
        assert!(shown.contains("x-tenant") && !shown.contains("t0ken"), "{shown}");

        let variables = [
            ("EVOKE_RETENTION_ARCHIVE_AFTER", "2h"),
            ("EVOKE_RETENTION_MAX_BYTES", "false"),
            ("EVOKE_RETENTION_RULES", r#"[{"type": "a", "events": "1h"}]"#),
            ("EVOKE_TELEMETRY_OTLP_HEADERS", "a=b=c, d = e"),
            ("EVOKE_TELEMETRY_SAMPLE", "1"),
        ];
        let config = of(text, &variables).unwrap();
        assert_eq!(config.retention.archive_after, Some(Millis::from_secs(7200)));
        assert_eq!(config.retention.max_bytes, None);
        assert_eq!(config.retention.rules.len(), 1);
        let headers = [("a", "b=c"), ("d", "e")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(config.telemetry.otlp_headers, headers.into());
    }

    fn days(days: u64) -> Millis {
        Millis::from_secs(days * 86_400)
    }

    #[test]
    fn a_place_for_files_is_a_folder_or_a_bucket() {
        for good in ["file:/srv/files", "file:files", "s3://a", "s3://a/b?region=c"] {
            let config = of(&format!("[storage]\nurl = \"{good}\""), &[]).unwrap();
            assert_eq!(config.storage.url, good);
        }
        told("[storage]\nurl = \"files\"", &["storage.url: \"files\" is no place for files"]);
        told("[storage]\nurl = \"s3://\"", &["storage.url: \"s3://\" is no place for files"]);
        let slip = "storage.ulr: unknown key \"ulr\" (did you mean \"url\"?)";
        told("[storage]\nulr = \"file:a\"", &[slip]);
    }

    #[test]
    fn a_record_that_cannot_be_kept_like_that_is_told() {
        let text = r#"
            [retention]
            archive_after = true
            events = "10s"
            max_bytes = "1mb"
            [[retention.rules]]
            type = "order.a**"
            event = "1d"
            [[retention.rules]]
            type = "order.*"
            function = 7
            executions = "soon"
            [telemetry]
            otlp_endpoint = "collector:4318"
            otlp_headers = { "a b" = "s3cret", c = "s3cret\n" }
            sample = 2
            service_name = " "
            sampel = 1
        "#;
        let expected = [
            "retention.archive_after: expected an amount or false, got true",
            "retention.rules[0].event: unknown key \"event\" (did you mean \"events\"?)",
            "retention.rules[1].function: expected a text, got 7",
            "retention.rules[1].executions: expected a duration like",
            "telemetry.sampel: unknown key \"sampel\" (did you mean \"sample\"?)",
            "retention.events: 10s is out of range (1m to 36500d)",
            "retention.max_bytes: 1mb is out of range (16mb to 524288gb)",
            "telemetry.otlp_endpoint: it is not an address of http or https",
            "telemetry.otlp_headers.a b: it is not a name of a header",
            "telemetry.otlp_headers.c: the value has characters",
            "telemetry.sample: 2 is out of range (0 to 1)",
            "telemetry.service_name: it is empty (evoke)",
        ];
        told(text, &expected);
        let rules = r#"
            [[retention.rules]]
            type = "order.a**"
            events = "1s"
            [[retention.rules]]
            executions = "1d"
            [[retention.rules]]
            function = "f"
            events = "1d"
            [[retention.rules]]
            function = "f"
        "#;
        let expected = [
            "retention.rules[0].type: ",
            "retention.rules[0].events: 1s is out of range",
            "retention.rules[1]: it fits nothing",
            "retention.rules[2].events: events belong to no function",
            "retention.rules[3]: it changes nothing",
        ];
        told(rules, &expected);
    }

    fn told(text: &str, expected: &[&str]) {
        let lines = of(text, &[]).unwrap_err();
        for start in expected {
            let start = format!("evoke.toml: {start}");
            assert!(lines.iter().any(|line| line.starts_with(&start)), "{start}: {lines:#?}");
        }
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains("s3cret")), "{lines:#?}");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "
            nam = 'x'
            [server]
            prot = 1
            port = 70000
            host = 'here'
            body_max = '2tb'
            [auth]
            required = 'maybe'
            [events]
            depth_max = 0
            [store]
            url = 'oracle:x'
            [log]
            level = 'loud'
            [defaults]
            memory = '1mb'
            [sever]
            port = 1
        ";
        let problems = of(
            text,
            &[("EVOKE_SERVER_PROT", "1"), ("EVOKE_SEVER_PORT", "1"), ("EVOKE_LOG_FORMAT", "xml")],
        );
        let lines = problems.unwrap_err();
        let expected = [
            "nam: unknown key \"nam\" (did you mean \"name\"?)",
            "server.prot: unknown key \"prot\" (did you mean \"port\"?)",
            "server.port: ",
            "server.host: ",
            "server.body_max: ",
            "auth.required: expected \"auto\", true or false",
            "events.depth_max: 0 is out of range (1 to 1000)",
            "store.url: unknown store \"oracle:x\" (sqlite:PATH or memory:)",
            "log.level: unknown variant `loud`",
            "defaults.memory: 1mb is out of range (128mb to 4gb)",
            "sever: unknown key \"sever\" (did you mean \"server\"?)",
            "EVOKE_SERVER_PROT: unknown variable \"EVOKE_SERVER_PROT\" (did you mean \"EVOKE_SERVER_PORT\"?)",
            "EVOKE_SEVER_PORT: unknown variable \"EVOKE_SEVER_PORT\" (did you mean \"EVOKE_SERVER_PORT\"?)",
            "EVOKE_LOG_FORMAT: ",
        ];
        for start in expected {
            let start = format!("evoke.toml: {start}");
            assert!(lines.iter().any(|line| line.starts_with(&start)), "{start}: {lines:#?}");
        }
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    }

    #[test]
    fn files_that_are_no_settings_are_refused() {
        for text in ["server = 1", "[server", "\u{0}", "functions = '../x'", "functions = ''"] {
            assert!(of(text, &[]).is_err(), "{text:?}");
        }
        let refused = load(Path::new("/"), &BTreeMap::new());
        assert!(refused.is_err());
        assert_eq!(pointer(&json!({ "a": { "b": 1 } }), "a.b"), Some(&json!(1)));
    }
}

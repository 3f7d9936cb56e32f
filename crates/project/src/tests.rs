//! Whole projects read from the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evoke_model::policy::{
    Backoff, DeadLetter, Debounce, DebounceMode, Mode, OnFailure, Overflow, Priority, Retry,
};
use evoke_model::trigger::Subscription;
use evoke_model::{ByteSize, Millis, Policy, Problem, Scaling, Target};
use evoke_ports::{Descriptor, Runs, Source};
use serde_json::{Value, json};

use crate::{
    Desired, ReadContext, Reference, RuntimeName, document, manifest_schema, read, reread,
};

/// A source that wants one text field and allows a list.
struct OneField {
    descriptor: Descriptor,
    field: &'static str,
    list: &'static str,
}

impl OneField {
    fn of(kind: &'static str, field: &'static str, list: &'static str) -> Arc<dyn Source> {
        let schema = json!({ "properties": { field: {}, list: {} } });
        let descriptor = Descriptor {
            kind,
            title: kind,
            summary: "",
            schema,
            example: Value::Null,
            docs: "",
            runs: Runs::EveryNode,
        };
        Arc::new(Self { descriptor, field, list })
    }
}

impl Source for OneField {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        let mut problems = Vec::new();
        if !config.get(self.field).is_some_and(Value::is_string) {
            problems.push(Problem::new(self.field, "expected a text"));
        }
        for key in config.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if key != self.field && key != self.list {
                problems.push(Problem::new(key, format!("unknown key {key:?}")));
            }
        }
        if problems.is_empty() { Ok(config.clone()) } else { Err(problems) }
    }

    fn subscription(&self, _: &Value) -> Option<Subscription> {
        None
    }
}

struct World {
    folder: tempfile::TempDir,
    runtimes: Vec<RuntimeName>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    environment: BTreeMap<String, String>,
}

fn lookup(reference: &Reference) -> Option<String> {
    match reference {
        Reference::Secret(name) if name == "API_KEY" => Some("s3cret".to_owned()),
        Reference::Variable(name) if name == "OPENAI_API_KEY" => Some("sk-1".to_owned()),
        _ => None,
    }
}

/// Enough of CEL for these tests: brackets that do not match are wrong.
fn check_cel(text: &str) -> Result<(), String> {
    let open = text.matches('(').count();
    if open == text.matches(')').count() { Ok(()) } else { Err("unclosed bracket".to_owned()) }
}

/// A manifest in all forms, by the end of its file's name.
fn forms(manifest: &Value) -> [(&'static str, String); 4] {
    let script = format!("const m = {manifest}; export default () => m;");
    [
        ("yaml", manifest.to_string()),
        ("json", manifest.to_string()),
        ("toml", toml::to_string(manifest).unwrap()),
        ("config.ts", script),
    ]
}

impl World {
    fn new() -> Self {
        let names = ["nodejs18", "nodejs20", "nodejs22", "nodejs", "node", "bun"];
        let runtime = |name: &str, handler: &str| RuntimeName {
            name: name.to_owned(),
            handler_default: handler.to_owned(),
        };
        let mut runtimes: Vec<_> =
            names.iter().map(|name| runtime(name, "index.handler")).collect();
        runtimes.extend(["python", "python3.11"].map(|name| runtime(name, "main.handler")));
        let sources =
            [OneField::of("http", "path", "methods"), OneField::of("event", "match", "x")];
        Self {
            folder: tempfile::tempdir().unwrap(),
            runtimes,
            sources: sources.map(|source| (source.descriptor().kind.to_owned(), source)).into(),
            environment: BTreeMap::new(),
        }
    }

    /// With webhooks as well, whose schema may be a file.
    fn hooking() -> Self {
        let mut world = Self::new();
        let mut descriptor = OneField::of("webhook", "path", "schema").descriptor().clone();
        let forms = json!({ "anyOf": [{ "contentMediaType": "application/schema+json" }] });
        descriptor.schema["properties"]["schema"] = forms;
        let source = OneField { descriptor, field: "path", list: "schema" };
        world.sources.insert("webhook".to_owned(), Arc::new(source));
        world
    }

    /// With polls as well.
    fn polling() -> Self {
        let mut world = Self::new();
        world.sources.insert("poll".to_owned(), OneField::of("poll", "every", "function"));
        world
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn context(&self) -> ReadContext<'_> {
        ReadContext {
            runtimes: &self.runtimes,
            sources: &self.sources,
            lookup: &lookup,
            check_cel: &check_cel,
            environment: &self.environment,
        }
    }

    fn read(&self) -> Desired {
        read(self.root(), &self.context())
    }

    /// One Node function with this manifest.
    fn manifest(&self, text: &str) -> Desired {
        self.file("functions/f/index.js", "").file("functions/f/function.yaml", text).read()
    }
}

fn lines(desired: &Desired) -> Vec<String> {
    desired.problems.iter().map(ToString::to_string).collect()
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A function with this fixture as its manifest, and the fixture as a value.
fn of_fixture(path: &Path) -> (Desired, Value) {
    let world = World::new();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (_, form) = name.split_once('.').unwrap();
    world.file("functions/f/index.ts", "export const handler = () => 1;");
    world.file(&format!("functions/f/function.{form}"), fs::read(path).unwrap());
    let value = document::read(path, path.parent().unwrap()).unwrap();
    (world.read(), value)
}

#[test]
fn the_schema_and_the_reader_are_of_one_mind() {
    let schema = manifest_schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(fixtures("valid").len() >= 6);
    for path in fixtures("valid") {
        let (desired, value) = of_fixture(&path);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
        assert_eq!(lines(&desired), Vec::<String>::new(), "{}", path.display());
        assert_eq!(desired.functions.len(), 1, "{}", path.display());
    }
    assert!(fixtures("invalid").len() >= 30);
    for path in fixtures("invalid") {
        let (desired, value) = of_fixture(&path);
        assert!(!validator.is_valid(&value), "the schema accepts {}", path.display());
        assert!(!desired.problems.is_empty(), "the reader accepts {}", path.display());
        assert!(desired.functions.is_empty(), "{}", path.display());
        assert!(desired.broken.contains("f"), "{}", path.display());
    }
}

#[test]
fn every_key_of_the_schema_is_one_the_reader_knows() {
    let schema = manifest_schema();
    let keys: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    let manifest: serde_json::Map<String, Value> =
        keys.into_iter().map(|key| (key, json!(["of no type"]))).collect();
    let world = World::new();
    let desired = world.manifest(&Value::Object(manifest).to_string());
    let unknown = lines(&desired).into_iter().filter(|line| line.contains("unknown key"));
    assert_eq!(unknown.count(), 0);
}

#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/function.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&manifest_schema()).unwrap());
    if std::env::var_os("EVOKE_UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, made, "run the tests with EVOKE_UPDATE_GOLDEN=1 and look at the difference");
}

#[test]
fn the_manifest_of_the_first_document_reads_as_it_stands() {
    let path = fixtures("valid").into_iter().find(|path| path.ends_with("document-001.config.ts"));
    let (desired, _) = of_fixture(&path.unwrap());
    let function = &desired.functions[0];
    assert_eq!(function.spec.name, "f");
    assert_eq!(function.spec.runtime, "nodejs20");
    assert_eq!(function.spec.handler.as_deref(), Some("index.handler"));
    assert_eq!(function.spec.memory, ByteSize::from_mb(512));
    assert_eq!(function.spec.timeout, Millis::from_secs(30));
    assert_eq!(function.spec.environment["API_KEY"], "${secrets.API_KEY}");
    assert_eq!(function.environment["API_KEY"], "s3cret");
    assert_eq!(function.spec.scaling, Scaling::default());
    assert_eq!(function.triggers.len(), 1);
    let trigger = &function.triggers[0];
    assert_eq!((trigger.name.as_str(), trigger.kind.as_str()), ("http-api-users", "http"));
    assert_eq!(trigger.config, json!({ "path": "/api/users", "methods": ["GET", "POST"] }));
    assert_eq!(trigger.target, Target::function("f"));
    assert!(trigger.enabled);
    let warnings: Vec<String> = desired.warnings.iter().map(ToString::to_string).collect();
    let expected = |index: usize, kind: &str| {
        format!(
            "functions/f/function.config.ts: triggers[{index}].type: \
             trigger kind \"{kind}\" is not available in this version"
        )
    };
    assert_eq!(warnings, [expected(1, "schedule"), expected(2, "database")]);
}

#[test]
fn the_manifest_of_the_second_document_reads_as_it_stands() {
    let path = fixtures("valid").into_iter().find(|path| path.ends_with("document-002.yaml"));
    let (desired, _) = of_fixture(&path.unwrap());
    let function = desired.function("on-user-created").unwrap();
    assert_eq!(function.spec.runtime, "node");
    assert_eq!(function.environment["OPENAI_API_KEY"], "sk-1");
    let names: Vec<&str> = function.triggers.iter().map(|trigger| trigger.name.as_str()).collect();
    assert_eq!(names, ["http-api-users-sync", "http-api-users-id-avatar"]);
    let fields: Vec<&str> =
        desired.warnings.iter().map(|warning| warning.problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["hooks[0].type", "hooks[1].type", "hooks[2].type", "schedules[0]", "schedules[1]"]
    );
}

#[test]
fn policies_are_read() {
    let path = fixtures("valid").into_iter().find(|path| path.ends_with("policies.toml"));
    let (desired, _) = of_fixture(&path.unwrap());
    let function = &desired.functions[0];
    assert_eq!(function.environment["COUNT"], "3");
    assert_eq!(function.environment["ON"], "true");
    assert_eq!(function.environment["TEXT"], "${literal}");
    assert_eq!(function.spec.timeout, Millis::new(500));
    assert_eq!(function.spec.memory, ByteSize::from_mb(1536));
    let trigger = &function.triggers[0];
    assert!(!trigger.enabled);
    let policy = &trigger.policy;
    assert_eq!(policy.mode, Some(Mode::Sync));
    assert_eq!(policy.priority, Priority::Fixed(-5));
    assert_eq!(policy.on_failure, Some(OnFailure::Continue));
    assert_eq!(policy.order_by.as_deref(), Some("event.subject"));
    let retry = Retry {
        attempts: 3,
        backoff: Backoff::Linear,
        initial: Millis::new(100),
        max: Millis::from_secs(60),
        jitter: false,
    };
    assert_eq!(policy.retry, Some(retry));
    assert_eq!(policy.concurrency.as_ref().unwrap().limit, 2);
    assert_eq!(desired.warnings, []);
    let debounce = Debounce {
        wait: Millis::from_secs(2),
        key: Some("event.subject".to_owned()),
        max_wait: Some(Millis::from_secs(10)),
        mode: DebounceMode::All,
    };
    assert_eq!(policy.debounce, Some(debounce));
    assert_eq!(policy.batch.as_ref().unwrap().key.as_deref(), Some("event.subject"));
    assert_eq!(policy.rate.as_ref().unwrap().burst, Some(1));
    assert_eq!(policy.idempotency.as_ref().unwrap().ttl, Some(Millis::from_secs(3600)));
    assert_eq!(policy.transform.as_deref(), Some("event.data"));
    assert_eq!(policy.dead_letter_event(), Some("order.failed"));
    assert_eq!(trigger.config, json!({ "match": "a.**" }));
    let second = &function.triggers[1].policy;
    assert_eq!(second.dead_letter, Some(DeadLetter::Kept(false)));
    assert_eq!(second.debounce, Some(Debounce::after(Millis::new(500))));
    assert_eq!(second.priority, Priority::By("event.data.vip ? 60 : 0".to_owned()));
    assert_eq!(second.concurrency.as_ref().unwrap().overflow, Overflow::Cancel);
}

#[test]
fn policies_mean_the_same_in_every_form() {
    let manifest = json!({
        "triggers": [{
            "type": "event",
            "match": "a",
            "debounce": { "wait": "2s", "max_wait": 10, "mode": "all", "key": "event.subject" },
            "batch": { "size": 3, "wait": "200ms", "bytes": "1mb", "key": "event.subject" },
            "rate": { "limit": 5, "per": "1m", "burst": 2, "key": "event.subject" },
            "priority": "event.data.n",
            "transform": "{'a': event.data.a}",
            "idempotency": { "key": "event.id", "ttl": "1h" },
            "concurrency": { "limit": 2, "overflow": "skip" },
            "dead_letter": { "publish": "a.failed" },
        }],
    });
    let expected: Policy = {
        let mut policy = manifest["triggers"][0].clone();
        let fields = policy.as_object_mut().unwrap();
        fields.retain(|key, _| key != "type" && key != "match");
        serde_json::from_value(policy).unwrap()
    };
    for (form, text) in forms(&manifest) {
        let world = World::new();
        world.file("functions/f/index.js", "").file(&format!("functions/f/function.{form}"), text);
        let desired = world.read();
        assert_eq!(lines(&desired), Vec::<String>::new(), "{form}");
        assert_eq!(desired.functions[0].triggers[0].policy, expected, "{form}");
    }
}

#[test]
fn policies_that_cannot_work_say_why() {
    let world = World::new();
    let desired = world.manifest(
        "
        triggers:
         - { type: event, match: a, order_by: x, concurrency: { limit: 1, overflow: skip } }
         - { type: event, match: b, order_by: x, debounce: 1s }
         - { type: event, match: c, order_by: x, debounce: { wait: 1s, mode: all } }
         - { type: event, match: d, debounce: { wait: 2s, max_wait: 1s, mod: all } }
         - { type: event, match: e, debounce: { key: 'f(' } }
         - { type: event, match: f, rate: { limit: 1, per: 1s, burst: 0 }, priority: 1.5 }
         - { type: event, match: g, priority: 'f(', dead_letter: { publish: 'a b' } }
         - { type: event, match: h, priority: 1001, batch: { size: 2, key: [] } }
        hooks:
         - { type: event, match: i, config: { order_by: x, debounce: 1s } }",
    );
    let expected = [
        "triggers[0].concurrency.overflow: an order needs every execution",
        "triggers[1].debounce.mode: an order needs every event",
        "triggers[3].debounce.max_wait: 1s is shorter than `wait`, 2s (max_wait >= wait)",
        "triggers[3].debounce.mod: unknown key \"mod\" (did you mean \"mode\"?)",
        "triggers[4].debounce.wait: `wait` is missing",
        "triggers[4].debounce.key: \"f(\" is not a CEL expression",
        "triggers[5].rate.burst: 0 is out of range (1 to 1000000)",
        "triggers[5].priority: expected a whole number",
        "triggers[6].priority: \"f(\" is not a CEL expression",
        "triggers[6].dead_letter.publish: the type of an event has no spaces (order.failed)",
        "triggers[7].batch.key: expected a text, got a list",
        "triggers[7].priority: 1001 is out of range (-1000 to 1000)",
        "hooks[0].config.debounce.mode: an order needs every event",
    ];
    let lines = lines(&desired);
    for (line, expected) in lines.iter().zip(expected) {
        let expected = format!("functions/f/function.yaml: {expected}");
        assert!(line.starts_with(&expected), "{expected}: {line}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
}

#[test]
fn a_retry_that_names_one_bound_keeps_the_other_sensible() {
    let world = World::new();
    let desired = world.manifest(
        "triggers:
         - { type: event, match: a, retry: { initial: 10m } }
         - { type: event, match: b, retry: { max: 500ms } }",
    );
    assert_eq!(lines(&desired), Vec::<String>::new());
    let retries = desired.functions[0].triggers.iter().map(|t| t.policy.retry.clone());
    for retry in retries {
        let retry = retry.unwrap();
        assert!(retry.initial <= retry.max, "{retry:?}");
    }
}

#[test]
fn all_problems_are_said_at_once_with_their_fields() {
    let world = World::new();
    let desired = world.manifest(
        r#"
        name: on user
        runtime: nodejs21
        handlr: index.handler
        memory: 64mb
        timeout: 1h
        env: { A: "${NOPE} ${secrets.NOPE}" }
        scaling: { minInstances: 5, maxInstances: 2 }
        triggers:
          - { type: htp, path: /a }
          - { type: http, pth: /a }
          - { type: event, match: a, retri: { attempts: 1 } }
          - { type: event, match: a, retry: { attempts: 0, initial: 1m, max: 1s }, filter: "size(a" }
          - { type: schedule, cron: "* * * * *", mode: sink }
        hooks:
          - { type: event, match: a, config: { timeout: 1h } }
        "#,
    );
    let expected = [
        r#"name: "on user" is not a name of a function"#,
        r#"runtime: unknown runtime "nodejs21" (did you mean "nodejs"#,
        r#"memory: 64mb is out of range (128mb to 4gb)"#,
        r#"timeout: 1h is out of range (1ms to 15m)"#,
        r"env.A: ${NOPE} is not set (set the variable NOPE in the environment of the server)",
        r"env.A: ${secrets.NOPE} is not set (set the variable EVOKE_SECRET_NOPE",
        r"scaling.minInstances: 5 is more than maxInstances, 2",
        r#"triggers[0].type: unknown trigger kind "htp" (did you mean "http"?)"#,
        r"triggers[1].path: expected a text",
        r#"triggers[1].pth: unknown key "pth""#,
        r#"triggers[2].retri: unknown key "retri" (did you mean "retry"?)"#,
        r"triggers[3].retry.attempts: 0 is out of range (1 to 100)",
        r"triggers[3].retry.initial: 1m is longer than `max`, 1s",
        r#"triggers[3].filter: "size(a" is not a CEL expression: unclosed bracket"#,
        r#"triggers[4].mode: unknown value "sink""#,
        r"hooks[0].config.timeout: 1h is out of range",
        r#"handlr: unknown key "handlr" (did you mean "handler"?)"#,
    ];
    let lines = lines(&desired);
    for start in expected {
        let start = format!("functions/f/function.yaml: {start}");
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{start}\n{lines:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    assert!(desired.functions.is_empty());
    assert!(desired.broken.contains("f"));
}

#[test]
fn a_folder_without_a_manifest_is_a_function_with_defaults() {
    let world = World::new();
    world
        .file("functions/a/index.ts", "")
        .file("functions/b/main.py", "")
        .file("functions/c/index.mjs", "")
        .file("functions/lib/util.ts", "")
        .file("functions/.hidden/index.ts", "")
        .file("functions/node_modules/index.js", "")
        .file("functions/loose.ts", "");
    let desired = world.read();
    assert_eq!(lines(&desired), Vec::<String>::new());
    let found: Vec<(&str, &str)> = desired
        .functions
        .iter()
        .map(|function| (function.spec.name.as_str(), function.spec.runtime.as_str()))
        .collect();
    assert_eq!(found, [("a", "nodejs"), ("b", "python"), ("c", "nodejs")]);
    assert_eq!(desired.functions[0].spec.timeout, Millis::from_secs(30));
    assert!(desired.functions[0].code.is_absolute());

    world.file("functions/d/main.go", "");
    let desired = world.read();
    assert_eq!(lines(&desired).len(), 1);
    assert!(lines(&desired)[0].contains("runtime \"go\" is not available in this version"));
    assert_eq!(desired.functions.len(), 3);
}

#[test]
fn the_project_sets_defaults() {
    let world = World::new();
    let settings = "functions = 'fn'\n[defaults]\nruntime = 'bun'\nmemory = '1gb'\ntimeout = 5\n";
    world.file("evoke.toml", settings).file("fn/a/index.ts", "").file("fn/b/main.py", "");
    let desired = world.read();
    assert_eq!(lines(&desired), Vec::<String>::new());
    assert_eq!(desired.function("a").unwrap().spec.runtime, "bun");
    assert_eq!(desired.function("a").unwrap().spec.memory, ByteSize::from_mb(1024));
    assert_eq!(desired.function("b").unwrap().spec.runtime, "python");
    assert_eq!(desired.function("b").unwrap().spec.timeout, Millis::from_secs(5));

    world.file("evoke.toml", "functions = 'fn'\n[sever]\n");
    let desired = world.read();
    assert!(lines(&desired)[0].starts_with("evoke.toml: sever: unknown key"));
}

#[test]
fn a_handler_whose_file_is_missing_is_a_problem() {
    let world = World::new();
    world
        .file("functions/a/function.json", r#"{"runtime": "bun", "handler": "src/main.run"}"#)
        .file("functions/b/function.json", r#"{"runtime": "python3.11"}"#)
        .file("functions/c/function.json", "{ \"name\": \"c\" }")
        .file("functions/d/function.json", r#"{"runtime": "bun", "handler": "src/main.run"}"#)
        .file("functions/d/src/main.ts", "");
    let lines = lines(&world.read());
    assert_eq!(
        lines,
        [
            "functions/a/function.json: handler: handler \"src/main.run\": there is no file \
             src/main (add one of: src/main.ts, src/main.js, src/main.mjs)",
            "functions/b/function.json: handler: handler \"main.handler\": there is no file main \
             (add one of: main.py)",
            "functions/c/function.json: runtime: `runtime` is missing (write `runtime`, or add \
             index.ts, index.js, main.py or main.go)",
        ]
    );
}

#[test]
fn names_and_routes_are_unique_in_a_project() {
    let world = World::new();
    let route = |path: &str, methods: &str| {
        format!("{{triggers: [{{type: http, path: \"{path}\", methods: [{methods}]}}]}}")
    };
    for (name, manifest) in [
        ("a", route("/users/{id}", "GET")),
        ("b", route("/users/{name}", "GET, POST")),
        ("c", route("/users/{id}", "DELETE")),
        ("d", route("/users/me", "GET")),
        ("e", "{triggers: [{type: http, path: /x}, {type: http, path: /x}]}".to_owned()),
        ("f", "name: a".to_owned()),
    ] {
        world.file(&format!("functions/{name}/index.js"), "");
        world.file(&format!("functions/{name}/function.yaml"), manifest);
    }
    let desired = world.read();
    assert_eq!(
        lines(&desired),
        [
            "functions/b/function.yaml: triggers: the route /users/{name} is claimed by \
             function \"a\" and by function \"b\" (give one of them another path or other methods)",
            "functions/e/function.yaml: triggers: the route /x is claimed twice \
             (give one of them another path or other methods)",
            "functions/f/function.yaml: name: two functions are called \"a\" \
             (the other is functions/a/function.yaml)",
        ]
    );
    let names: Vec<&str> =
        desired.functions.iter().map(|function| function.spec.name.as_str()).collect();
    assert_eq!(names, ["a", "c", "d"]);
    assert_eq!(desired.broken, BTreeSet::from(["b".to_owned(), "e".to_owned()]));
}

#[test]
fn triggers_have_names_that_stay() {
    let world = World::new();
    let desired = world.manifest(
        "triggers:
         - { type: event, match: 'order.*' }
         - { type: event, match: order }
         - { type: event, match: x, name: mine }
         - { type: http, path: / }",
    );
    let names: Vec<&str> =
        desired.functions[0].triggers.iter().map(|trigger| trigger.name.as_str()).collect();
    assert_eq!(names, ["event-order", "event-order-2", "mine", "http"]);

    let twice = "triggers: [{type: event, match: a, name: x}, {type: event, match: b, name: x}]";
    let desired = world.manifest(twice);
    assert!(lines(&desired)[0].contains("triggers[1].name: another trigger is called \"x\""));
}

#[test]
fn several_manifests_are_a_problem() {
    let world = World::new();
    world.file("functions/f/function.toml", "").file("functions/f/function.json", "{}");
    let desired = world.manifest("runtime: node");
    assert_eq!(
        lines(&desired),
        ["functions/f: there are several manifests: function.yaml, function.toml, function.json \
          (keep one of them)"]
    );
}

#[test]
fn a_reread_looks_only_at_what_changed() {
    let world = World::new();
    world.file("functions/a/index.js", "1").file("functions/b/index.js", "1");
    let first = world.read();
    world.file("functions/a/index.js", "2").file("functions/b/index.js", "2");
    let changed = BTreeSet::from(["a".to_owned()]);
    let second = reread(world.root(), &world.context(), &first, &changed);
    assert_ne!(second.function("a").unwrap().hash, first.function("a").unwrap().hash);
    assert_eq!(second.function("b").unwrap().hash, first.function("b").unwrap().hash);
    assert_ne!(second.function("b").unwrap().hash, world.read().function("b").unwrap().hash);

    fs::remove_dir_all(world.root().join("functions/b")).unwrap();
    world.file("functions/c/index.js", "1");
    let third = reread(world.root(), &world.context(), &second, &BTreeSet::new());
    let names: Vec<&str> = third.functions.iter().map(|f| f.spec.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn a_config_script_may_import_from_the_project_but_not_from_outside() {
    let world = World::new();
    world
        .file("shared/limits.ts", "export const memory: number = 512;")
        .file("functions/a/index.ts", "")
        .file(
            "functions/a/function.config.ts",
            "import { memory } from '../../shared/limits.ts'; export default { memory };",
        )
        .file("functions/b/index.ts", "")
        .file(
            "functions/b/function.config.ts",
            "import { memory } from '../../../limits.ts'; export default { memory };",
        );
    let desired = world.read();
    assert_eq!(desired.function("a").unwrap().spec.memory, ByteSize::from_mb(512));
    assert_eq!(lines(&desired).len(), 1);
    assert!(lines(&desired)[0].contains("cannot import"), "{:?}", lines(&desired));
}

#[test]
fn hostile_folders_are_problems_and_never_a_panic() {
    let world = World::new();
    let functions = world.root().join("functions");
    world
        .file("functions/ok/index.js", "")
        .file("functions/empty/function.json", "")
        .file("functions/binary/function.yaml", b"\x7fELF\x00\xff\xfe")
        .file("functions/huge/function.json", " ".repeat(2 << 20))
        .file("functions/deep/function.json", "[".repeat(10_000))
        .file("functions/loops/index.ts", "")
        .file("functions/loops/function.config.ts", "for (;;) {}")
        .file("functions/grows/index.ts", "")
        .file(
            "functions/grows/function.config.ts",
            "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)",
        )
        .file("functions/sp ace/index.js", "")
        .file("functions/up/index.js", "")
        .file("functions/up/function.json", r#"{"name": "../../etc"}"#)
        .file("functions/folder/function.yaml/x", "")
        .file("functions/dangling/index.js", "");
    symlink("/nowhere", functions.join("dangling/function.json")).unwrap();
    symlink(&functions, functions.join("circle")).unwrap();
    symlink("self", functions.join("self")).unwrap();
    let odd = functions.join(std::ffi::OsStr::from_bytes(b"odd-\xff"));
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("index.js"), "").unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(functions.join("ok/pipe"))
        .status()
        .and_then(|_| {
            fs::create_dir_all(functions.join("pipe"))?;
            std::process::Command::new("mkfifo").arg(functions.join("pipe/function.json")).status()
        });
    assert!(pipe.unwrap().success());

    let desired = world.read();
    let lines = lines(&desired);
    for name in [
        "empty", "binary", "huge", "deep", "loops", "grows", "sp ace", "up", "folder", "dangling",
        "odd-", "pipe",
    ] {
        let start = format!("functions/{name}");
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{name}: {lines:#?}");
    }
    assert_eq!(desired.functions.len(), 1, "{lines:#?}");
    assert_eq!(desired.functions[0].spec.name, "ok");

    let missing = read(&world.root().join("nowhere"), &world.context());
    assert!(missing.functions.is_empty());
    assert_eq!(missing.warnings.len(), 1);
}

#[test]
fn a_trigger_in_a_file_of_its_own_names_its_target() {
    let world = World::new();
    world
        .file("triggers/forward.yaml", "type: event\nmatch: a.*\nfilter: event.data.x\ntarget: { type: http, url: u }")
        .file("triggers/run.json", r#"{"name": "other", "type": "event", "match": "b", "target": {"type": "function", "name": "f"}}"#)
        .file("triggers/README.md", "# no trigger");
    let desired = world.read();
    assert_eq!(lines(&desired), Vec::<String>::new());
    let [forward, other] = desired.triggers.as_slice() else { panic!("{desired:#?}") };
    assert_eq!((forward.name.as_str(), other.name.as_str()), ("forward", "other"));
    assert_eq!(forward.config, json!({ "match": "a.*" }));
    assert_eq!(forward.policy.filter.as_deref(), Some("event.data.x"));
    assert_eq!(forward.target, Target { kind: "http".to_owned(), config: json!({ "url": "u" }) });
    assert_eq!(other.target, Target::function("f"));
}

#[test]
fn references_in_triggers_are_filled_in() {
    let world = World::new();
    world.file(
        "triggers/forward.yaml",
        "{type: event, match: a.*, target: {type: http, headers: {a: 'Bearer ${secrets.API_KEY}'}}}",
    );
    world
        .file("triggers/odd.yaml", "{type: event, match: a, target: {type: http, url: '${NONE}'}}");
    let desired = world
        .manifest("triggers: [{type: http, path: '/hooks/${OPENAI_API_KEY}', methods: ['$${x}']}]");
    let trigger = &desired.functions[0].triggers[0];
    assert_eq!(trigger.config, json!({ "path": "/hooks/sk-1", "methods": ["${x}"] }));
    assert_eq!(trigger.name, "http-hooks-openai-api-key");
    assert_eq!(desired.triggers[0].target.config, json!({ "headers": { "a": "Bearer s3cret" } }));
    assert_eq!(
        lines(&desired),
        ["triggers/odd.yaml: target.url: ${NONE} is not set \
          (set the variable NONE in the environment of the server)"]
    );

    let desired = world.manifest(
        "triggers:
         - { type: http, path: ['${secrets.API_KEY}'] }
         - { type: http, path: a, methods: [GET, '${secrets.NONE}'] }
        ",
    );
    assert_eq!(
        lines(&desired)[1..],
        [
            "functions/f/function.yaml: triggers[0].path: it is not valid with \
             ${secrets.API_KEY} filled in (look at the value, which is not shown here)",
            "functions/f/function.yaml: triggers[1].methods[1]: ${secrets.NONE} is not set \
             (set the variable EVOKE_SECRET_NONE in the environment of the server)",
        ]
    );
}

#[test]
fn a_broken_trigger_file_stops_no_other() {
    let world = World::new();
    world
        .file("triggers/a.yaml", "type: event\nmatch: a")
        .file("triggers/b.yaml", "type: event\nmatch: a\ntarget: { url: u }")
        .file("triggers/c.toml", "type = ")
        .file("triggers/d.yaml", "type: event\nmatch: a\ntarget: { type: http }")
        .file("triggers/e.yaml", "name: d\ntype: event\nmatch: a\ntarget: { type: http }")
        .file("triggers/f.yaml", "type: poll\nevery: 2s\ntarget: { type: http }");
    let desired = world.read();
    let names: Vec<&str> = desired.triggers.iter().map(|trigger| trigger.name.as_str()).collect();
    assert_eq!(names, ["d"]);
    let broken: Vec<&str> = desired.broken_triggers.iter().map(String::as_str).collect();
    assert_eq!(broken, ["a", "b", "c", "d", "f"]);
    let lines = lines(&desired);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].starts_with("triggers/a.yaml: target: `target` is missing"), "{lines:#?}");
    assert_eq!(lines[1], "triggers/b.yaml: target.type: `type` is missing");
    assert_eq!(lines[3], "triggers/e.yaml: name: two triggers are called \"d\"");
    assert_eq!(desired.warnings.len(), 2, "{:#?}", desired.warnings);
}

#[test]
fn what_runs_is_kept_while_its_folder_is_broken() {
    let world = World::new();
    world.file("functions/a/index.js", "").file("functions/a/function.yaml", "name: other");
    let first = world.read();
    let code = first.function("other").unwrap().code.clone();
    let nowhere = Path::new("/nowhere");
    assert!(first.is_usable && !first.keeps("other", &code));

    world.file("functions/a/function.yaml", "name: [");
    let changed = BTreeSet::from(["a".to_owned()]);
    let second = reread(world.root(), &world.context(), &first, &changed);
    assert!(second.functions.is_empty());
    assert!(second.keeps("other", nowhere) && second.keeps("a", nowhere));
    // A first look at a broken folder knows only where the code is.
    let fresh = world.read();
    assert!(!fresh.keeps("other", nowhere) && fresh.keeps("other", &code));

    world.file("functions/a/function.yaml", "name: new");
    let third = reread(world.root(), &world.context(), &second, &changed);
    assert!(third.function("new").is_some() && !third.keeps("other", &code));

    world.file("evoke.toml", "functions = 7");
    assert!(!world.read().is_usable && world.read().keeps("anything", nowhere));
}

#[test]
fn what_is_made_for_a_new_function_reads_without_a_word() {
    let world = World::new();
    for (name, runtime) in [("a", "nodejs22"), ("b", "bun"), ("c", "python3.11")] {
        crate::scaffold(world.root(), name, runtime).unwrap();
    }
    let desired = world.read();
    assert_eq!(lines(&desired), Vec::<String>::new());
    assert_eq!(desired.warnings, []);
    for function in &desired.functions {
        let expected = json!({ "match": format!("{}.*", function.spec.name) });
        assert_eq!(function.triggers[0].config, expected);
    }
    assert_eq!(desired.functions.len(), 3);
}

#[test]
fn a_declared_trigger_cannot_take_the_route_of_a_function() {
    let world = World::new();
    world.file("triggers/hook.yaml", "{type: http, path: /a, target: {type: http, url: x}}");
    let desired = world.manifest("triggers: [{type: http, path: /a}]");
    let expected =
        "triggers: hook: the route /a is claimed by function \"f\" and by trigger \"hook\"";
    assert!(lines(&desired)[0].starts_with(expected), "{:?}", lines(&desired));
    assert_eq!(desired.functions.len(), 1);
    assert!(desired.triggers.is_empty() && desired.broken_triggers.contains("hook"));
}

#[test]
fn a_schema_is_read_from_its_file() {
    let manifest = "triggers:\n\
        - { type: webhook, path: /webhooks/a, schema: ./a.json }\n\
        - { type: webhook, path: /webhooks/b, schema: ../../schemas/b.yaml }\n\
        - { type: webhook, path: \"/webhooks/c${OPENAI_API_KEY}\", schema: a.json }\n\
        - { type: webhook, path: /webhooks/d, schema: { type: object } }\n";
    let world = World::hooking();
    world.file("functions/f/a.json", r#"{"pattern": "^${"}"#).file("schemas/b.yaml", "type: array");
    let desired = world.manifest(manifest);
    assert_eq!(lines(&desired), Vec::<String>::new());
    let [a, b, c, d] = desired.functions[0].triggers.as_slice() else { panic!("{desired:?}") };
    assert_eq!(a.config["schema"], json!({ "pattern": "^${" }));
    assert_eq!(b.config["schema"], json!({ "type": "array" }));
    assert_eq!(d.config["schema"], json!({ "type": "object" }));
    let written = c.written.as_ref().unwrap();
    assert_eq!(written.config["schema"], json!({ "pattern": "^${" }), "the store needs no file");
    assert_eq!(written.config["path"], "/webhooks/c${OPENAI_API_KEY}");
    assert_eq!([&a.name, &b.name], ["webhook-a", "webhook-b"]);

    world.file("functions/f/a.json", r#"{"pattern": "x"}"#);
    let again = reread(world.root(), &world.context(), &desired, &["f".to_owned()].into());
    assert_eq!(again.functions[0].triggers[0].config["schema"], json!({ "pattern": "x" }));

    let taken = "triggers:\n\
        - { type: webhook, path: /webhooks/a }\n- { type: webhook, path: /webhooks/a, name: x }\n";
    assert!(lines(&world.manifest(taken))[0].contains("claimed twice"));
}

#[test]
fn a_schema_that_cannot_be_read_is_a_problem_of_its_field() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.json"), "{}").unwrap();
    let path = outside.path().join("x.json").display().to_string();
    let world = World::hooking();
    world.file("functions/f/broken.json", "{");
    for (schema, word) in [
        ("./none.json", "cannot be read"),
        ("./broken.json", "EOF"),
        ("./index.js", "ends in .json"),
        ("/dev/zero", "ends in .json"),
        (path.as_str(), "not part of the project"),
    ] {
        let manifest = format!("triggers: [{{ type: webhook, path: /w, schema: {schema} }}]");
        let lines = lines(&world.manifest(&manifest));
        assert!(lines[0].contains("triggers[0].schema: "), "{lines:?}");
        assert!(lines[0].contains(word), "{lines:?}");
    }
}

#[test]
fn a_poll_asks_the_function_of_its_manifest_in_every_form() {
    let manifest = json!({
        "triggers": [
            { "type": "poll", "every": "2s" },
            { "type": "poll", "every": "3s", "name": "depth", "run": "drain" },
        ],
    });
    for (form, text) in forms(&manifest) {
        let world = World::polling();
        world.file("functions/f/index.js", "").file(&format!("functions/f/function.{form}"), text);
        let desired = world.read();
        assert_eq!(lines(&desired), Vec::<String>::new(), "{form}");
        let [own, other] = desired.functions[0].triggers.as_slice() else { panic!("{form}") };
        assert_eq!(own.config, json!({ "every": "2s", "function": "f" }), "{form}");
        assert_eq!((own.name.as_str(), &own.target), ("poll-2s", &Target::function("f")), "{form}");
        assert_eq!(other.config, json!({ "every": "3s", "function": "f" }), "{form}");
        assert_eq!(other.target, Target::function("drain"), "{form}");
    }
}

#[test]
fn a_poll_in_a_manifest_does_not_name_whom_it_asks() {
    let world = World::polling();
    for (trigger, expected) in [
        ("every: 2s, function: g", "triggers[0].function: the function that is asked is \"f\""),
        ("every: 2s, run: a b", "triggers[0].run: \"a b\" is not a name of a function"),
        ("every: 2s, run: 7", "triggers[0].run: expected a text, got 7"),
        ("evry: 2s", "triggers[0].every: expected a text"),
    ] {
        let desired = world.manifest(&format!("triggers: [{{type: poll, {trigger}}}]"));
        let found = lines(&desired);
        assert!(found.iter().any(|line| line.contains(expected)), "{trigger}: {found:#?}");
        assert!(desired.functions.is_empty(), "{trigger}");
    }
    world.file("functions/f/function.yaml", "{}").file(
        "triggers/p.yaml",
        "{type: poll, every: 2s, function: g, target: {type: function, name: f}}",
    );
    let desired = world.read();
    assert_eq!(desired.triggers[0].config, json!({ "every": "2s", "function": "g" }));
}

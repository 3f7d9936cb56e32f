//! Versions with the real binary: what ran once can be run again, whatever the folder holds by now,
//! also after the server was killed.

use crate::commands::{gives, prints, run, text};
use crate::facts::{invoke, until};
use crate::support::BINARY;
use evoke_testkit::TestServer;
use evoke_testkit::server::Options;
use serde_json::{Value, json};

/// A language with a function that fails in its first version.
struct Language {
    runtime: &'static str,
    file: &'static str,
    helper: &'static str,
    import: &'static str,
}

const fn language(runtime: &'static str, [file, helper, import]: [&'static str; 3]) -> Language {
    Language { runtime, file, helper, import }
}

const NODE: Language = language("node", ["index.mjs", "rate.mjs", "rate.mjs"]);
const TYPESCRIPT: Language = language("node", ["index.ts", "rate.ts", "rate.js"]);
const BUN: Language = language("bun", ["index.ts", "rate.ts", "rate.ts"]);
const PYTHON: Language = language("python", ["main.py", "rate.py", "rate"]);

impl Language {
    fn manifest(&self) -> String {
        let trigger = json!({
            "name": "orders", "type": "event", "match": "order.*", "retry": { "attempts": 1 },
        });
        let environment = json!({ "KEY": "${secrets.KEY}" });
        json!({ "runtime": self.runtime, "env": environment, "triggers": [trigger] }).to_string()
    }

    /// The files of a version: what it does stands in a module of its own.
    fn version(&self, n: u32) -> Vec<(String, String)> {
        let (main, helper) = match self.runtime {
            "python" => (
                "import os\nfrom rate import rate\n\ndef handler(event, context):\n    \
                 return {'rate': rate(), 'key': os.environ['KEY']}\n"
                    .to_owned(),
                match n {
                    1 => "def rate():\n    error = ValueError('no rate in version 1')\n    \
                          error.retry = False\n    raise error\n"
                        .to_owned(),
                    n => format!("def rate():\n    return {n}\n"),
                },
            ),
            _ => (
                format!(
                    "import {{ rate }} from './{}';\nexport const handler = () => \
                     ({{ rate: rate(), key: process.env.KEY }});\n",
                    self.import,
                ),
                match n {
                    1 => "export const rate = () => {\n  \
                          const error = new Error('no rate in version 1');\n  \
                          error.retry = false;\n  throw error;\n};\n"
                        .to_owned(),
                    n => format!("export const rate = () => {n};\n"),
                },
            ),
        };
        let own = |name: &str| format!("functions/pay/{name}");
        vec![(own(self.file), main), (own(self.helper), helper)]
    }

    async fn start(&self, settings: &str) -> TestServer {
        let mut files = self.version(1);
        files.push(("functions/pay/function.json".to_owned(), self.manifest()));
        files.push(("evoke.toml".to_owned(), settings.to_owned()));
        let files: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
        let env = vec![("EVOKE_SECRET_KEY".to_owned(), "s3cret".to_owned())];
        TestServer::start(BINARY, &files, Options { env, ..Options::default() }).await
    }

    /// Saves a version and waits until it is current as this number.
    async fn save(&self, server: &TestServer, n: u32, number: u32) {
        let files = self.version(n);
        let files: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
        server.write(&files);
        is_current(server, number).await;
    }
}

async fn is_current(server: &TestServer, number: u32) {
    until(&format!("version {number} is current"), async || {
        let function = server.get("/api/functions/pay").await.expect(200).json();
        (function["version"] == number && function["status"] == "ready").then_some(())
    })
    .await;
}

/// An operation to a version, followed to its end.
fn sent(server: &TestServer, command: &[&str], to: &str) -> Value {
    let args = [command, &["--to", to, "--follow", "-o", "json"]].concat();
    let output = run(server.dir(), &server.url(""), &args);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&output.stderr)))
}

/// What is said of an operation that is refused.
fn refused(server: &TestServer, command: &[&str]) -> String {
    let output = run(server.dir(), &server.url(""), command);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

fn listed(server: &TestServer) -> Vec<(u64, bool)> {
    let versions = gives(server, &["functions", "versions", "pay"]);
    let one = |version: &Value| {
        let number = version["version"].as_u64().expect("a number");
        (number, version["is_current"] == true)
    };
    versions.as_array().expect("a list").iter().map(one).collect()
}

const REDRIVE: [&str; 2] = ["dlq", "redrive"];
const REPLAY: [&str; 4] = ["events", "replay", "--type", "order.*"];

#[tokio::test]
async fn dead_letters_and_events_go_to_the_version_that_is_named() {
    for language in [NODE, TYPESCRIPT, BUN, PYTHON] {
        let name = format!("{} {}", language.runtime, language.file);
        let mut server = language.start("").await;
        for n in 0..2 {
            server.emit("order.paid", json!({ "n": n })).await;
        }
        let dead = server.ended("status=failed", 2).await;
        language.save(&server, 2, 2).await;

        let again = sent(&server, &REDRIVE, "pay@1");
        assert_eq!(again["progress"]["failed"], 2, "{name}: {again}");
        let letter = server.execution(dead[0]["id"].as_str().expect("an id")).await;
        assert_eq!(letter["version"], 1, "{name}: {letter}");
        let told = letter.to_string();
        assert!(told.contains("no rate in version 1"), "{name}: {told}");
        let place = format!("functions/pay/{}", language.helper);
        assert!(told.contains(&place), "{name}: stacks name the user's files: {told}");
        assert!(!told.contains(".evoke/versions"), "{name}: {told}");

        server.kill();
        server.restart().await;
        is_current(&server, 2).await;
        assert_eq!(listed(&server), [(2, true), (1, false)], "{name}");
        let replayed = sent(&server, &REPLAY, "pay@1");
        assert_eq!(replayed["progress"]["failed"], 2, "{name}: {replayed}");
        let better = sent(&server, &REDRIVE, "pay@2");
        assert_eq!(better["progress"]["succeeded"], 4, "{name}: {better}");
        let mended = server.execution(dead[0]["id"].as_str().expect("an id")).await;
        assert_eq!(mended["output"], json!({ "rate": 2, "key": "s3cret" }), "{name}");
    }
}

#[tokio::test]
async fn a_version_that_is_gone_is_refused_and_so_is_garbage() {
    let server = NODE.start("[runtimes]\nkeep_versions = 2\n").await;
    server.emit("order.paid", json!({ "n": 1 })).await;
    server.ended("status=failed", 1).await;
    for n in 2..=4 {
        NODE.save(&server, n, n).await;
    }
    until("the first two are gone", async || {
        (listed(&server) == [(4, true), (3, false)]).then_some(())
    })
    .await;
    for command in [&REDRIVE[..], &REPLAY[..]] {
        for version in ["1", "2", "0", "5", "4294967295"] {
            let to = format!("pay@{version}");
            let said = refused(&server, &[command, &["--to", &to]].concat());
            let expected = format!("version {version} of function \"pay\" is not kept");
            assert!(said.contains(&expected) && said.contains("kept are 3, 4"), "{said}");
        }
        for garbage in ["pay@", "pay@x", "pay@-1", "pay@1.5", "pay@4294967296", "pay@1@2"] {
            refused(&server, &[command, &["--to", garbage]].concat());
        }
    }
    for body in [json!({ "version": 1 }), json!({ "version": 4 }), json!({ "version": "3" })] {
        let answer = server.post("/api/functions/pay/rollback", body).await.expect(400);
        assert_eq!(answer.code(), "API_001", "{}", answer.text);
    }
    let missing = server.get("/api/functions/nobody/versions").await.expect(404);
    assert_eq!(missing.code(), "FN_001");

    let folders: Vec<_> = walk(&server.dir().join(".evoke/versions"))
        .into_iter()
        .filter(|path| path.ends_with("rate.mjs"))
        .collect();
    assert!((2..=3).contains(&folders.len()), "the code is gone as well: {folders:?}");
    let secret = walk(&server.dir().join(".evoke"))
        .into_iter()
        .find(|path| std::fs::read(path).is_ok_and(|bytes| memchr(&bytes, b"s3cret")));
    assert_eq!(secret, None, "secrets are not written");
}

/// All files below a folder; links are not followed.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(walk(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

fn memchr(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn a_rollback_holds_until_the_folder_changes() {
    for language in [NODE, PYTHON] {
        let mut server = language.start("").await;
        for n in 2..=3 {
            language.save(&server, n, n).await;
        }
        let rate = async |server: &TestServer| {
            invoke(server, "pay", json!(null)).await.expect(200).json()["rate"].clone()
        };
        assert_eq!(rate(&server).await, 3);
        let back = gives(&server, &["functions", "rollback", "pay"]);
        assert_eq!(back["version"], 4, "{back}");
        assert_eq!(rate(&server).await, 2);
        server.kill();
        server.restart().await;
        is_current(&server, 4).await;
        assert_eq!(rate(&server).await, 2, "a restart changes nothing");
        let table = prints(&server, &["functions", "versions", "pay"]);
        assert_eq!(table.lines().count(), 5, "{table}");
        let trail = gives(&server, &["audit", "list", "--action", "function.rollback"]);
        assert_eq!(trail[0]["detail"], json!({ "from": 3, "to": 2, "version": 4 }), "{trail}");

        gives(&server, &["functions", "rollback", "pay", "--to", "3"]);
        assert_eq!(rate(&server).await, 3);
        language.save(&server, 6, 6).await;
        assert_eq!(rate(&server).await, 6);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_deployed_leaves_the_version_before_it_at_work() {
    for (file, broken) in [
        ("functions/pay/rate.mjs", "export const rat = () => 3;\n"),
        ("functions/pay/function.json", "{\"runtime\": \"nod\"}"),
    ] {
        let mut server = NODE.start("").await;
        NODE.save(&server, 2, 2).await;
        server.kill();
        server.write(&[(file, broken)]);
        server.restart().await;
        let answer = invoke(&server, "pay", json!(null)).await.expect(200).json();
        assert_eq!(answer["rate"], 2, "{file}: {}", server.output());
        server.emit("order.paid", json!({})).await;
        server.ended("status=success&trigger=orders", 1).await;
    }
}

#[tokio::test]
async fn code_and_packages_are_those_of_the_version() {
    let package = |n: u32| {
        let text = format!("module.exports = {n};\n");
        (format!("lib{n}/index.js"), text, format!("lib{n}/package.json"))
    };
    let code = "const n = require('left');\n\
         exports.handler = async () => [n, require('../../shared/tax.cjs'), VERSION];\n";
    let manifest = r#"{"runtime": "node", "handler": "index.handler"}"#;
    let mut files = vec![("functions/pay/function.json".to_owned(), manifest.to_owned())];
    files.push(("shared/tax.cjs".to_owned(), "module.exports = 'tax';\n".to_owned()));
    for n in 1..=2 {
        let (main, text, about) = package(n);
        files.push((format!("shared/{main}"), text));
        files.push((
            format!("shared/{about}"),
            format!(r#"{{"name": "left", "version": "{n}.0.0"}}"#),
        ));
    }
    let version = |n: u32| {
        let wants = format!(r#"{{"dependencies": {{"left": "file:../../shared/lib{n}"}}}}"#);
        let code = code.replace("VERSION", &n.to_string());
        [
            ("functions/pay/index.js".to_owned(), code),
            ("functions/pay/package.json".to_owned(), wants),
        ]
    };
    files.extend(version(1));
    let files: Vec<_> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    let mut server = TestServer::start(BINARY, &files, Options::default()).await;
    let answer =
        async |server: &TestServer| invoke(server, "pay", json!(null)).await.expect(200).json();
    assert_eq!(answer(&server).await, json!([1, "tax", 1]));
    let second = version(2);
    server.write(&second.each_ref().map(|(p, c)| (p.as_str(), c.as_str())));
    until("the second is current", async || {
        (invoke(&server, "pay", json!(null)).await.json() == json!([2, "tax", 2])).then_some(())
    })
    .await;
    server.kill();
    server.restart().await;
    gives(&server, &["functions", "rollback", "pay"]);
    assert_eq!(answer(&server).await, json!([1, "tax", 1]), "with the packages it had");
}

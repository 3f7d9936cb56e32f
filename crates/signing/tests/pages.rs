//! The pages of the documentation say what is so: the commands that they show are run by a shell,
//! with a `curl` that only tells what it would send, and each request has to be believed by the
//! verifier of the manifest on the same page.
#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evoke_model::Timestamp;
use evoke_signing::{Refused, Request, Spec, Verifier, presets};

/// Tells its arguments, and the secret the page's command has made up, each behind a null byte.
const CURL: &str =
    "curl() { printf '\\0%s' \"$@\"; printf '\\0secret\\0%s' \"$secret\"; }\nset -eu\n";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = page.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    let block = |text: &&str| {
        let (language, text) = text.split_once('\n').expect("a language");
        (language.to_owned(), text.to_owned())
    };
    fenced.map(block).collect()
}

/// The fields of `verification: { type: stripe, secret: "${secrets.STRIPE}" }`.
fn verification(manifest: &str) -> Vec<(String, String)> {
    let line = manifest.lines().find_map(|line| line.split_once("verification: {"));
    let (_, fields) = line.expect("a verification");
    let fields = fields.trim_end().strip_suffix('}').expect("a mapping of one line");
    let field = |field: &str| {
        let (name, value) = field.split_once(": ").expect("a field");
        (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())
    };
    fields.split(", ").map(field).collect()
}

/// The verifier of a manifest, with a secret in the place of its own.
fn verifier(manifest: &str, secret: &str) -> Verifier {
    let (mut spec, mut kind) = (Spec::default(), String::new());
    for (name, value) in verification(manifest) {
        match name.as_str() {
            "type" => kind = value,
            "secret" | "password" => {
                assert!(value.starts_with("${secrets."), "{value}");
                spec.secrets = vec![secret.to_owned()];
            }
            "header" => spec.header = Some(value),
            "prefix" => spec.prefix = Some(value),
            "username" => spec.username = Some(value),
            "url" => spec.url = Some(value),
            "tolerance" => spec.tolerance = Some(value.parse().expect("a duration")),
            other => panic!("a field {other}"),
        }
    }
    Verifier::new(&kind, spec).expect("a verifier")
}

/// What `curl` would send.
#[derive(Default, Debug)]
struct Sent {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    secret: String,
}

fn sent(script: &str) -> Sent {
    let output = Command::new("sh").args(["-c", &format!("{CURL}{script}")]).output();
    let output = output.expect("start a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("a text");
    let mut arguments = told.split('\0').skip(1);
    let mut sent = Sent::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value").to_owned();
        match argument {
            "-H" => {
                let header = value();
                let (name, value) = header.split_once(": ").expect("a header");
                sent.headers.push((name.to_owned(), value.to_owned()));
            }
            "-u" => {
                let credentials = format!("Basic {}", STANDARD.encode(value()));
                sent.headers.push(("Authorization".to_owned(), credentials));
            }
            "-d" => {
                let separator = if sent.body.is_empty() { "" } else { "&" };
                sent.body = format!("{}{separator}{}", sent.body, value());
                let form = "application/x-www-form-urlencoded";
                sent.headers.retain(|(name, _)| name != "Content-Type");
                sent.headers.push(("Content-Type".to_owned(), form.to_owned()));
            }
            "--data-binary" => sent.body = value(),
            "secret" => sent.secret = value(),
            url => {
                assert!(sent.url.is_empty() && url.starts_with("http"), "{url}");
                sent.url = url.to_owned();
            }
        }
    }
    sent
}

fn believed(sent: &Sent, verifier: &Verifier) -> Result<(), Refused> {
    let headers: Vec<(&str, &[u8])> =
        sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let now = Timestamp::from_millis(i64::try_from(since.as_millis()).expect("a time"));
    let (url, body) = (sent.url.as_str(), sent.body.as_bytes());
    let request = Request { method: "POST", url, headers: &headers, body };
    verifier.verify(&request, now).map(|_| ())
}

#[test]
fn the_commands_of_the_pages_make_requests_that_are_believed() {
    let mut shown = BTreeSet::new();
    for page in std::fs::read_dir(docs().join("webhooks")).expect("the pages") {
        let path = page.expect("a page").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let mut manifest = None;
        for (language, text) in blocks(&text) {
            match (language.as_str(), &manifest) {
                ("yaml", _) => manifest = Some(text),
                ("sh", Some(manifest)) => {
                    let sent = sent(&text);
                    let verifier_of = |secret: &str| verifier(manifest, secret);
                    let ours = verifier_of(&sent.secret);
                    assert_eq!(believed(&sent, &ours), Ok(()), "{}: {sent:?}", path.display());
                    let other = verifier_of("AAAA");
                    let refused = believed(&sent, &other).map_err(|refused| refused.reason());
                    assert_eq!(refused, Err("mismatch"), "{}: {sent:?}", path.display());
                    shown.insert(ours.preset().name);
                }
                _ => {}
            }
        }
    }
    let missing: Vec<&str> =
        presets().iter().map(|preset| preset.name).filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, ["hmac-sha1", "hmac-sha512", "none"]);
}

/// The table has every preset with all of its fields.
#[test]
fn the_table_of_the_page_is_that_of_the_code() {
    let page = std::fs::read_to_string(docs().join("webhooks.md")).expect("the page");
    for preset in presets() {
        let name = format!("`{}`", preset.name);
        let row = page.lines().find(|line| line.starts_with('|') && line.contains(&name));
        let row = row.unwrap_or_else(|| panic!("a row for {name}"));
        let fields = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last cell");
        let expected: Vec<String> =
            preset.fields.iter().map(|field| format!("`{}`", field.name)).collect();
        let expected = if expected.is_empty() { "none".to_owned() } else { expected.join(", ") };
        assert_eq!(fields, expected, "{name}");
    }
}

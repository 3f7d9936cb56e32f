//! What may be configured, and what is said of the rest.

use super::*;
use crate::Verifier;

fn of(secrets: &[&str]) -> Spec {
    Spec { secrets: secrets.iter().map(|text| (*text).to_owned()).collect(), ..Spec::default() }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn told(kind: &str, spec: Spec) -> Vec<String> {
    let problems = Verifier::new(kind, spec).map(|_| ()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn names_are_found_however_they_are_written() {
    for kind in ["standard-webhooks", "standard_webhooks", "Standard-Webhooks"] {
        assert_eq!(preset(kind).unwrap().name, "standard-webhooks");
    }
    for (kind, suggestion) in [
        ("strype", "did you mean \"stripe\"?"),
        ("githb", "did you mean \"github\"?"),
        ("hmac_sha265", "did you mean \"hmac-sha256\"?"),
        ("standardwebhooks", "did you mean \"standard-webhooks\"?"),
    ] {
        assert_eq!(preset(kind).unwrap_err().suggestion.as_deref(), Some(suggestion), "{kind}");
    }
    let unknown = preset("x").unwrap_err();
    assert!(unknown.suggestion.unwrap().starts_with("one of: hmac-sha256, "));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let spec = Spec {
        header: text("X Signature"),
        encoding: text("hx"),
        prefix: text("ä"),
        secret_encoding: text("whsec"),
        delivery_header: text(""),
        username: text("user"),
        tolerance: Some(Millis::from_secs(60)),
        ..of(&["", "k", "k"])
    };
    let expected = [
        "tolerance: is no field of hmac-sha256 (it takes: secret, header, encoding, prefix, \
         secret_encoding, delivery_header)",
        "username: is no field of hmac-sha256 (it takes: secret, header, encoding, prefix, \
         secret_encoding, delivery_header)",
        "secret_encoding: is no such word (one of: text, hex, base64)",
        "secret[0]: may not be empty",
        "secret[2]: is there twice",
        "prefix: must be printable ASCII",
        "encoding: is no such word (did you mean \"hex\"?)",
        "delivery_header: is no name of a header",
        "header: is no name of a header",
    ];
    assert_eq!(told("hmac-sha256", spec), expected);
}

#[test]
fn each_field_has_its_limits() {
    let tolerance = |tolerance| Spec { tolerance: Some(tolerance), ..of(&["s"]) };
    let generic = |header: &str| Spec { header: text(header), ..of(&["s"]) };
    let user = |name: &str| Spec { username: text(name), ..of(&["p"]) };
    let url = |address: &str| Spec { url: text(address), ..of(&["s"]) };
    let between = "tolerance: must be between 1s and 1h";
    let address = "url: is no address (https://example.com/webhooks/twilio)";
    let six: Vec<String> = (0..6).map(|at| format!("s{at}")).collect();
    for (kind, spec, expected) in [
        ("stripe", of(&[]), "secret: is missing"),
        ("stripe", of(&[""]), "secret: may not be empty"),
        ("stripe", of(&["s\n"]), "secret: begins or ends with white space"),
        ("stripe", Spec { secrets: six, ..Spec::default() }, "secret: may be 5 at most"),
        ("stripe", tolerance(Millis::ZERO), between),
        ("slack", tolerance(Millis::new(999)), between),
        ("svix", Spec { tolerance: Some(Millis::new(3_600_001)), ..of(&["c2VjcmV0"]) }, between),
        ("svix", of(&["whsec_?"]), "secret: is not base64"),
        ("github", generic("x"), "header: is no field of github (it takes: secret)"),
        ("hmac-sha1", of(&["s"]), "header: is missing"),
        ("hmac-sha1", generic(""), "header: is no name of a header"),
        ("basic", of(&["p"]), "username: is missing"),
        ("basic", user("a:b"), "username: may not have a colon"),
        ("basic", user(""), "username: may not be empty"),
        ("basic", Spec { username: text("u"), ..of(&[]) }, "password: is missing"),
        ("twilio", url("example.com/x"), address),
        ("twilio", url("https:///x"), address),
        ("none", of(&["s"]), "secret: is no field of none (it takes no fields)"),
    ] {
        assert_eq!(told(kind, spec), [expected], "{kind}");
    }
    for seconds in [1, 300, 3_600] {
        assert!(Verifier::new("stripe", tolerance(Millis::from_secs(seconds))).is_ok());
    }
}

/// The fields of a preset are what it takes, and its example is a configuration that works.
#[test]
fn the_table_says_what_is_so() {
    for preset in presets() {
        let mut names: Vec<&str> = preset.fields.iter().map(|field| field.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{}", preset.name);
        let mut spec = Spec::default();
        for (name, value) in preset.example {
            assert!(names.contains(name), "{}: {name}", preset.name);
            match *name {
                "secret" | "password" => spec.secrets.push("c2VjcmV0".to_owned()),
                "header" => spec.header = text(value),
                "username" => spec.username = text(value),
                "url" => spec.url = text(value),
                other => panic!("{}: {other}", preset.name),
            }
        }
        let verifier = Verifier::new(preset.name, spec).unwrap();
        assert_eq!(verifier.preset().name, preset.name);
        for field in preset.fields {
            assert!(!(field.required && field.default.is_some()), "{}", field.name);
            if let (Shape::Word(words), Some(default)) = (field.shape, field.default) {
                assert!(words.contains(&default), "{}", field.name);
            }
        }
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
        assert!(std::path::Path::new(page).join(preset.docs).exists(), "{}", preset.docs);
    }
}

#[test]
fn a_specification_is_not_printed() {
    let spec = Spec { header: text("hunter2"), ..of(&["hunter2"]) };
    assert_eq!(format!("{spec:?}"), r#"["secret", "header"]"#);
    let problems = told("svix", of(&["hunter2!"]));
    assert!(!problems.concat().contains("hunter2"), "{problems:?}");
}

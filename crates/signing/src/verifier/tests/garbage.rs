//! Everything that can be wrong with a request, and what is said of it.

use super::*;

const BODY: &str = r#"{"id": "evt_1"}"#;

fn stranger(kind: &str) -> &'static Stranger {
    STRANGERS.iter().find(|stranger| stranger.kind == kind).unwrap()
}

fn told(kind: &str, change: impl Fn(Message) -> Message) -> String {
    let stranger = stranger(kind);
    let message = change(signed(stranger, BODY));
    message.verify(&stranger.verifier(), NOW).unwrap_err().to_string()
}

/// Headers that must be there, of each scheme.
fn needed() -> Vec<(&'static Stranger, String)> {
    let all = STRANGERS.iter().flat_map(|stranger| {
        let names = signed(stranger, BODY).headers.into_iter().map(|(name, _)| name);
        names.map(move |name| (stranger, name))
    });
    all.filter(|(_, name)| !["content-type", "linear-signature"].contains(&name.as_str())).collect()
}

#[test]
fn what_is_missing_or_repeated_is_named() {
    for (stranger, name) in needed() {
        let verifier = stranger.verifier();
        let message = signed(stranger, BODY);
        assert!(message.verify(&verifier, NOW).is_ok(), "{}", stranger.kind);
        let without = message.clone().without(&name);
        let refused = Refused::Missing { header: name.clone().into() };
        assert_eq!(without.verify(&verifier, NOW), Err(refused), "{}", stranger.kind);
        let mut twice = message.clone();
        let again = twice.headers.iter().find(|(given, _)| *given == name).unwrap().clone();
        twice.headers.push((again.0.to_uppercase(), again.1));
        let refused = Refused::Repeated { header: name.clone().into() };
        assert_eq!(twice.verify(&verifier, NOW), Err(refused), "{}", stranger.kind);
    }
}

/// No value of a header is taken that was not signed, and none does any harm.
#[test]
fn no_garbage_in_a_header_is_believed() {
    let huge = "v1=".repeat(100_000);
    let long = "a".repeat(8_000);
    let garbage: [&[u8]; 16] = [
        b"",
        b" ",
        b"=",
        b",,,,;;;;",
        b"v0=",
        b"sha256=",
        b"v1,",
        b"Basic",
        b"Basic ",
        b"Basic Og==",
        b"t=1700000000,v1=",
        b"\xff\xfe",
        "sha256=ｆｆ 山".as_bytes(),
        b"a\0b",
        huge.as_bytes(),
        long.as_bytes(),
    ];
    for (stranger, name) in needed() {
        for value in garbage {
            let message = signed(stranger, BODY).with(&name, value);
            let answer = message.verify(&stranger.verifier(), NOW);
            let shown = String::from_utf8_lossy(&value[..value.len().min(20)]);
            assert!(answer.is_err(), "{} {name}: {shown}", stranger.kind);
        }
    }
}

#[test]
fn a_code_is_told_apart_from_what_only_looks_like_one() {
    let name = "x-hub-signature-256";
    let form = "the header x-hub-signature-256 has no signature of the expected form";
    let length = "the header x-hub-signature-256 has no signature of the expected length";
    let mismatch = Refused::Mismatch.to_string();
    let zeros = |count| "0".repeat(count);
    for (value, expected) in [
        (zeros(64), form),
        (format!("sha1={}", zeros(40)), form),
        (format!("SHA256={}", zeros(64)), form),
        ("sha256=".to_owned(), length),
        (format!("sha256={}", zeros(63)), length),
        (format!("sha256={}", zeros(62)), length),
        (format!("sha256={}", zeros(66)), length),
        (format!("sha256= {}", zeros(64)), length),
        (format!("sha256={}g", zeros(63)), length),
        (format!("sha256={}", zeros(64)), mismatch.as_str()),
    ] {
        assert_eq!(told("github", |message| message.with(name, &value)), expected, "{value}");
    }
    let shopify =
        |value: &str| told("shopify", |message| message.with("x-shopify-hmac-sha256", value));
    let length = "the header x-shopify-hmac-sha256 has no signature of the expected length";
    for value in ["not base64", "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8", "D0UM", &zeros(64)] {
        assert_eq!(shopify(value), length);
    }
    assert_eq!(shopify("D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8="), mismatch);
}

#[test]
fn a_list_has_one_time_and_a_signature_that_fits() {
    let name = "stripe-signature";
    let header = signed(stranger("stripe"), BODY).headers[0].1.clone();
    let header = String::from_utf8(header).unwrap();
    let code = header.split_once(",v1=").unwrap().1;
    let other = "0".repeat(64);
    for value in [
        format!("t={NOW},v1={other},v1={code}"),
        format!("t={NOW},v1={code},v1={other},v0={other}"),
        format!("v1={code}, t={NOW}, scheme=x"),
    ] {
        let message = signed(stranger("stripe"), BODY).with(name, &value);
        let answer = message.verify(&stranger("stripe").verifier(), NOW);
        assert_eq!(answer, delivered("evt_1", true), "{value}");
    }
    let many = format!("t={NOW}{}", format!(",v1={other}").repeat(40));
    for (value, expected) in [
        (format!("t={NOW},t={NOW},v1={code}"), "has more than one time"),
        (format!("t=1,t={NOW},v1={code}"), "has more than one time"),
        (format!("v1={code}"), "has no time, or one that is no whole number"),
        (format!("t=,v1={code}"), "has no time, or one that is no whole number"),
        (format!("t=now,v1={code}"), "has no time, or one that is no whole number"),
        (format!("t=-{NOW},v1={code}"), "has no time, or one that is no whole number"),
        (
            format!("t=99999999999999999999,v1={code}"),
            "has no time, or one that is no whole number",
        ),
        (format!("t={NOW}"), "has no signature of the expected form"),
        (format!("t={NOW},v0={code}"), "has no signature of the expected form"),
        (format!("t={NOW},v1={code}0"), "has no signature of the expected length"),
        (many, "has too many signatures"),
    ] {
        let told = told("stripe", |message| message.with(name, &value));
        assert_eq!(told, format!("the header {name} {expected}"), "{value}");
    }
    let moved = told("stripe", |message| message.with(name, format!("t=0{NOW},v1={code}")));
    assert_eq!(moved, Refused::Mismatch.to_string());
}

/// An id becomes the id of an event, so it is one word; a signed one may not hold the dot that the
/// parts are joined by.
#[test]
fn an_id_of_a_delivery_is_one_word() {
    let long = "x".repeat(201);
    for id in ["", " ", "a b", "ä", &long] {
        let told = told("github", |message| message.with("X-GitHub-Delivery", id));
        assert_eq!(told, "the header x-github-delivery is no id", "{id:?}");
    }
    for id in ["", "a.b", "."] {
        let told = told("standard-webhooks", |message| message.with("webhook-id", id));
        assert_eq!(told, "the header webhook-id must be a text without dots", "{id:?}");
    }
    // Who can sign the body may have anything in it.
    for body in [
        "",
        "no JSON",
        "[]",
        r#"{"id": ""}"#,
        r#"{"id": "a b"}"#,
        r#"{"id": {"id": 1}}"#,
        r#"{"other": 1}"#,
    ] {
        let stripe = stranger("stripe");
        assert_eq!(signed(stripe, body).verify(&stripe.verifier(), NOW), Ok(Verified::default()));
    }
    let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(201));
    let stripe = stranger("stripe");
    assert_eq!(signed(stripe, &long).verify(&stripe.verifier(), NOW), Ok(Verified::default()));
}

/// A body that Twilio's signature says nothing of is not taken.
#[test]
fn twilio_signs_all_of_the_body_or_none_is_taken() {
    let twilio = stranger("twilio");
    let empty = signed(twilio, "");
    assert!(empty.clone().without("content-type").verify(&twilio.verifier(), NOW).is_ok());
    for kind in ["application/json", "", "multipart/form-data"] {
        let mut message = empty.clone().with("content-type", kind);
        message.body = BODY.into();
        let told = message.verify(&twilio.verifier(), NOW).unwrap_err().to_string();
        assert_eq!(told, "the body is no form, and the address does not have its hash", "{kind}");
    }
    for (query, expected) in [("bodySHA256=", "mismatch"), ("bodySHA256=00", "mismatch")] {
        let mut message = empty.clone().with("content-type", "application/json");
        message.body = BODY.into();
        message.url = format!("https://example.com/webhooks/x?{query}");
        assert_eq!(reason(message.verify(&twilio.verifier(), NOW)), expected);
    }
    for value in ["", "AAAA", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "=", "RSOYDt4T1cUTdK1PDd93/VVr8B8=="] {
        let message = empty.clone().with("x-twilio-signature", value);
        assert_eq!(reason(message.verify(&twilio.verifier(), NOW)), "malformed", "{value}");
    }
}

/// What the function is given of the address was signed.
#[test]
fn the_query_is_that_of_the_address() {
    let twilio = |address: &str| {
        let spec = Spec { url: Some(address.to_owned()), ..secrets(&["s"]) };
        Verifier::new("twilio", spec).unwrap()
    };
    for (address, asked, signed_url, fits) in [
        ("https://a.com/x", "http://b/y", "https://a.com/x", true),
        ("https://a.com/x", "http://b/y?q=1", "https://a.com/x?q=1", true),
        ("https://a.com/x", "http://b/y?q=2", "https://a.com/x?q=1", false),
        ("https://a.com/x", "http://b/y?q=1", "https://a.com/x", false),
        ("https://a.com/x?q=1", "http://b/y?q=1", "https://a.com/x?q=1", true),
        ("https://a.com/x?q=1", "http://b/y?q=2", "https://a.com/x?q=1", false),
        ("https://a.com/x?q=1", "http://b/y", "https://a.com/x?q=1", false),
    ] {
        let code = STANDARD.encode(sha256("s", signed_url));
        let mut message = Message::new("", &[("x-twilio-signature", &code)]);
        message.url = asked.to_owned();
        let answer = message.verify(&twilio(address), NOW);
        assert_eq!(answer.is_ok(), fits, "{address} {asked} {signed_url}");
    }
}

/// Pairs of a form are signed decoded, in the order of their bytes, each once.
#[test]
fn the_order_of_a_form_does_not_matter() {
    let twilio = stranger("twilio");
    let verifier = twilio.verifier();
    let text = "https://example.com/webhooks/xA1B b+=山a";
    let code = STANDARD.encode(sha256("s", text));
    for (body, fits) in [
        ("A=1&B=+b%2b%3D%E5%B1%B1&a=", true),
        ("a&B=%20b%2B%3d%e5%b1%b1&A=1", true),
        ("A=1&&a=&B=+b%2b%3D%E5%B1%B1&A=1", true),
        ("A=1&B=+b%2b%3D%E5%B1%B1", false),
        ("A=1&B=+b%2b%3D%E5%B1%B1&a=&b=", false),
        ("A=2&B=+b%2b%3D%E5%B1%B1&a=", false),
    ] {
        let mut message = signed(twilio, "").with("x-twilio-signature", &code);
        message.body = body.into();
        assert_eq!(message.verify(&verifier, NOW).is_ok(), fits, "{body}");
    }
}

#[test]
fn addresses_are_signed_with_or_without_their_port() {
    let twilio = stranger("twilio");
    for (signed_url, seen, fits) in [
        ("https://a.com/x", "https://a.com/x", true),
        ("https://a.com:443/x", "https://a.com/x", true),
        ("https://a.com/x", "https://a.com:8443/x", true),
        ("http://a.com:80", "http://a.com", true),
        ("http://a.com?q=1", "http://a.com:80?q=1", true),
        ("http://[::1]/x", "http://[::1]:80/x", true),
        ("http://[::1]:80/x", "http://[::1]/x", true),
        ("https://u:p@a.com/x", "https://u:p@a.com:443/x", true),
        ("https://a.com:8443/x", "https://a.com:443/x", false),
        ("https://a.com/x", "http://a.com/x", false),
        ("no address", "no address", true),
    ] {
        let code = STANDARD.encode(sha256("s", signed_url));
        let mut message = Message::new("", &[("x-twilio-signature", &code)]);
        message.url = seen.to_owned();
        assert_eq!(message.verify(&twilio.verifier(), NOW).is_ok(), fits, "{signed_url} {seen}");
    }
}

#[test]
fn wrong_credentials_are_not_told_apart() {
    let encode = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let wrong = "the credentials in the header authorization are not right";
    for (value, expected) in [
        (encode("user:x"), wrong),
        (encode("x:s"), wrong),
        (encode("user:"), wrong),
        (encode(":s"), wrong),
        (encode("user:s:"), wrong),
        (encode("user:s "), wrong),
        (encode("USER:s"), wrong),
        (encode("users"), "the header authorization has no user name and password"),
        ("Bearer s".to_owned(), "the header authorization has no user name and password"),
        (
            encode("user:s").replace(' ', ""),
            "the header authorization has no user name and password",
        ),
    ] {
        assert_eq!(told("basic", |message| message.with("authorization", &value)), expected);
    }
    let wrong = "the credentials in the header x-gitlab-token are not right";
    for value in ["", "S", "s ", "ss"] {
        assert_eq!(told("gitlab", |message| message.with("x-gitlab-token", value)), wrong);
    }
}

/// One verifier serves all connections.
#[test]
fn a_verifier_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&verifier("stripe", "s"));
}

/// What is refused is told to whoever sent it.
#[test]
fn no_refusal_tells_a_secret() {
    let spec = Spec { header: Some("X-S".into()), ..secrets(&["hunter2"]) };
    let verifier = Verifier::new("hmac-sha256", spec).unwrap();
    assert_eq!(format!("{verifier:?}"), "Verifier(hmac-sha256)");
    let right = hex::encode(sha256("hunter2", BODY));
    for value in ["", "00", &"0".repeat(64)] {
        let refused = Message::new(BODY, &[("X-S", value)]).verify(&verifier, 0).unwrap_err();
        let told = format!("{refused} {refused:?}");
        assert!(!told.contains("hunter2") && !told.contains(&right), "{told}");
    }
}

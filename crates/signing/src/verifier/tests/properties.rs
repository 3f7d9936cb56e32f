//! What holds for any bytes.

use proptest::prelude::*;

use super::*;
use crate::presets;

fn any_stranger() -> impl Strategy<Value = &'static Stranger> {
    (0..STRANGERS.len()).prop_map(|at| &STRANGERS[at])
}

/// A body that none of the schemes reads a second meaning into.
fn any_body() -> impl Strategy<Value = String> {
    "[ -~]{0,40}".prop_map(|text| format!("b={}", text.replace(['&', '%', '+', '='], "x")))
}

/// Every preset with a configuration that works.
fn every_verifier() -> Vec<Verifier> {
    let of = |preset: &'static crate::Preset| {
        let mut spec = Spec::default();
        for field in preset.fields.iter().filter(|field| field.required) {
            match field.name {
                "secret" | "password" => spec.secrets = vec!["c2VjcmV0".to_owned()],
                "header" => spec.header = Some("x-signature".to_owned()),
                "username" => spec.username = Some("user".to_owned()),
                other => panic!("a value for {other}"),
            }
        }
        Verifier::new(preset.name, spec).unwrap()
    };
    presets().iter().map(of).collect()
}

/// Names that some scheme looks at, and pieces that some scheme looks for.
const NAMES: &[&str] = &[
    "x-signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "stripe-signature",
    "x-hub-signature-256",
    "x-github-delivery",
    "x-slack-request-timestamp",
    "x-slack-signature",
    "x-twilio-signature",
    "content-type",
    "authorization",
    "x-gitlab-token",
    "linear-signature",
    "paddle-signature",
];

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "(t=|ts=|v1=|h1=|v1,|v0=|sha256=|Basic |[0-9]{1,20}|[a-f0-9]{64}|[A-Za-z0-9+/]{43}=|[,; .:=]){0,6}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_panics_and_nothing_unsigned_is_believed(
        headers in prop::collection::vec((prop::sample::select(NAMES), any_value()), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..80),
        url in "[ -~]{0,40}|https://[a-z:0-9\\[\\]@/?=&%]{0,40}",
        now in any::<i64>(),
    ) {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let request = Request { method: "POST", url: &url, headers: &headers, body: &body };
        for verifier in every_verifier() {
            let answer = verifier.verify(&request, Timestamp::from_micros(now));
            prop_assert_eq!(answer.is_ok(), verifier.is_open());
        }
    }

    #[test]
    fn what_was_signed_is_believed(stranger in any_stranger(), body in any_body()) {
        let answer = signed(stranger, &body).verify(&stranger.verifier(), NOW);
        prop_assert!(answer.is_ok(), "{answer:?}");
    }

    #[test]
    fn a_flipped_bit_of_the_body_is_refused(
        stranger in any_stranger().prop_filter("signs the body", |stranger| {
            !["gitlab", "basic"].contains(&stranger.kind)
        }),
        body in any_body(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut message = signed(stranger, &body);
        let at = at.index(message.body.len());
        message.body[at] ^= 1 << bit;
        prop_assume!(stranger.kind != "twilio" || !is_same_form(&message.body, body.as_bytes()));
        prop_assert!(message.verify(&stranger.verifier(), NOW).is_err());
    }

    #[test]
    fn a_flipped_bit_of_a_header_is_refused(
        stranger in any_stranger(),
        body in any_body(),
        header in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut message = signed(stranger, &body);
        let header = *header.get(&signed_headers(&message));
        let value = &mut message.headers[header].1;
        let at = at.index(value.len());
        let before = value[at];
        value[at] ^= 1 << bit;
        // Digits of hexadecimal numbers and the word "Basic" may be written large.
        prop_assume!(!value[at].eq_ignore_ascii_case(&before));
        prop_assert!(message.verify(&stranger.verifier(), NOW).is_err());
    }

    #[test]
    fn a_cut_header_is_refused(
        stranger in any_stranger(),
        header in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut message = signed(stranger, "b=1");
        let header = *header.get(&signed_headers(&message));
        let value = &mut message.headers[header].1;
        let at = at.index(value.len());
        value.truncate(at);
        prop_assert!(message.verify(&stranger.verifier(), NOW).is_err());
    }

    #[test]
    fn any_configuration_is_taken_or_told_what_is_wrong(
        kind in "[a-z0-9_-]{0,20}|(hmac.sha(1|256|512)|stripe|basic|twilio|none|svix)",
        texts in prop::collection::vec(prop::option::of("\\PC{0,12}"), 8),
        secrets in prop::collection::vec("\\PC{0,12}", 0..8),
        tolerance in prop::option::of(any::<u64>()),
    ) {
        let text = |at: usize| texts[at].clone();
        let spec = Spec {
            secrets: secrets.clone(),
            secret_encoding: text(0),
            header: text(1),
            encoding: text(2),
            prefix: text(3),
            delivery_header: text(4),
            tolerance: tolerance.map(evoke_model::Millis::new),
            username: text(5),
            url: text(6),
        };
        if let Err(problems) = Verifier::new(&kind, spec) {
            prop_assert!(!problems.is_empty());
            let fields = ["type", "secret", "secret_encoding", "header", "encoding", "prefix",
                "delivery_header", "tolerance", "username", "password", "url"];
            for problem in problems {
                let field = problem.field.split('[').next().unwrap_or_default();
                prop_assert!(fields.contains(&field), "{problem}");
            }
        }
    }
}

/// Which of the headers say that the message is signed.
fn signed_headers(message: &Message) -> Vec<usize> {
    let others = ["content-type", "linear-signature"];
    let all = message.headers.iter().enumerate();
    all.filter(|(_, (name, _))| !others.contains(&name.as_str())).map(|(at, _)| at).collect()
}

/// Whether two forms are one to Twilio, which signs neither their order nor how they are encoded.
fn is_same_form(left: &[u8], right: &[u8]) -> bool {
    let signed = |form: &[u8]| -> Vec<u8> {
        let spaced = form.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte });
        spaced.filter(|byte| !b"=&".contains(byte)).collect()
    };
    signed(left) == signed(right)
}

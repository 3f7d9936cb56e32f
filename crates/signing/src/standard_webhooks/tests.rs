use super::*;

/// The example of the specification's own libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::parse(text).unwrap()).collect()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1_000)
}

fn message() -> Message<'static> {
    Message { id: MESSAGE, time: at(SENT), body: BODY }
}

/// The example as it arrives.
fn received() -> Received<'static> {
    Received {
        id: Some(MESSAGE),
        timestamp: Some("1614265330"),
        signature: Some(SIGNED),
        body: BODY,
    }
}

/// The example with another header.
fn with(signature: &str) -> Received<'_> {
    Received { signature: Some(signature), ..received() }
}

fn verified(received: Received<'_>) -> Result<(), Error> {
    verified_at(received, SENT)
}

fn verified_at(received: Received<'_>, now_secs: i64) -> Result<(), Error> {
    let secrets = secrets(&[SECRET]);
    verify(received, Check { secrets: &secrets, now: at(now_secs), tolerance: TOLERANCE })
}

fn reason(answer: Result<(), Error>) -> Option<&'static str> {
    answer.err().map(|error| error.reason())
}

#[test]
fn the_example_of_the_specification_is_signed_as_it_says() {
    let signed = sign(&secrets(&[SECRET]), message()).unwrap();
    assert_eq!((signed.id.as_str(), signed.timestamp.as_str()), (MESSAGE, "1614265330"));
    assert_eq!(signed.signature, SIGNED);
    let late = Message { time: Timestamp::from_millis(SENT * 1_000 + 999), ..message() };
    assert_eq!(sign(&secrets(&[SECRET]), late).unwrap().signature, SIGNED, "whole seconds");
}

#[test]
fn several_secrets_sign_one_after_the_other() {
    let alone = sign(&secrets(&[OTHER]), message()).unwrap().signature;
    let both = sign(&secrets(&[OTHER, SECRET]), message()).unwrap().signature;
    assert_eq!(both, format!("{alone} {SIGNED}"));
}

#[test]
fn what_cannot_be_signed_is_refused() {
    assert_eq!(sign(&[], message()), Err(Unsignable::NoSecret));
    for id in ["", "a.b"] {
        let refused = sign(&secrets(&[SECRET]), Message { id, ..message() });
        assert_eq!(refused, Err(Unsignable::Id), "{id:?}");
    }
}

#[test]
fn one_signature_by_one_known_secret_is_enough() {
    assert_eq!(verified(received()), Ok(()));
    let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let many = format!("v1a,AAAA {wrong} v2,x junk  {SIGNED} {wrong}");
    assert_eq!(verified(with(&many)), Ok(()));
    for signature in [wrong.to_owned(), format!("{wrong} {wrong}"), format!("v1, {wrong}")] {
        assert_eq!(verified(with(&signature)), Err(Error::Mismatch), "{signature}");
    }
    for signature in [
        "",
        " ",
        "v1",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        &SIGNED[3..],
        "v1,",
        "v1,dawfeoifkpqwoekfpqoekf",
        &SIGNED[..8],
        SIGNED.trim_end_matches('='),
    ] {
        assert_eq!(reason(verified(with(signature))), Some("malformed"), "{signature:?}");
    }
}

/// Before, while and after the sender and the receiver exchange a secret, at different times.
#[test]
fn a_secret_is_exchanged_without_a_gap() {
    for (sender, receiver, fits) in [
        (&[SECRET][..], &[SECRET][..], true),
        (&[SECRET, OTHER], &[SECRET], true),
        (&[SECRET, OTHER], &[OTHER], true),
        (&[OTHER], &[SECRET, OTHER], true),
        (&[OTHER, SECRET], &[OTHER, SECRET], true),
        (&[OTHER], &[SECRET], false),
    ] {
        let signed = sign(&secrets(sender), message()).unwrap();
        let received = Received { signature: Some(&signed.signature), ..received() };
        let secrets = secrets(receiver);
        let check = Check { secrets: &secrets, now: at(SENT), tolerance: TOLERANCE };
        assert_eq!(verify(received, check).is_ok(), fits, "{sender:?} {receiver:?}");
    }
}

#[test]
fn no_part_of_a_message_can_be_changed() {
    for changed in [
        Received { id: Some("msg_other"), ..received() },
        Received { timestamp: Some("1614265331"), ..received() },
        Received { timestamp: Some("01614265330"), ..received() },
        Received { body: br#"{"test":2432232314}"#, ..received() },
        Received { body: b"", ..received() },
    ] {
        assert_eq!(verified(changed), Err(Error::Mismatch), "{changed:?}");
    }
}

/// The dots between the parts may not be moved: this is the same text as that of the example.
#[test]
fn an_id_with_a_dot_is_not_taken() {
    let body = &b"1614265330.{\"test\": 2432232314}"[..];
    let signed = sign(&secrets(&[SECRET]), Message { id: "a", time: at(7), body }).unwrap();
    let moved = Received { id: Some("a.7"), signature: Some(&signed.signature), ..received() };
    assert_eq!(reason(verified(moved)), Some("malformed"));
}

#[test]
fn what_is_missing_is_named() {
    for (missing, header) in [
        (Received { id: None, ..received() }, ID),
        (Received { timestamp: None, ..received() }, TIMESTAMP),
        (Received { signature: None, ..received() }, SIGNATURE),
    ] {
        assert_eq!(verified(missing), Err(Error::Missing { header: header.into() }));
    }
    let check = Check { secrets: &[], now: at(SENT), tolerance: TOLERANCE };
    assert_eq!(verify(received(), check), Err(Error::Mismatch));
}

#[test]
fn the_time_of_the_attempt_must_be_near() {
    let tolerance = TOLERANCE;
    for (now, expected) in [
        (SENT - 300, Ok(())),
        (SENT + 300, Ok(())),
        (SENT + 301, Err(Error::TooOld { by_secs: 1, tolerance })),
        (SENT + 1_000, Err(Error::TooOld { by_secs: 700, tolerance })),
        (SENT - 301, Err(Error::TooNew { by_secs: 1, tolerance })),
    ] {
        assert_eq!(verified_at(received(), now), expected, "{}", now - SENT);
    }
    for text in ["", "hello", "+1614265330", "-1", " 1614265330", "1e9", "99999999999999999999"] {
        let odd = Received { timestamp: Some(text), ..received() };
        assert_eq!(reason(verified(odd)), Some("malformed"), "{text:?}");
    }
    let far = Received { timestamp: Some("9223372036854775807"), ..received() };
    assert!(matches!(verified(far), Err(Error::TooNew { .. })));
}

#[test]
fn errors_are_sentences_without_secrets() {
    let told = Error::TooOld { by_secs: 7, tolerance: TOLERANCE }.to_string();
    assert_eq!(told, "the message is 7 s older than the 5m that are allowed");
    let missing = Error::Missing { header: ID.into() };
    assert_eq!(missing.to_string(), "the header webhook-id is missing");
}

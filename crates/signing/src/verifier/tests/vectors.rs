//! Vectors of the providers' documentation and packages where there are any; the others were
//! computed with `openssl dgst -hmac`.

use super::*;

const NOTHING: Result<Verified, Refused> =
    Ok(Verified { delivery: None, delivery_is_signed: false });

/// From "Validating webhook deliveries".
#[test]
fn github() {
    let verifier = verifier("github", "It's a Secret to Everybody");
    let message = Message::new(
        "Hello, World!",
        &[
            (
                "X-Hub-Signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ],
    );
    let expected = delivered("72d3162e-cc78-11e3-81ab-4c9367dc0958", false);
    assert_eq!(message.verify(&verifier, 0), expected);
    assert_eq!(message.without("x-github-delivery").verify(&verifier, 0), NOTHING);
}

/// From "Verifying requests from Slack": the request of a slash command, and one of the events API.
#[test]
fn slack() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
                &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F\
                commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let message = Message::new(
        body,
        &[("X-Slack-Request-Timestamp", "1531420618"), ("X-Slack-Signature", signature)],
    );
    let slack = verifier("slack", "8f742231b10e8888abcd99yyyzzz85a5");
    assert_eq!(message.verify(&slack, 1_531_420_618), NOTHING);
    assert_eq!(message.verify(&slack, 1_531_420_918), NOTHING);
    assert_eq!(reason(message.verify(&slack, 1_531_420_919)), "too_old");
    let body = r#"{"type":"event_callback","event_id":"Ev123ABC456"}"#;
    let message = signed(&STRANGERS[3], body);
    assert_eq!(message.verify(&STRANGERS[3].verifier(), NOW), delivered("Ev123ABC456", true));
}

/// The header has the form of Stripe's "Verify webhook signatures manually".
#[test]
fn stripe() {
    let verifier = verifier("stripe", "whsec_test_secret");
    let body = r#"{"id": "evt_test_webhook", "object": "event"}"#;
    let header = "t=1492774577,\
                  v1=c137b1b62277d523cf8fed4dfbd0170a9a5b8a380e00cc3711d4bf0652f2ce7a,\
                  v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    let message = Message::new(body, &[("Stripe-Signature", header)]);
    let expected = delivered("evt_test_webhook", true);
    assert_eq!(message.verify(&verifier, 1_492_774_577), expected);
    assert_eq!(message.verify(&verifier, 1_492_774_877), expected);
    assert_eq!(reason(message.verify(&verifier, 1_492_774_878)), "too_old");
    assert_eq!(reason(message.verify(&verifier, 1_492_774_276)), "too_new");
}

/// The example of the specification's libraries, by both names of its headers.
#[test]
fn standard_webhooks_and_svix() {
    for (kind, id, timestamp, signature) in [
        ("standard-webhooks", "webhook-id", "webhook-timestamp", "webhook-signature"),
        ("svix", "svix-id", "svix-timestamp", "svix-signature"),
    ] {
        let message = Message::new(
            r#"{"test": 2432232314}"#,
            &[
                (id, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                (timestamp, "1614265330"),
                (signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
        );
        let expected = delivered("msg_p5jXN8AQM9LWM0D4loKWxJek", true);
        for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert_eq!(message.verify(&verifier(kind, secret), 1_614_265_330), expected, "{kind}");
        }
        let other = verifier(kind, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(message.verify(&other, 1_614_265_330), Err(Refused::Mismatch));
    }
}

/// Some senders of Standard Webhooks sign with the secret as it is written.
#[test]
fn the_writing_of_a_secret_can_be_said() {
    let spec = Spec { secret_encoding: Some("text".into()), ..secrets(&["polar_whs_x"]) };
    let verifier = Verifier::new("standard_webhooks", spec).unwrap();
    let message = Message::new(
        "{}",
        &[
            ("Webhook-Id", "a"),
            ("Webhook-Timestamp", "1614265330"),
            ("Webhook-Signature", "v1,HJnynyQJ7gUVBWtS706ckUOIxCaviEtG/BkVrmz/3A4="),
        ],
    );
    assert_eq!(message.verify(&verifier, 1_614_265_330), delivered("a", true));
}

/// The examples of Twilio's packages: a form, and a body whose hash is in the address.
#[test]
fn twilio() {
    let twilio = verifier("twilio", "12345");
    let form = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234\
                &From=%2B14158675309&To=%2B18005551212";
    let mut message = Message::new(
        form,
        &[
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ],
    );
    message.url = "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned();
    assert_eq!(message.verify(&twilio, 0), NOTHING);
    let token = message.clone().with("I-Twilio-Idempotency-Token", "e5a7-1");
    assert_eq!(token.verify(&twilio, 0), delivered("e5a7-1", false));
    let with_port = message.clone().with("X-Twilio-Signature", "kvajT1Ptam85bY51eRf/AJRuM3w=");
    assert_eq!(with_port.verify(&twilio, 0), NOTHING);
    message.url = "https://mycompany.com:443/myapp.php?foo=1&bar=2".to_owned();
    assert_eq!(message.verify(&twilio, 0), NOTHING);
    let address = Some("https://mycompany.com/myapp.php".to_owned());
    let behind = Verifier::new("twilio", Spec { url: address, ..secrets(&["12345"]) }).unwrap();
    message.url = "http://10.0.0.7:8090/webhooks/twilio?foo=1&bar=2".to_owned();
    assert_eq!(message.verify(&behind, 0), NOTHING);
    assert_eq!(message.verify(&twilio, 0), Err(Refused::Mismatch));
    let mut json = Message::new(
        r#"{"property": "value", "boolean": true}"#,
        &[
            ("Content-Type", "application/json"),
            ("X-Twilio-Signature", "a9nBmqA0ju/hNViExpshrM61xv4="),
        ],
    );
    json.url = "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=\
                0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
        .to_owned();
    assert_eq!(json.verify(&twilio, 0), NOTHING);
    json.body.push(b' ');
    assert_eq!(json.verify(&twilio, 0), Err(Refused::Mismatch));
}

/// A preset, a secret and a message that `openssl` has signed: header and value, body, and the id.
#[test]
fn providers_that_sign_the_body() {
    for (kind, secret, headers, body, id) in [
        (
            "shopify",
            "hush",
            &[
                ("X-Shopify-Hmac-Sha256", "D0UMXmhjwBRi4y66TmhJrDlhQABD7zI2fm3p6/QLMo8="),
                ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
            ][..],
            r#"{"id":820982911946154508,"email":"jon@example.com"}"#,
            ("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", false),
        ),
        (
            "paddle",
            "pdl_ntfset_1",
            &[(
                "Paddle-Signature",
                "ts=1671552777;h1=c0044b1731235e241a9594ce2cd54c6ff8c97942603ed1893c4e296ca0fcd5ba",
            )],
            r#"{"event_id":"evt_01"}"#,
            ("evt_01", true),
        ),
        (
            "vercel",
            "verc",
            &[("x-vercel-signature", "fa7d741370a1053ad3af4680b65629fd2078c030")],
            r#"{"id":"uev_1"}"#,
            ("uev_1", true),
        ),
        (
            "woocommerce",
            "woo",
            &[
                ("X-WC-Webhook-Signature", "vpk1bVBEgrRES6lBqOV6lBbXT2PBQuZGTDtrR9DRBqo="),
                ("X-WC-Webhook-Delivery-ID", "77"),
            ],
            r#"{"id":7}"#,
            ("77", false),
        ),
    ] {
        let message = Message::new(body, headers);
        let answer = message.verify(&verifier(kind, secret), 1_671_552_777);
        assert_eq!(answer, delivered(id.0, id.1), "{kind}");
    }
}

/// The time is in the body, in milliseconds.
#[test]
fn linear() {
    let linear = verifier("linear", "lin_wh_1");
    let message = Message::new(
        r#"{"action":"update","webhookTimestamp":1714478400000}"#,
        &[
            (
                "Linear-Signature",
                "a584a65109a890166688e8ca516f5e8ae47ae847f64639a71d04c5a26f5330cf",
            ),
            ("Linear-Delivery", "234d1a4e-b617-4388-90fe-adc3633d6b72"),
        ],
    );
    let expected = delivered("234d1a4e-b617-4388-90fe-adc3633d6b72", false);
    assert_eq!(message.verify(&linear, 1_714_478_400), expected);
    assert_eq!(reason(message.verify(&linear, 1_714_478_701)), "too_old");
    let timeless = signed(&Stranger { kind: "linear", ..STRANGERS[0] }, "{}");
    let refused = timeless.verify(&verifier("linear", STRANGERS[0].secret), NOW).unwrap_err();
    assert_eq!(refused.to_string(), "the body has no time, or one that is no whole number");
}

#[test]
fn codes_of_the_body_in_every_form() {
    let hex = "7f424e2d0ff6bd5dec626e0102755bafec91c3510f19739a4eaec8f3bc3a01a4";
    let sha1 = "b688f6f2602474b86713f193726755f0095edc8b";
    let sha512 = "e3NawZDr0UMtVvla4q6loEojEo9MIo4pm3pJ+3Vh3ozI9P30SG3HQ9/QeCfWFyc6q0Kzv4GdJD3tMi\
                  +sFnQZ8Q==";
    for (kind, encoding, prefix, secret, written, value) in [
        ("hmac-sha256", None, None, "key", None, hex.to_owned()),
        ("hmac_sha256", Some("hex"), Some("sha256="), "key", None, format!("sha256={hex}")),
        ("HMAC-SHA256", None, None, "6b6579", Some("hex"), hex.to_uppercase()),
        ("hmac-sha1", Some("hex"), Some("sha1="), "a2V5", Some("base64"), format!("sha1={sha1}")),
        ("hmac-sha1", Some("base64"), None, "key", None, "toj28mAkdLhnE/GTcmdV8Ale3Is=".into()),
        ("hmac-sha512", Some("base64"), None, "key", Some("text"), sha512.to_owned()),
    ] {
        let spec = Spec {
            header: Some("X-Code".into()),
            encoding: encoding.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
            secret_encoding: written.map(str::to_owned),
            delivery_header: Some("X-Id".into()),
            ..secrets(&[secret])
        };
        let verifier = Verifier::new(kind, spec).unwrap();
        let message = Message::new("Hello, World!", &[("x-code", &value), ("x-id", "7")]);
        assert_eq!(message.verify(&verifier, 0), delivered("7", false), "{kind} {value}");
    }
}

#[test]
fn tokens_and_passwords() {
    let gitlab = verifier("gitlab", "s3cret");
    let message = Message::new("{}", &[("X-Gitlab-Token", "s3cret"), ("Idempotency-Key", "f5e1")]);
    assert_eq!(message.verify(&gitlab, 0), delivered("f5e1", false));
    assert_eq!(message.without("idempotency-key").verify(&gitlab, 0), NOTHING);
    let spec = || Spec { username: Some("Aladdin".into()), ..secrets(&["open sesame"]) };
    let basic = Verifier::new("basic", spec()).unwrap();
    assert!(basic.challenge().unwrap().starts_with("Basic "));
    assert_eq!(basic.secret_header(), Some("authorization"));
    assert_eq!(gitlab.secret_header(), Some("x-gitlab-token"));
    assert_eq!(verifier("stripe", "s").secret_header(), None);
    // The example of RFC 7617.
    for value in ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
        let message = Message::new("", &[("Authorization", value)]);
        assert_eq!(message.verify(&basic, 0), NOTHING);
    }
    let none = Verifier::new("none", Spec::default()).unwrap();
    assert_eq!(Message::new("anything", &[]).verify(&none, 0), NOTHING);
    assert!(none.is_open() && !gitlab.is_open() && none.challenge().is_none());
}

/// While a secret is exchanged, the sender may use the old or the new one.
#[test]
fn one_of_several_secrets_is_enough() {
    for stranger in &STRANGERS {
        let message = signed(stranger, "{}");
        for (known, fits) in [
            (&["other", stranger.secret][..], true),
            (&[stranger.secret, "other"], true),
            (&["other", "another"], false),
        ] {
            let verifier = stranger.verifier_with(known);
            assert_eq!(message.verify(&verifier, NOW).is_ok(), fits, "{}", stranger.kind);
        }
    }
}

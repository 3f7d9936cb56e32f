//! The schemes with the vectors of their documentation, with everything that can be wrong with a
//! request, and with any bytes at all.

mod garbage;
mod properties;
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evoke_model::Timestamp;

use crate::mac::{Algorithm, hmac};
use crate::{Refused, Request, Spec, Verified, Verifier};

/// A request as data that can be changed.
#[derive(Clone, Debug)]
struct Message {
    method: &'static str,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Message {
    fn new(body: impl AsRef<[u8]>, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.as_bytes().to_vec();
            ((*name).to_owned(), value)
        });
        Self {
            method: "POST",
            url: "https://example.com/webhooks/x".to_owned(),
            headers: headers.collect(),
            body: body.as_ref().to_vec(),
        }
    }

    /// The same with one more header, or another value of it.
    fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    fn verify(&self, verifier: &Verifier, now_secs: i64) -> Result<Verified, Refused> {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request =
            Request { method: self.method, url: &self.url, headers: &headers, body: &self.body };
        verifier.verify(&request, Timestamp::from_millis(now_secs * 1_000))
    }
}

fn secrets(texts: &[&str]) -> Spec {
    Spec { secrets: texts.iter().map(|text| (*text).to_owned()).collect(), ..Spec::default() }
}

fn verifier(kind: &str, secret: &str) -> Verifier {
    Verifier::new(kind, secrets(&[secret])).unwrap()
}

fn delivered(id: &str, is_signed: bool) -> Result<Verified, Refused> {
    Ok(Verified { delivery: Some(id.to_owned()), delivery_is_signed: is_signed })
}

fn reason(answer: Result<Verified, Refused>) -> &'static str {
    answer.err().map_or("believed", |refused| refused.reason())
}

/// When the messages of strangers are sent, in seconds.
const NOW: i64 = 1_700_000_000;

/// Signs a body with a secret: the headers.
type Sign = fn(&str, &[u8]) -> Vec<(&'static str, String)>;

/// A sender who signs as a preset says, written without what the presets are made of.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    kind: &'static str,
    secret: &'static str,
    sign: Sign,
}

impl Stranger {
    fn verifier(&self) -> Verifier {
        self.verifier_with(&[self.secret])
    }

    fn verifier_with(&self, known: &[&str]) -> Verifier {
        let mut spec = secrets(known);
        if self.kind.starts_with("hmac") {
            spec.header = Some("x-signature".into());
        }
        if self.kind == "standard-webhooks" {
            spec.secret_encoding = Some("text".into());
        }
        if self.kind == "basic" {
            spec.username = Some("user".into());
        }
        Verifier::new(self.kind, spec).unwrap()
    }
}

fn sha256(secret: &str, text: impl AsRef<[u8]>) -> Vec<u8> {
    hmac(Algorithm::Sha256, secret.as_bytes(), &[text.as_ref()])
}

fn timed(before: &str, body: &[u8]) -> Vec<u8> {
    [before.as_bytes(), body].concat()
}

const STRANGERS: [Stranger; 10] = [
    Stranger {
        kind: "github",
        secret: "s",
        sign: |secret, body| {
            let code = hex::encode(sha256(secret, body));
            let (linear, github) = (code.clone(), format!("sha256={code}"));
            vec![("x-hub-signature-256", github), ("linear-signature", linear)]
        },
    },
    Stranger {
        kind: "hmac-sha256",
        secret: "s",
        sign: |secret, body| vec![("x-signature", hex::encode(sha256(secret, body)))],
    },
    Stranger {
        kind: "shopify",
        secret: "s",
        sign: |secret, body| vec![("x-shopify-hmac-sha256", STANDARD.encode(sha256(secret, body)))],
    },
    Stranger {
        kind: "slack",
        secret: "s",
        sign: |secret, body| {
            let code = sha256(secret, timed("v0:1700000000:", body));
            vec![
                ("x-slack-request-timestamp", NOW.to_string()),
                ("x-slack-signature", format!("v0={}", hex::encode(code))),
            ]
        },
    },
    Stranger {
        kind: "stripe",
        secret: "s",
        sign: |secret, body| {
            let code = hex::encode(sha256(secret, timed("1700000000.", body)));
            vec![("stripe-signature", format!("t={NOW},v1={code}"))]
        },
    },
    Stranger {
        kind: "paddle",
        secret: "s",
        sign: |secret, body| {
            let code = hex::encode(sha256(secret, timed("1700000000:", body)));
            vec![("paddle-signature", format!("ts={NOW};h1={code}"))]
        },
    },
    Stranger {
        kind: "standard-webhooks",
        secret: "s",
        sign: |secret, body| {
            let code = STANDARD.encode(sha256(secret, timed("msg_1.1700000000.", body)));
            vec![
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", NOW.to_string()),
                ("webhook-signature", format!("v1,{code}")),
            ]
        },
    },
    Stranger {
        kind: "twilio",
        secret: "s",
        sign: |secret, body| {
            let text = [b"https://example.com/webhooks/x", body].concat();
            let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'=').collect();
            vec![
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
                ("x-twilio-signature", STANDARD.encode(sha256(secret, text))),
            ]
        },
    },
    Stranger {
        kind: "gitlab",
        secret: "s",
        sign: |secret, _| vec![("x-gitlab-token", secret.to_owned())],
    },
    Stranger {
        kind: "basic",
        secret: "s",
        sign: |secret, _| {
            let credentials = STANDARD.encode(format!("user:{secret}"));
            vec![("authorization", format!("Basic {credentials}"))]
        },
    },
];

fn signed(stranger: &Stranger, body: &str) -> Message {
    let headers = (stranger.sign)(stranger.secret, body.as_bytes());
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Message::new(body, &headers)
}

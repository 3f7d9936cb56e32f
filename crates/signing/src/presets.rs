//! The table of presets. A provider whose scheme is a code in a header costs one entry here and a
//! page in `docs/webhooks/`.

use crate::mac::Algorithm::{self, Sha1, Sha256, Sha512};
use crate::moment::Unit;
use crate::preset::{
    Encoding, Field, Moment, Piece, Place, Preset, Scheme, Shape, Signature, Time, Token,
};
use crate::secret::Writing;

/// All presets, in the order of the documentation.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// The preset of this name, with `-` or `_`, in either case.
pub fn preset(name: &str) -> Option<&'static Preset> {
    let name = canonical(name);
    PRESETS.iter().find(|preset| preset.name == name)
}

/// A name as the table writes it.
pub(crate) fn canonical(name: &str) -> String {
    name.replace('_', "-").to_ascii_lowercase()
}

pub(crate) const SECRET: Field = Field {
    name: "secret",
    text: "What the sender signs with; a list while it is exchanged for another.",
    shape: Shape::Secrets,
    default: None,
    required: true,
};

pub(crate) const SECRET_ENCODING: Field = Field {
    name: "secret_encoding",
    text: "How the secret stands for the bytes of the key.",
    shape: Shape::Word(&["text", "hex", "base64"]),
    default: Some("text"),
    required: false,
};

pub(crate) const WHSEC_ENCODING: Field = Field {
    text: "How the secret stands for the bytes of the key; whsec is base64, after whsec_ or not.",
    shape: Shape::Word(&["whsec", "text", "hex", "base64"]),
    default: Some("whsec"),
    ..SECRET_ENCODING
};

pub(crate) const HEADER: Field = Field {
    name: "header",
    text: "The header with the signature.",
    shape: Shape::Text,
    default: None,
    required: true,
};

pub(crate) const ENCODING: Field = Field {
    name: "encoding",
    text: "How the signature is written.",
    shape: Shape::Word(&["hex", "base64"]),
    default: Some("hex"),
    required: false,
};

pub(crate) const PREFIX: Field = Field {
    name: "prefix",
    text: "What stands before the signature, such as sha256=.",
    shape: Shape::Text,
    default: None,
    required: false,
};

pub(crate) const DELIVERY: Field = Field {
    name: "delivery_header",
    text: "The header with the id of the delivery.",
    shape: Shape::Text,
    default: None,
    required: false,
};

pub(crate) const TOLERANCE: Field = Field {
    name: "tolerance",
    text: "How far the time of the message may be off, to both sides: 1s to 1h.",
    shape: Shape::Duration,
    default: Some("5m"),
    required: false,
};

pub(crate) const USERNAME: Field = Field {
    name: "username",
    text: "The name of the user, without a colon.",
    shape: Shape::Text,
    default: None,
    required: true,
};

pub(crate) const PASSWORD: Field =
    Field { name: "password", text: "The password; a list while it is exchanged.", ..SECRET };

pub(crate) const URL: Field = Field {
    name: "url",
    text: "The address the provider has been given, where a proxy hides it from the server.",
    shape: Shape::Text,
    default: None,
    required: false,
};

/// What the schemes that sign only the body have in common.
const BODY: Signature = Signature {
    algorithm: Sha256,
    writing: Writing::Text,
    header: "",
    separator: None,
    prefix: "",
    encoding: Encoding::Hex,
    signed: &[Piece::Body],
    time: None,
    delivery: &[],
};

const SECRET_ONLY: &[Field] = &[SECRET];
const TIMED: &[Field] = &[SECRET, TOLERANCE];
const GENERIC: &[Field] = &[SECRET, HEADER, ENCODING, PREFIX, SECRET_ENCODING, DELIVERY];

const fn seconds(at: Moment) -> Option<Time> {
    Some(Time { at, unit: Unit::Seconds })
}

const fn generic(name: &'static str, title: &'static str, algorithm: Algorithm) -> Preset {
    Preset {
        name,
        title,
        summary: "A code of the body in a header of your choice.",
        fields: GENERIC,
        example: &[("secret", "${secrets.HOOK}"), ("header", "X-Signature")],
        docs: "webhooks/generic-hmac.md",
        scheme: Scheme::Signature(Signature { algorithm, ..BODY }),
    }
}

pub(crate) const STANDARD_WEBHOOKS: Signature = Signature {
    writing: Writing::Whsec,
    header: "webhook-signature",
    separator: Some(' '),
    prefix: "v1,",
    encoding: Encoding::Base64,
    signed: &[
        Piece::Id("webhook-id"),
        Piece::Text("."),
        Piece::Time,
        Piece::Text("."),
        Piece::Body,
    ],
    time: seconds(Moment::Header("webhook-timestamp")),
    delivery: &[Place::header("webhook-id")],
    ..BODY
};

const SVIX: Signature = Signature {
    header: "svix-signature",
    signed: &[Piece::Id("svix-id"), Piece::Text("."), Piece::Time, Piece::Text("."), Piece::Body],
    time: seconds(Moment::Header("svix-timestamp")),
    delivery: &[Place::header("svix-id")],
    ..STANDARD_WEBHOOKS
};

const STRIPE: Signature = Signature {
    header: "stripe-signature",
    separator: Some(','),
    prefix: "v1=",
    signed: &[Piece::Time, Piece::Text("."), Piece::Body],
    time: seconds(Moment::Item("t=")),
    delivery: &[Place::Body("id")],
    ..BODY
};

const GITHUB: Signature = Signature {
    header: "x-hub-signature-256",
    prefix: "sha256=",
    delivery: &[Place::header("x-github-delivery")],
    ..BODY
};

const SLACK: Signature = Signature {
    header: "x-slack-signature",
    prefix: "v0=",
    signed: &[Piece::Text("v0:"), Piece::Time, Piece::Text(":"), Piece::Body],
    time: seconds(Moment::Header("x-slack-request-timestamp")),
    delivery: &[Place::Body("event_id")],
    ..BODY
};

const SHOPIFY: Signature = Signature {
    header: "x-shopify-hmac-sha256",
    encoding: Encoding::Base64,
    delivery: &[Place::header("x-shopify-webhook-id")],
    ..BODY
};

/// An id of GitLab's events is not among them: webhooks that cause one another share it.
const GITLAB: Token = Token {
    header: "x-gitlab-token",
    delivery: &[Place::header("idempotency-key"), Place::header("webhook-id")],
};

const LINEAR: Signature = Signature {
    header: "linear-signature",
    time: Some(Time { at: Moment::Body("webhookTimestamp"), unit: Unit::Millis }),
    delivery: &[Place::header("linear-delivery")],
    ..BODY
};

const PADDLE: Signature = Signature {
    header: "paddle-signature",
    separator: Some(';'),
    prefix: "h1=",
    signed: &[Piece::Time, Piece::Text(":"), Piece::Body],
    time: seconds(Moment::Item("ts=")),
    delivery: &[Place::Body("event_id")],
    ..BODY
};

const VERCEL: Signature = Signature {
    algorithm: Sha1,
    header: "x-vercel-signature",
    delivery: &[Place::Body("id")],
    ..BODY
};

const WOOCOMMERCE: Signature = Signature {
    header: "x-wc-webhook-signature",
    encoding: Encoding::Base64,
    delivery: &[Place::header("x-wc-webhook-delivery-id")],
    ..BODY
};

static PRESETS: [Preset; 17] = [
    generic("hmac-sha256", "HMAC with SHA-256", Sha256),
    generic("hmac-sha1", "HMAC with SHA-1", Sha1),
    generic("hmac-sha512", "HMAC with SHA-512", Sha512),
    Preset {
        name: "standard-webhooks",
        title: "Standard Webhooks",
        summary: "webhook-signature over id, time and body, as the specification has it.",
        fields: &[SECRET, TOLERANCE, WHSEC_ENCODING],
        example: &[("secret", "${secrets.HOOK}")],
        docs: "webhooks/standard-webhooks.md",
        scheme: Scheme::Signature(STANDARD_WEBHOOKS),
    },
    Preset {
        name: "svix",
        title: "Svix",
        summary: "svix-signature over id, time and body: Clerk, Resend and others send it.",
        fields: &[SECRET, TOLERANCE, WHSEC_ENCODING],
        example: &[("secret", "${secrets.SVIX}")],
        docs: "webhooks/svix.md",
        scheme: Scheme::Signature(SVIX),
    },
    Preset {
        name: "stripe",
        title: "Stripe",
        summary: "Stripe-Signature over time and body.",
        fields: TIMED,
        example: &[("secret", "${secrets.STRIPE}")],
        docs: "webhooks/stripe.md",
        scheme: Scheme::Signature(STRIPE),
    },
    Preset {
        name: "github",
        title: "GitHub",
        summary: "X-Hub-Signature-256 over the body.",
        fields: SECRET_ONLY,
        example: &[("secret", "${secrets.GITHUB}")],
        docs: "webhooks/github.md",
        scheme: Scheme::Signature(GITHUB),
    },
    Preset {
        name: "slack",
        title: "Slack",
        summary: "X-Slack-Signature over time and body.",
        fields: TIMED,
        example: &[("secret", "${secrets.SLACK}")],
        docs: "webhooks/slack.md",
        scheme: Scheme::Signature(SLACK),
    },
    Preset {
        name: "shopify",
        title: "Shopify",
        summary: "X-Shopify-Hmac-Sha256 over the body.",
        fields: SECRET_ONLY,
        example: &[("secret", "${secrets.SHOPIFY}")],
        docs: "webhooks/shopify.md",
        scheme: Scheme::Signature(SHOPIFY),
    },
    Preset {
        name: "twilio",
        title: "Twilio",
        summary: "X-Twilio-Signature over the address and the parameters.",
        fields: &[SECRET, URL],
        example: &[("secret", "${secrets.TWILIO}"), ("url", "https://example.com/webhooks/twilio")],
        docs: "webhooks/twilio.md",
        scheme: Scheme::Twilio,
    },
    Preset {
        name: "gitlab",
        title: "GitLab",
        summary: "The secret token itself, in X-Gitlab-Token.",
        fields: SECRET_ONLY,
        example: &[("secret", "${secrets.GITLAB}")],
        docs: "webhooks/gitlab.md",
        scheme: Scheme::Token(GITLAB),
    },
    Preset {
        name: "linear",
        title: "Linear",
        summary: "Linear-Signature over the body, and the time in it.",
        fields: TIMED,
        example: &[("secret", "${secrets.LINEAR}")],
        docs: "webhooks/others.md",
        scheme: Scheme::Signature(LINEAR),
    },
    Preset {
        name: "paddle",
        title: "Paddle",
        summary: "Paddle-Signature over time and body.",
        fields: TIMED,
        example: &[("secret", "${secrets.PADDLE}")],
        docs: "webhooks/others.md",
        scheme: Scheme::Signature(PADDLE),
    },
    Preset {
        name: "vercel",
        title: "Vercel",
        summary: "x-vercel-signature over the body.",
        fields: SECRET_ONLY,
        example: &[("secret", "${secrets.VERCEL}")],
        docs: "webhooks/others.md",
        scheme: Scheme::Signature(VERCEL),
    },
    Preset {
        name: "woocommerce",
        title: "WooCommerce",
        summary: "X-WC-Webhook-Signature over the body.",
        fields: SECRET_ONLY,
        example: &[("secret", "${secrets.WOOCOMMERCE}")],
        docs: "webhooks/others.md",
        scheme: Scheme::Signature(WOOCOMMERCE),
    },
    Preset {
        name: "basic",
        title: "User name and password",
        summary: "HTTP basic authentication.",
        fields: &[USERNAME, PASSWORD],
        example: &[("username", "hooks"), ("password", "${secrets.HOOK}")],
        docs: "webhooks/basic-auth.md",
        scheme: Scheme::Basic,
    },
    Preset {
        name: "none",
        title: "None",
        summary: "Nothing is looked at; the function has to.",
        fields: &[],
        example: &[],
        docs: "webhooks.md",
        scheme: Scheme::Open,
    },
];

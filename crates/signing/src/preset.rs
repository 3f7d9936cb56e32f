//! What a preset is made of: the fields it takes, for schemas, forms and documentation, and the
//! scheme by which it is verified.

use std::borrow::Cow;

use crate::mac::Algorithm;
use crate::moment::Unit;
use crate::secret::Writing;

/// A way to verify requests, by the name a trigger asks for it with.
#[derive(Debug)]
pub struct Preset {
    /// The word in `verification.type`.
    pub name: &'static str,
    /// A name for people.
    pub title: &'static str,
    /// One sentence: what is looked at.
    pub summary: &'static str,
    /// Everything that may stand beside `type`.
    pub fields: &'static [Field],
    /// A value for each field of a configuration that works.
    pub example: &'static [(&'static str, &'static str)],
    /// Page of the documentation, from the root of `docs/`.
    pub docs: &'static str,
    pub(crate) scheme: Scheme,
}

impl Preset {
    /// The field that takes its secrets, if it has any.
    pub fn secret_field(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.shape == Shape::Secrets)
    }
}

/// A field of a preset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name: `secret`.
    pub name: &'static str,
    /// What it is, as a sentence.
    pub text: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// What holds where it is left out; `None` where nothing does or it has to be given.
    pub default: Option<&'static str>,
    /// Whether it has to be given.
    pub required: bool,
}

/// What may stand in a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A text.
    Text,
    /// A secret, or a list of up to [`crate::spec::SECRETS_MAX`] of which any will do. It is not
    /// shown.
    Secrets,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A duration: `5m`.
    Duration,
}

/// How a request is verified.
#[derive(Debug)]
pub(crate) enum Scheme {
    /// Not at all.
    Open,
    /// A code of the body, and of what else is signed, in a header.
    Signature(Signature),
    /// The secret itself in a header.
    Token(Token),
    /// A user name and a password.
    Basic,
    /// A code of the address and the sorted parameters of a form.
    Twilio,
}

/// A code in a header.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The hash.
    pub(crate) algorithm: Algorithm,
    /// How the secret is written, unless the configuration says.
    pub(crate) writing: Writing,
    /// The header with the code; empty where the configuration must say.
    pub(crate) header: &'static str,
    /// What separates items of the header, where it is a list.
    pub(crate) separator: Option<char>,
    /// What stands before a code.
    pub(crate) prefix: &'static str,
    /// How a code is written.
    pub(crate) encoding: Encoding,
    /// What is signed.
    pub(crate) signed: &'static [Piece],
    /// When it was signed.
    pub(crate) time: Option<Time>,
    /// Where the id of the delivery is: the first that is there.
    pub(crate) delivery: &'static [Place],
}

/// How the bytes of a code are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// Two digits a byte, of either case.
    Hex,
    /// The standard alphabet, padded.
    Base64,
}

/// A piece of what is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    /// This text.
    Text(&'static str),
    /// An id in this header. It may hold no dot: pieces are joined by them, and moved dots would
    /// give two messages one signature.
    Id(&'static str),
    /// The time, as it is written.
    Time,
    /// The body.
    Body,
}

/// Where the time of a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Time {
    pub(crate) at: Moment,
    pub(crate) unit: Unit,
}

/// Where a time is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// In this header.
    Header(&'static str),
    /// In the item of the signature's header that begins so.
    Item(&'static str),
    /// In this field of the body, which is signed as a whole.
    Body(&'static str),
}

/// Where an id is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In this header.
    Header(Cow<'static, str>),
    /// In this field at the top of the body.
    Body(&'static str),
}

impl Place {
    pub(crate) const fn header(name: &'static str) -> Self {
        Self::Header(Cow::Borrowed(name))
    }
}

/// The secret itself in a header.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) header: &'static str,
    pub(crate) delivery: &'static [Place],
}

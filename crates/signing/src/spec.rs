//! What a trigger's `verification` says, read and checked.

use std::borrow::Cow;
use std::fmt;

use evoke_model::suggest::did_you_mean;
use evoke_model::{Millis, Problem};

use crate::moment;
use crate::preset::{Encoding, Place, Preset, Scheme, Shape, Signature};
use crate::presets::{
    self, DELIVERY, ENCODING, HEADER, PREFIX, SECRET_ENCODING, TOLERANCE, URL, USERNAME, presets,
};
use crate::secret::{Secret, Writing};
use crate::signature::Rule;
use crate::verifier::Check;

/// More than the old and the new one are rarely in use at once, and each costs a code of the body.
pub const SECRETS_MAX: usize = 5;

/// Less could not be met by clocks and networks.
pub const TOLERANCE_MIN: Millis = Millis::from_secs(1);

/// More would let old messages be sent again.
pub const TOLERANCE_MAX: Millis = Millis::from_secs(60 * 60);

/// A name, prefix or address that is longer is a mistake.
const TEXT_BYTES_MAX: usize = 2 * 1024;

/// The fields that stand beside `type`; which of them a preset takes, [`Preset::fields`] says. The
/// names are those of the configuration, but for `secrets`: `secret` or `password` there, a text or
/// a list.
#[derive(Clone, Default)]
pub struct Spec {
    /// One or several, of which any will do.
    pub secrets: Vec<String>,
    /// `text`, `hex`, `base64` or `whsec`.
    pub secret_encoding: Option<String>,
    /// The header with the signature.
    pub header: Option<String>,
    /// `hex` or `base64`.
    pub encoding: Option<String>,
    /// What stands before the signature.
    pub prefix: Option<String>,
    /// The header with the id of the delivery.
    pub delivery_header: Option<String>,
    /// How far the time may be off.
    pub tolerance: Option<Millis>,
    /// The name of a user.
    pub username: Option<String>,
    /// The address the provider was given.
    pub url: Option<String>,
}

/// Shows which fields are given, and no value: secrets are among them.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.given(SECRET)).finish()
    }
}

const SECRET: &str = "secret";

impl Spec {
    /// The names of what is given.
    fn given(&self, secret: &'static str) -> impl Iterator<Item = &'static str> {
        let given = [
            (secret, !self.secrets.is_empty()),
            (SECRET_ENCODING.name, self.secret_encoding.is_some()),
            (HEADER.name, self.header.is_some()),
            (ENCODING.name, self.encoding.is_some()),
            (PREFIX.name, self.prefix.is_some()),
            (DELIVERY.name, self.delivery_header.is_some()),
            (TOLERANCE.name, self.tolerance.is_some()),
            (USERNAME.name, self.username.is_some()),
            (URL.name, self.url.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name)
    }
}

/// The preset of this name.
pub(crate) fn preset(kind: &str) -> Result<&'static Preset, Problem> {
    presets::preset(kind).ok_or_else(|| {
        let names = presets().iter().map(|preset| preset.name);
        let shown: String = kind.chars().take(40).collect();
        Problem::new("type", format!("unknown verification \"{shown}\""))
            .suggest(did_you_mean(&presets::canonical(kind), names))
    })
}

/// What a preset needs to run.
pub(crate) fn check(preset: &'static Preset, spec: Spec) -> Result<Check, Vec<Problem>> {
    let mut reader = Reader { preset, spec, problems: Vec::new() };
    reader.strangers();
    let check = reader.check();
    match check {
        Some(check) if reader.problems.is_empty() => Ok(check),
        _ => Err(reader.problems),
    }
}

struct Reader {
    preset: &'static Preset,
    spec: Spec,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(field, message));
    }

    /// The name by which this preset takes its secrets.
    fn secret_name(&self) -> &'static str {
        self.preset.secret_field().map_or(SECRET, |field| field.name)
    }

    /// Fields the preset does not take.
    fn strangers(&mut self) {
        let Preset { name: kind, fields, .. } = self.preset;
        let suggestion = match fields {
            [] => "it takes no fields".to_owned(),
            fields => {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                format!("it takes: {}", names.join(", "))
            }
        };
        let given = self.spec.given(self.secret_name());
        let strangers = given.filter(|name| fields.iter().all(|field| field.name != *name));
        let problems = strangers.map(|name| {
            Problem::new(name, format!("is no field of {kind}")).suggest(suggestion.clone())
        });
        self.problems.extend(problems);
    }

    fn check(&mut self) -> Option<Check> {
        Some(match &self.preset.scheme {
            Scheme::Open => Check::Open,
            Scheme::Signature(signature) => {
                let secrets = self.secrets(signature.writing);
                Check::Signature { rule: self.rule(signature)?, secrets: secrets? }
            }
            Scheme::Token(token) => Check::Token { token, secrets: self.secrets(Writing::Text)? },
            Scheme::Basic => {
                let passwords = self.secrets(Writing::Text);
                Check::Basic { user: self.user()?, passwords: passwords? }
            }
            Scheme::Twilio => {
                let secrets = self.secrets(Writing::Text);
                Check::Twilio { address: self.address(), secrets: secrets? }
            }
        })
    }

    fn secrets(&mut self, default: Writing) -> Option<Vec<Secret>> {
        let name = self.secret_name();
        let writing = self.writing(default);
        let given = std::mem::take(&mut self.spec.secrets);
        if given.is_empty() {
            self.problem(name, "is missing");
        }
        if given.len() > SECRETS_MAX {
            self.problem(name, format!("may be {SECRETS_MAX} at most"));
        }
        let mut secrets = Vec::with_capacity(given.len().min(SECRETS_MAX));
        for (at, text) in given.iter().take(SECRETS_MAX).enumerate() {
            let field = if given.len() == 1 { name.to_owned() } else { format!("{name}[{at}]") };
            match Secret::read(text, writing) {
                Ok(secret) if secrets.contains(&secret) => self.problem(field, "is there twice"),
                Ok(secret) => secrets.push(secret),
                Err(error) => self.problem(field, error.to_string()),
            }
        }
        (!secrets.is_empty()).then_some(secrets)
    }

    /// How secrets are written.
    fn writing(&mut self, default: Writing) -> Writing {
        let writings = [
            ("text", Writing::Text),
            ("hex", Writing::Hex),
            ("base64", Writing::Base64),
            ("whsec", Writing::Whsec),
        ];
        let given = self.spec.secret_encoding.take();
        self.word(SECRET_ENCODING.name, given.as_deref(), &writings).unwrap_or(default)
    }

    /// One of the words a field of the preset takes.
    fn word<T: Copy>(
        &mut self,
        name: &'static str,
        given: Option<&str>,
        meanings: &[(&str, T)],
    ) -> Option<T> {
        let given = given?;
        let field = self.preset.fields.iter().find(|field| field.name == name)?;
        let Shape::Word(words) = field.shape else { return None };
        let meaning = meanings.iter().find(|(word, _)| *word == given && words.contains(word));
        if meaning.is_none() {
            let suggestion = did_you_mean(given, words.iter().copied());
            self.problems.push(Problem::new(name, "is no such word").suggest(suggestion));
        }
        meaning.map(|(_, meaning)| *meaning)
    }

    fn rule(&mut self, signature: &'static Signature) -> Option<Rule<'static>> {
        let mut rule = Rule::of(signature, self.tolerance());
        if let Some(prefix) = self.spec.prefix.take() {
            let is_prefix = prefix.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
            if !is_prefix || prefix.len() > TEXT_BYTES_MAX {
                self.problem(PREFIX.name, "must be printable ASCII");
            }
            rule.prefix = Cow::Owned(prefix);
        }
        let encodings = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
        let given = self.spec.encoding.take();
        if let Some(encoding) = self.word(ENCODING.name, given.as_deref(), &encodings) {
            rule.encoding = encoding;
        }
        let (header, delivery) = (self.spec.header.take(), self.spec.delivery_header.take());
        if let Some(name) = self.header(DELIVERY.name, delivery) {
            rule.delivery = Cow::Owned(vec![Place::Header(Cow::Owned(name))]);
        }
        match self.header(HEADER.name, header) {
            Some(name) => rule.header = Cow::Owned(name),
            None if rule.header.is_empty() => {
                let named = self.problems.iter().any(|problem| problem.field == HEADER.name);
                if !named {
                    self.problem(HEADER.name, "is missing");
                }
                return None;
            }
            None => {}
        }
        Some(rule)
    }

    /// The name of a header (RFC 9110: a token).
    fn header(&mut self, field: &'static str, given: Option<String>) -> Option<String> {
        let name = given?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || name.len() > TEXT_BYTES_MAX || !name.bytes().all(is_token) {
            self.problem(field, "is no name of a header");
            return None;
        }
        Some(name)
    }

    fn tolerance(&mut self) -> Millis {
        let tolerance = self.spec.tolerance.unwrap_or(moment::TOLERANCE);
        if !(TOLERANCE_MIN..=TOLERANCE_MAX).contains(&tolerance) {
            let message = format!("must be between {TOLERANCE_MIN} and {TOLERANCE_MAX}");
            self.problem(TOLERANCE.name, message);
        }
        tolerance
    }

    fn user(&mut self) -> Option<Secret> {
        let Some(name) = self.spec.username.take() else {
            self.problem(USERNAME.name, "is missing");
            return None;
        };
        if name.contains(':') {
            self.problem(USERNAME.name, "may not have a colon");
        }
        let user = Secret::read(&name, Writing::Text);
        user.map_err(|error| self.problem(USERNAME.name, error.to_string())).ok()
    }

    fn address(&mut self) -> Option<String> {
        let url = self.spec.url.take()?;
        let host = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let is_address = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
        let is_text = url.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_address || !is_text || url.len() > TEXT_BYTES_MAX {
            let problem = Problem::new(URL.name, "is no address");
            self.problems.push(problem.suggest("https://example.com/webhooks/twilio"));
        }
        Some(url)
    }
}

#[cfg(test)]
mod tests;

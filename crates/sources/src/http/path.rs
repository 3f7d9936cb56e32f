//! Paths of routes: literal segments, `{name}` for one segment, a final `{name...}` for the rest.

use evoke_ports::http::MANAGEMENT;
use std::borrow::Cow;

use evoke_model::Problem;

/// Longer paths are not typed by anybody.
const LEN_MAX: usize = 512;

/// A path of a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RoutePath {
    pub(super) segments: Vec<Segment>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Segment {
    /// Decoded.
    Literal(Box<str>),
    Param(Box<str>),
    /// The rest of the path, its slashes included.
    Rest(Box<str>),
}

impl Segment {
    fn parse(part: &str) -> Result<Self, Problem> {
        if let Some(name) = part.strip_prefix(':') {
            return Err(wrong(part, format!("write {{{name}}}")));
        }
        if part.contains('*') {
            return Err(wrong(part, "write {rest...} for the rest of the path".to_owned()));
        }
        let Some(inner) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            if part.contains(['{', '}']) {
                return Err(wrong(part, "a parameter is a whole segment: {name}".to_owned()));
            }
            return Ok(Self::Literal(decode(part).into()));
        };
        let (name, is_rest) = match inner.strip_suffix("...") {
            Some(name) => (name, true),
            None => (inner, false),
        };
        let mut chars = name.chars();
        let begins_well = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !begins_well || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let rule = "letters, digits and _, beginning with a letter".to_owned();
            return Err(wrong(part, rule));
        }
        Ok(if is_rest { Self::Rest(name.into()) } else { Self::Param(name.into()) })
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Param(name) | Self::Rest(name) => Some(name),
        }
    }
}

fn wrong(part: &str, suggestion: String) -> Problem {
    Problem::new("path", format!("the segment \"{part}\" is not understood")).suggest(suggestion)
}

impl RoutePath {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let problem = |message: String| Err(Problem::new("path", message));
        let Some(path) = text.strip_prefix('/') else {
            return Err(Problem::new("path", "must begin with /").suggest(format!("\"/{text}\"")));
        };
        if text.len() > LEN_MAX {
            return problem(format!("may not be longer than {LEN_MAX} bytes"));
        }
        if text.contains(['?', '#']) || text.contains(char::is_whitespace) {
            return problem("may hold no query, no fragment and no space".to_owned());
        }
        let segments: Vec<Segment> =
            path.split('/').map(Segment::parse).collect::<Result<_, _>>()?;
        for (place, segment) in segments.iter().enumerate() {
            if matches!(segment, Segment::Rest(_)) && place + 1 < segments.len() {
                return problem("{name...} may only be the last segment".to_owned());
            }
            let name = segment.name();
            if name.is_some() && segments[..place].iter().any(|other| other.name() == name) {
                return problem(format!("the parameter {} occurs twice", name.unwrap_or_default()));
            }
        }
        let path = Self { segments };
        path.refuse_management(text)?;
        Ok(path)
    }

    /// The server answers these itself, so a route for one of them would never be called.
    fn refuse_management(&self, text: &str) -> Result<(), Problem> {
        let literal = |place: usize| match self.segments.get(place) {
            Some(Segment::Literal(literal)) => Some(&**literal),
            _ => None,
        };
        let taken = match (literal(0), literal(1), literal(2)) {
            (Some("api"), Some("v1"), Some(third)) => MANAGEMENT.contains(&third),
            (Some("api"), Some(second), _) => MANAGEMENT.contains(&second),
            (Some(".well-known"), Some("jwks.json"), _) => true,
            (Some(first), _, _) => ROOT.contains(&first),
            _ => false,
        };
        if !taken {
            return Ok(());
        }
        Err(Problem::new("path", format!("\"{text}\" would shadow the management API"))
            .suggest("choose a path of your own, such as \"/app/...\""))
    }
}

/// Segments at the root that belong to the server.
const ROOT: &[&str] =
    &["docs", "health", "metrics", "openapi.json", "schemas", "storage", "webhooks"];

/// Whether requests at this path, as it came, are webhooks: no route has them, however much it
/// takes.
pub(super) fn is_of_webhooks(path: &str) -> bool {
    let mut segments = path.split('/').skip(1).map(decode);
    let mut next = || segments.next().unwrap_or_default();
    match &*next() {
        "webhooks" => true,
        "api" => match &*next() {
            "webhook" => true,
            "v1" => next() == "webhook",
            _ => false,
        },
        _ => false,
    }
}

/// Percent-decodes a segment. What is no valid escape stays as it is; bytes that are no UTF-8
/// become the replacement character, since parameters are texts.
pub(crate) fn decode(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(hex_byte);
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    Cow::Owned(
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

//! Patterns over types, sources and subjects.
//!
//! A pattern is made of segments. `*` stands for exactly one segment, `**` for any number of them
//! (none included), a `*` at the very end for one or more, and a `*` inside a segment for any run
//! of characters in it: `order.*` takes `order.created` and `order.line.added` but not `order`,
//! `order.**` takes all three, `user-*.created` takes `user-7.created`. A `|` in a pattern over
//! types separates alternatives. Everything else is literal and case matters.

use evoke_model::Problem;

/// A pattern may not be longer; events' types are refused long before.
const LEN_MAX: usize = 1_024;

/// What stands between two segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Separator {
    /// Types: `order.created`.
    Dot,
    /// Sources and subjects, which look like URIs: `/api/events`.
    Slash,
}

impl Separator {
    const fn char(self) -> char {
        match self {
            Self::Dot => '.',
            Self::Slash => '/',
        }
    }
}

/// A pattern, ready to match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    separator: Separator,
    /// One of these has to fit; nearly always there is one.
    forms: Box<[Form]>,
}

/// What a text that fits begins with: where an index looks for the pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Anchor<'p> {
    /// It is this text.
    Exact(&'p str),
    /// Its first segment is this one.
    First(&'p str),
    /// Anything.
    Open,
}

/// The common forms need no walk over segments.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Form {
    Any,
    Exact(Box<str>),
    /// `order.*`: the prefix ends with its separator.
    Below(Box<str>),
    Segments(Box<[Segment]>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Segment {
    Literal(Box<str>),
    One,
    Many,
    /// A segment with `*` inside, kept as it was written.
    Glob(Box<str>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is empty, too long, or mixes `**` with other characters in one segment.
    pub fn parse(text: &str, separator: Separator) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::new("", "a pattern may not be empty").suggest("\"*\" for all"));
        }
        if text.len() > LEN_MAX {
            return Err(Problem::new(
                "",
                format!("a pattern may not be longer than {LEN_MAX} bytes"),
            ));
        }
        let forms: Result<Vec<Form>, Problem> = match separator {
            Separator::Dot => text.split('|').map(|part| Form::parse(part, separator)).collect(),
            Separator::Slash => Form::parse(text, separator).map(|form| vec![form]),
        };
        Ok(Self { separator, forms: forms?.into() })
    }

    /// Whether `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        self.forms.iter().any(|form| form.matches(text, self.separator.char()))
    }

    /// Where an index has to put the pattern: one place for each alternative.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = Anchor<'_>> {
        self.forms.iter().map(|form| form.anchor(self.separator.char()))
    }
}

impl Form {
    fn parse(text: &str, separator: Separator) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::new("", "an alternative may not be empty"));
        }
        if !text.contains('*') {
            return Ok(Self::Exact(text.into()));
        }
        let mut segments = Vec::new();
        for part in text.split(separator.char()) {
            segments.push(Segment::parse(part)?);
        }
        // One or more: the segment itself, then as many as there are.
        if segments.last() == Some(&Segment::One) {
            segments.push(Segment::Many);
        }
        Ok(Self::of(segments, separator))
    }

    fn matches(&self, text: &str, separator: char) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *text,
            Self::Below(prefix) => text.starts_with(&**prefix),
            Self::Segments(segments) => matches_segments(segments, text, separator),
        }
    }

    fn anchor(&self, separator: char) -> Anchor<'_> {
        match self {
            Self::Exact(text) => Anchor::Exact(text),
            Self::Below(prefix) => match prefix.split_once(separator) {
                Some((first, _)) => Anchor::First(first),
                None => Anchor::Open,
            },
            Self::Segments(segments) => match segments.first() {
                Some(Segment::Literal(literal)) => Anchor::First(literal),
                _ => Anchor::Open,
            },
            Self::Any => Anchor::Open,
        }
    }

    fn of(segments: Vec<Segment>, separator: Separator) -> Self {
        match segments.as_slice() {
            [Segment::Many] | [Segment::One, Segment::Many] => Self::Any,
            [literals @ .., Segment::One, Segment::Many]
                if literals.iter().all(|segment| matches!(segment, Segment::Literal(_))) =>
            {
                let mut prefix = String::new();
                for literal in literals {
                    if let Segment::Literal(text) = literal {
                        prefix.push_str(text);
                        prefix.push(separator.char());
                    }
                }
                Self::Below(prefix.into())
            }
            _ => Self::Segments(segments.into()),
        }
    }
}

impl Segment {
    fn parse(part: &str) -> Result<Self, Problem> {
        Ok(match part {
            "*" => Self::One,
            "**" => Self::Many,
            part if part.contains("**") => {
                return Err(Problem::new("", format!("\"**\" must stand alone, not in {part:?}"))
                    .suggest("\"*\" inside a segment stands for any characters"));
            }
            part if part.contains('*') => Self::Glob(part.into()),
            part => Self::Literal(part.into()),
        })
    }

    fn takes(&self, part: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *part,
            Self::One | Self::Many => true,
            Self::Glob(glob) => matches_glob(glob.as_bytes(), part.as_bytes()),
        }
    }
}

/// Walks pattern and text together and remembers only the last `**`: going back further can never
/// help, so the cost is at most the product of both lengths.
fn matches_segments(pattern: &[Segment], text: &str, separator: char) -> bool {
    let mut rest = Some(text);
    let mut at = 0;
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let next = rest.map(|rest| match rest.split_once(separator) {
            Some((part, rest)) => (part, Some(rest)),
            None => (rest, None),
        });
        match (pattern.get(at), next) {
            (None, None) => return true,
            (Some(Segment::Many), _) => {
                at += 1;
                retry = rest.map(|rest| (at, rest));
                continue;
            }
            (Some(segment), Some((part, after))) if segment.takes(part) => {
                at += 1;
                rest = after;
                continue;
            }
            _ => {}
        }
        // The last `**` takes one segment more, or there is no way.
        let Some((after_many, skipped)) = retry else { return false };
        rest = skipped.split_once(separator).map(|(_, rest)| rest);
        at = after_many;
        retry = rest.map(|rest| (at, rest));
    }
}

/// The same walk over the bytes of one segment; `*` is the only special one.
fn matches_glob(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut pos) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while pos < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, pos));
            }
            Some(byte) if *byte == text[pos] => {
                at += 1;
                pos += 1;
            }
            _ => {
                let Some((after_star, taken)) = retry else { return false };
                at = after_star;
                pos = taken + 1;
                retry = Some((at, pos));
            }
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern, Separator::Dot).unwrap().matches(text)
    }

    #[test]
    fn patterns_take_what_they_say() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("a.b", &["a.b"], &["a", "a.b.c", "A.b", "a.bc", ""]),
            ("*", &["a", "a.b", "a.b.c", ""], &[]),
            ("**", &["a", "a.b", ""], &[]),
            (
                "order.*",
                &["order.created", "order.line.added"],
                &["order", "orders.x", "x.order.y"],
            ),
            ("order.**", &["order", "order.created", "order.line.added"], &["orders", "x.order"]),
            ("*.created", &["order.created"], &["created", "a.b.created", "order.created.x"]),
            ("a.*.c", &["a.b.c"], &["a.c", "a.b.b.c"]),
            ("a.**.c", &["a.c", "a.b.c", "a.b.b.c"], &["a.b", "c", "a.c.d"]),
            ("user-*.created", &["user-7.created", "user-.created"], &["user.created", "user-7.x"]),
            ("user-*", &["user-7"], &["user-7.created"]),
            ("a*c*e.x", &["ace.x", "abcde.x"], &["abce.y", "abcd.x"]),
            ("a.b|c.*|d", &["a.b", "c.x", "d"], &["a", "c", "d.x", "a.b|c.x"]),
            ("**.b.**.d", &["b.d", "a.b.c.d", "a.b.b.c.d"], &["a.b.c", "d.b"]),
        ];
        for (pattern, yes, no) in table {
            for text in *yes {
                assert!(fits(pattern, text), "{pattern} should take {text:?}");
            }
            for text in *no {
                assert!(!fits(pattern, text), "{pattern} should not take {text:?}");
            }
        }
    }

    #[test]
    fn sources_are_split_at_slashes() {
        let pattern = Pattern::parse("/shops/*/orders", Separator::Slash).unwrap();
        assert!(pattern.matches("/shops/a.b/orders"));
        assert!(!pattern.matches("/shops/a/b/orders"));
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for text in ["", "a**", "a.b**c", "a||b", "|", &"x".repeat(LEN_MAX + 1)] {
            assert!(Pattern::parse(text, Separator::Dot).is_err(), "{text}");
        }
    }

    /// Straight from the definition, without any of the shortcuts.
    fn naive(pattern: &[&str], text: &[&str]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((&"**", rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((&"*", [])) => !text.is_empty(),
            Some((first, rest)) => text.split_first().is_some_and(|(part, text)| {
                naive_glob(first.as_bytes(), part.as_bytes()) && naive(rest, text)
            }),
        }
    }

    fn naive_glob(glob: &[u8], text: &[u8]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| naive_glob(rest, &text[skip..])),
            Some((byte, rest)) => text.first() == Some(byte) && naive_glob(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_quick_matcher_agrees_with_the_naive_one(
            pattern in proptest::collection::vec("[ab]{0,2}|\\*|\\*\\*|[ab]?\\*[ab]?|\\*[ab]\\*", 1..6),
            text in proptest::collection::vec("[ab]{0,3}", 1..6),
        ) {
            let (joined, text_joined) = (pattern.join("."), text.join("."));
            prop_assume!(!joined.is_empty());
            let pattern: Vec<&str> = joined.split('.').collect();
            let text: Vec<&str> = text_joined.split('.').collect();
            prop_assert_eq!(
                fits(&joined, &text_joined), naive(&pattern, &text), "{} {}", joined, text_joined
            );
        }
    }
}

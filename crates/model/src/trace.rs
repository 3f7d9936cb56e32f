//! W3C trace context (<https://www.w3.org/TR/trace-context/>): who caused what, across processes.

use std::fmt;
use std::str::FromStr;

/// A trace and the span in it that causes what follows: the value of `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TraceContext {
    /// The trace, never 0.
    pub trace: u128,
    /// The span, never 0.
    pub span: u64,
    /// Whether the spans of this trace are wanted.
    pub sampled: bool,
}

/// The text is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a traceparent like 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct NotTraceparent;

impl TraceContext {
    /// The same trace, caused by another span of it.
    #[must_use]
    pub const fn with_span(self, span: u64) -> Self {
        Self { span, ..self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl FromStr for TraceContext {
    type Err = NotTraceparent;

    /// Reads version 00, and what is known of it in later versions.
    fn from_str(text: &str) -> Result<Self, NotTraceparent> {
        let hex = |part: &str, len: usize| {
            let is_hex = part.len() == len
                && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if is_hex {
                u128::from_str_radix(part, 16).map_err(|_| NotTraceparent)
            } else {
                Err(NotTraceparent)
            }
        };
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotTraceparent);
        let version = hex(next()?, 2)?;
        let trace = hex(next()?, 32)?;
        let span = hex(next()?, 16)?;
        let flags = hex(next()?, 2)?;
        let has_more = parts.next().is_some();
        if version == 0xff || (version == 0 && has_more) || trace == 0 || span == 0 {
            return Err(NotTraceparent);
        }
        Ok(Self { trace, span: span as u64, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_round_trips() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context: Result<TraceContext, _> = text.parse();
        assert_eq!(context.map(|context| context.to_string()).as_deref(), Ok(text));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(NotTraceparent), "{text}");
        }
        assert!(
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"
                .parse::<TraceContext>()
                .is_ok()
        );
    }
}

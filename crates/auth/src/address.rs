//! Addresses of mail: what is taken for one, and when two are the same.

/// Longer ones cannot be sent to (RFC 5321, 4.5.3.1.3).
const CHARS_MAX: usize = 254;

/// An address of mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    /// As its owner writes it.
    pub(crate) shown: String,
    /// The same for all ways to write it: in lower case.
    pub(crate) key: String,
}

impl Address {
    /// Reads an address; `None` where mail could not be sent to it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().count() > CHARS_MAX || text.contains(char::is_control) {
            return None;
        }
        if text.chars().any(is_ascii_in_disguise) {
            return None;
        }
        text.parse::<lettre::Address>().ok()?;
        Some(Self { shown: text.to_owned(), key: text.to_lowercase() })
    }
}

/// Whether a letter is another one than its lower case pretends: the sign for kelvin becomes a `k`,
/// and with it an address that of somebody else.
fn is_ascii_in_disguise(letter: char) -> bool {
    !letter.is_ascii() && letter.to_lowercase().any(|lower| lower.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_write_an_address_are_the_same() {
        let key = |text: &str| Address::read(text).map(|address| address.key);
        assert_eq!(key(" Ada@Example.Test "), key("ada@example.test"));
        assert_eq!(key("jörg@exämple.test"), key("JÖRG@EXÄMPLE.test"));
        for text in [
            "",
            "ada",
            "@example.test",
            "ada@",
            "ada@@example.test",
            "a da@example.test",
            "ada@exa mple.test",
            "ada@example.test\r\nBcc: eve@example.test",
            "Ada <ada@example.test>",
            "ada@example.test, eve@example.test",
            &format!("{}@example.test", "a".repeat(250)),
            "ada\0@example.test",
            "mi\u{212a}e@example.test",
            "ada@\u{212a}iosk.test",
            "\u{130}da@example.test",
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
    }
}

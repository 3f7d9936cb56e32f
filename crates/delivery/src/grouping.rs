//! Dead letters with the same cause. Two failures are the same when their code and their message
//! are, apart from what changes from one to the next: numbers, ids, addresses, quoted values.

use evoke_model::Failure;

/// Messages are compared up to here: what tells causes apart stands at the beginning.
const COMPARED_MAX: usize = 512;

/// The same number for failures with the same cause, on any machine and in any release: it is shown
/// and linked to.
pub fn fingerprint(failure: &Failure) -> u64 {
    let mut hash = Fnv::default();
    hash.write(failure.code.as_str().as_bytes());
    hash.write(b":");
    hash.write(normalise(&failure.message).as_bytes());
    hash.0
}

/// The message with everything that changes replaced by a placeholder: `order 17 of "acme" failed`
/// becomes `order # of "" failed`.
pub fn normalise(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut end = COMPARED_MAX.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = &line[..end];
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let before = out.chars().next_back();
        if let Some(after) = quoted(rest, before) {
            out.push_str("\"\"");
            rest = after;
        } else if is_word(first) {
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            push_word(&mut out, word);
            rest = after;
        } else {
            // Runs of spaces count as one.
            if !(first.is_whitespace() && before == Some(' ')) {
                out.push(if first.is_whitespace() { ' ' } else { first });
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// What follows a quoted text, if one begins here. An apostrophe inside a word quotes nothing.
fn quoted(text: &str, before: Option<char>) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    if before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let inner = &text[1..];
    let end = inner.find(quote)?;
    Some(&inner[end + 1..])
}

/// Characters of words and of ids: `exe_01jx`, `2026-11-21T10:00:00Z`, `10.0.0.1:443`, `a-b`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn push_word(out: &mut String, word: &str) {
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        // `deadbeef` alone is a word, but a long run of hex letters is not.
        let is_hex = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        out.push_str(if is_hex { "#" } else { word });
        return;
    }
    if looks_like_id(word) {
        out.push('#');
        return;
    }
    // `utf8`, `30s`: only the digits change.
    let mut in_number = false;
    for c in word.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !in_number {
            out.push('#');
        }
        in_number = c.is_ascii_digit();
    }
}

/// UUIDs, hashes, ids of ours and of others: long and mixed, or hex with digits in it.
fn looks_like_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.strip_prefix("0x").unwrap_or(word);
    let is_hex = hex.len() >= 6 && hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_hex || (word.len() >= 12 && digits >= 3)
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): short, and the same everywhere.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::problem::Code;

    #[test]
    fn what_changes_is_left_out() {
        for (message, normal) in [
            ("order 17 of \"acme\" failed", "order # of \"\" failed"),
            ("order 4711 of 'x y' failed", "order # of \"\" failed"),
            ("connect to 10.0.0.1:443: refused", "connect to #.#.#.#:#: refused"),
            ("user 3f2504e0-4f89-41d3-9a0c-0305e82c3301 is gone", "user # is gone"),
            ("exe_01j9z3k5m7n8p01j9z3k5m7n8p is stuck", "# is stuck"),
            ("at 2026-11-21T10:00:00Z", "at #:#:#Z"),
            ("no space: 0x7fff12ab", "no space: #"),
            ("timeout of 30s   exceeded", "timeout of #s exceeded"),
            ("can't read utf8", "can't read utf#"),
            ("it's the user's", "it's the user's"),
            ("first line\n  at handler (index.js:3:7)", "first line"),
            ("Zeichenkette ungültig: «ä»", "Zeichenkette ungültig: «ä»"),
            ("unclosed \"quote 5", "unclosed \"quote #"),
            ("", ""),
        ] {
            assert_eq!(normalise(message), normal, "{message}");
        }
    }

    #[test]
    fn the_code_tells_causes_apart() {
        let failure = |code, message: &str| fingerprint(&Failure::new(code, message));
        let one = failure(Code::FunctionError, "order 1 failed");
        assert_eq!(one, failure(Code::FunctionError, "order 2 failed"));
        assert_ne!(one, failure(Code::TargetFailed, "order 1 failed"));
        assert_ne!(one, failure(Code::FunctionError, "order 1 was lost"));
        // Stored and linked to: it may not change from release to release.
        assert_eq!(one, 0x2bb8_ae36_66d7_2902);
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let message = "ü".repeat(COMPARED_MAX);
        assert_eq!(normalise(&message).len(), COMPARED_MAX);
    }
}

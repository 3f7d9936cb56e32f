//! Which part of a file a request asks for (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// All of it: another unit than bytes is as good as none.
    Whole,
    /// This part.
    Part(Range<u64>),
    /// A part there is not, several at once, or nothing that can be understood.
    Unsatisfiable,
}

/// What the value of a `Range` header asks for of a file of this size.
pub fn wanted(header: &str, size: u64) -> Wanted {
    let Some((unit, ranges)) = header.split_once('=') else { return Wanted::Unsatisfiable };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    match part(ranges.trim(), size) {
        Some(range) if range.start < range.end => Wanted::Part(range),
        _ => Wanted::Unsatisfiable,
    }
}

fn part(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number too long for 64 bits is beyond every end.
        is_plain.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let end = match last {
        "" => size,
        last => number(last)?.saturating_add(1),
    };
    (first < end).then(|| first..end.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_given_and_everything_else_refused() {
        for (header, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-9", Wanted::Part(0..10)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=5-400", Wanted::Part(5..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            (" Bytes = 1 - 2 ", Wanted::Part(1..3)),
            ("lines=1-2", Wanted::Whole),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=4-3", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Unsatisfiable),
            ("bytes=", Wanted::Unsatisfiable),
            ("bytes=-", Wanted::Unsatisfiable),
            ("bytes=a-b", Wanted::Unsatisfiable),
            ("bytes=+1-2", Wanted::Unsatisfiable),
            ("bytes", Wanted::Unsatisfiable),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(wanted("bytes=-1", 0), Wanted::Unsatisfiable);
    }
}

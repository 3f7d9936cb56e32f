//! W3C trace context (<https://www.w3.org/TR/trace-context/>).

/// Whether the text is a `traceparent` that may be passed on. An invalid one is ignored, as the
/// recommendation asks.
pub fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 55 || (bytes.len() > 55 && (text.starts_with("00") || bytes[55] != b'-')) {
        return false;
    }
    let is_hex = |range: std::ops::Range<usize>| {
        bytes[range].iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
    };
    let is_zero = |range: std::ops::Range<usize>| bytes[range].iter().all(|b| *b == b'0');
    bytes.len() <= 255
        && bytes.is_ascii()
        && is_hex(0..2)
        && &bytes[..2] != b"ff"
        && bytes[2] == b'-'
        && is_hex(3..35)
        && !is_zero(3..35)
        && bytes[35] == b'-'
        && is_hex(36..52)
        && !is_zero(36..52)
        && bytes[52] == b'-'
        && is_hex(53..55)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_recommendation_is_asked_for() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(&good.replacen("00", "cc", 1)));
        assert!(is_traceparent(&format!("{}-what-the-future-adds", good.replacen("00", "cc", 1))));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}

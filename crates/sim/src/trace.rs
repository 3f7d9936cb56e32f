//! What happened in a run, line by line, each with its virtual time.

use evoke_model::Timestamp;

/// When each run begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The lines so far.
#[derive(Default)]
pub(crate) struct Trace {
    lines: Vec<String>,
}

impl Trace {
    /// Adds a line.
    pub(crate) fn say(&mut self, now: Timestamp, text: &str) {
        let micros = now.since(BEGINNING).as_micros();
        self.lines.push(format!("{:>6}.{:06} {text}", micros / 1_000_000, micros % 1_000_000));
    }

    /// All lines.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

/// A number that differs where lines differ (64-bit FNV-1a).
pub(crate) fn hash(lines: &[String]) -> u64 {
    let bytes = lines.iter().flat_map(|line| line.bytes().chain([b'\n']));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

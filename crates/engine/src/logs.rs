//! What a function prints: kept with its attempt up to a limit, and told to who listens.

use std::sync::Arc;

use evoke_model::execution::Level;
use evoke_model::{ByteSize, ExecutionId, LogLine};
use evoke_ports::LogSink;
use parking_lot::Mutex;

use crate::feed::{Feed, Notice};

/// What a line takes beside its text, so that empty lines are bounded as well.
const LINE_BYTES: usize = 16;

/// Lines of one attempt.
pub(crate) struct Lines {
    execution: Option<ExecutionId>,
    function: Arc<str>,
    feed: Feed,
    bytes_max: ByteSize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped_lines: u64,
    dropped_bytes: u64,
}

impl Lines {
    /// Lines of an attempt of `execution`, of which so many bytes are kept.
    pub(crate) fn new(
        execution: ExecutionId,
        function: Arc<str>,
        feed: Feed,
        bytes_max: ByteSize,
    ) -> Self {
        Self { execution: Some(execution), function, feed, bytes_max, kept: Mutex::default() }
    }

    /// Takes what was kept, with a last line that says how much was cut.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        let mut kept = std::mem::take(&mut *self.kept.lock());
        if kept.dropped_lines > 0 {
            let last = kept.lines.last().map(|line| line.time).unwrap_or_default();
            kept.lines.push(LogLine {
                time: last,
                level: Level::Warn,
                message: format!(
                    "... {} more lines ({} bytes) were cut: a log may have {} bytes",
                    kept.dropped_lines,
                    kept.dropped_bytes,
                    self.bytes_max.as_u64()
                ),
            });
        }
        kept.lines
    }
}

impl LogSink for Lines {
    fn log(&self, line: LogLine) {
        self.feed.tell(|| Notice::Log {
            execution: self.execution,
            function: self.function.clone(),
            line: line.clone(),
        });
        let mut kept = self.kept.lock();
        // Nothing follows the cut, so that the mark at the end stands where the cut is.
        let is_cut = kept.dropped_lines > 0;
        let bytes = kept.bytes + line.message.len() + LINE_BYTES;
        if is_cut || bytes as u64 > self.bytes_max.as_u64() {
            kept.dropped_lines += 1;
            kept.dropped_bytes += line.message.len() as u64;
        } else {
            kept.bytes = bytes;
            kept.lines.push(line);
        }
    }
}

/// Lines printed outside of any call: only told, never kept.
pub(crate) struct Stray {
    function: Arc<str>,
    feed: Feed,
}

impl Stray {
    pub(crate) fn new(function: Arc<str>, feed: Feed) -> Self {
        Self { function, feed }
    }
}

impl LogSink for Stray {
    fn log(&self, line: LogLine) {
        tracing::debug!(function = %self.function, level = ?line.level, "{}", line.message);
        let function = self.function.clone();
        self.feed.tell(|| Notice::Log { execution: None, function, line });
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::{EventId, Timestamp, TriggerId};

    use super::*;

    fn lines(bytes: u64) -> Lines {
        let id = ExecutionId { event: EventId::from_u64(1), trigger: TriggerId::from_u64(1) };
        Lines::new(id, "f".into(), Feed::new(), ByteSize::new(bytes))
    }

    fn line(at: i64, message: &str) -> LogLine {
        let time = Timestamp::from_millis(at);
        LogLine { time, level: Level::Info, message: message.to_owned() }
    }

    #[test]
    fn a_log_within_its_bound_is_kept_whole() {
        let lines = lines(2 * (LINE_BYTES as u64 + 5));
        lines.log(line(1, "12345"));
        lines.log(line(2, "12345"));
        assert_eq!(lines.take(), [line(1, "12345"), line(2, "12345")]);
    }

    #[test]
    fn a_mark_stands_where_a_log_was_cut() {
        let lines = lines(2 * (LINE_BYTES as u64 + 5));
        for (at, message) in [(1, "12345"), (2, "much too long for this"), (3, "1"), (4, "123")] {
            lines.log(line(at, message));
        }
        let kept = lines.take();
        assert_eq!(kept[0], line(1, "12345"));
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[1].level, Level::Warn);
        assert_eq!(
            kept[1].message,
            "... 3 more lines (26 bytes) were cut: a log may have 42 bytes"
        );
        assert_eq!(lines.take(), []);
    }

    #[test]
    fn empty_lines_are_bounded_as_well() {
        let lines = lines(10 * LINE_BYTES as u64);
        for at in 0..1_000 {
            lines.log(line(at, ""));
        }
        assert_eq!(lines.take().len(), 11);
    }
}

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

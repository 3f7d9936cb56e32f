//! What a worker prints past the protocol: its standard output and error, line by line. Bounded in
//! length and number, because a function may print more than anybody can read.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use evoke_model::execution::Level;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};
use tokio_util::task::AbortOnDropHandle;

use crate::versions::shown::Shown;

/// A longer line is cut.
const LINE_BYTES_MAX: usize = 16 << 10;
/// One read of a pipe: what the kernel buffers for it.
const READ_BYTES: usize = 64 << 10;
/// Lines a second that are passed on, and how many may come at once.
const LINES_PER_SECOND: f64 = 1_000.0;
const LINES_BURST: f64 = 5_000.0;
/// Last words kept for the message about a worker's death.
const TAIL_LINES: usize = 10;
const TAIL_LINE_BYTES: usize = 500;

/// Takes the lines.
pub type Sink = Box<dyn Fn(Level, String) + Send + Sync>;

/// The reader of one worker's output.
#[derive(Debug)]
pub struct Output {
    shared: Arc<Shared>,
    task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    sink: OnceLock<Sink>,
    shown: OnceLock<Shown>,
    tail: Mutex<VecDeque<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("tail", &self.tail).finish_non_exhaustive()
    }
}

impl Output {
    /// Reads until both pipes end. Until [`Self::connect`] lines are only kept as last words.
    pub fn read(stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) -> Self {
        let shared = Arc::new(Shared::default());
        let reading = Arc::clone(&shared);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::join!(pipe(stdout, Level::Info, &reading), pipe(stderr, Level::Error, &reading));
        }));
        Self { shared, task }
    }

    /// From now on lines go there. Only the first sink counts.
    pub fn connect(&self, sink: Sink) {
        // A worker has one owner all its life, so a second sink would be the same one.
        self.shared.sink.get_or_init(|| sink);
    }

    /// From now on the paths in lines are shown like this. Only the first time counts.
    pub fn show(&self, shown: Shown) {
        // A worker has one function all its life.
        self.shared.shown.get_or_init(|| shown);
    }

    /// The last lines of the standard error, once the pipes have ended or `patience` is over: a
    /// child that outlives its worker may keep them open.
    pub async fn last_words(&mut self, patience: Duration) -> String {
        // Whether the pipes ended or not, what was read by then is all that can be told.
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.tail()
    }

    /// Keeps what a worker said of an error by other ways among its last words.
    pub fn remember(&self, text: &str) {
        text.lines().for_each(|line| self.shared.remember(line));
    }

    /// The last lines of the standard error so far.
    pub fn tail(&self) -> String {
        self.shared.tail.lock().make_contiguous().join("\n")
    }
}

async fn pipe(pipe: Option<impl AsyncRead + Unpin>, level: Level, shared: &Shared) {
    let Some(mut pipe) = pipe else { return };
    let mut cutter = LineCutter::default();
    let mut allowance = Allowance::new(Instant::now());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        cutter.cut(&buffer[..read], |line| shared.line(level, line, &mut allowance));
    }
    cutter.finish(|line| shared.line(level, line, &mut allowance));
    if let Some(note) = allowance.dropped_note() {
        shared.pass(Level::Warn, note);
    }
}

impl Shared {
    fn line(&self, level: Level, line: &[u8], allowance: &mut Allowance) {
        let shown = self.shown.get().and_then(|shown| shown.bytes(line));
        let text = String::from_utf8_lossy(shown.as_deref().unwrap_or(line));
        if level == Level::Error {
            self.remember(&text);
        }
        if allowance.take(Instant::now()) {
            if let Some(note) = allowance.dropped_note() {
                self.pass(Level::Warn, note);
            }
            self.pass(level, text.into_owned());
        }
    }

    fn pass(&self, level: Level, line: String) {
        if let Some(sink) = self.sink.get() {
            sink(level, line);
        }
    }

    fn remember(&self, line: &str) {
        let mut tail = self.tail.lock();
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        let end = line.floor_char_boundary(TAIL_LINE_BYTES);
        tail.push_back(line[..end].to_owned());
    }
}

/// Cuts bytes into lines without their breaks, however they come.
#[derive(Debug, Default)]
struct LineCutter {
    partial: Vec<u8>,
    /// The rest of a line that was too long is on its way.
    skipping: bool,
}

impl LineCutter {
    fn cut(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.partial.is_empty() && !self.skipping && head.len() <= LINE_BYTES_MAX {
                line(head.strip_suffix(b"\r").unwrap_or(head));
                continue;
            }
            self.keep(head, &mut line);
            self.finish(&mut line);
            self.skipping = false;
        }
        self.keep(bytes, &mut line);
    }

    fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            line(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial));
            self.partial.clear();
        }
    }

    fn keep(&mut self, bytes: &[u8], line: &mut impl FnMut(&[u8])) {
        if self.skipping {
            return;
        }
        let room = LINE_BYTES_MAX - self.partial.len();
        if bytes.len() <= room {
            self.partial.extend_from_slice(bytes);
            return;
        }
        self.partial.extend_from_slice(&bytes[..room]);
        self.partial.extend_from_slice(" … (cut)".as_bytes());
        line(&self.partial);
        self.partial.clear();
        self.skipping = true;
    }
}

/// How many lines may still be passed on: a bucket that fills with time.
#[derive(Debug)]
struct Allowance {
    lines: f64,
    at: Instant,
    dropped: u64,
}

impl Allowance {
    const fn new(now: Instant) -> Self {
        Self { lines: LINES_BURST, at: now, dropped: 0 }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.lines = (self.lines + passed * LINES_PER_SECOND).min(LINES_BURST);
        if self.lines < 1.0 {
            self.dropped += 1;
            return false;
        }
        self.lines -= 1.0;
        true
    }

    fn dropped_note(&mut self) -> Option<String> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then(|| format!("{dropped} lines were dropped: too many at once"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut cutter = LineCutter::default();
        let mut lines = Vec::new();
        let mut take = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        for piece in pieces {
            cutter.cut(piece, &mut take);
        }
        cutter.finish(&mut take);
        lines
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let whole: &[u8] = b"one\r\ntwo\n\nthree";
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(lines(&[whole]), ["one", "two", "", "three"]);
        assert_eq!(lines(&bytes), lines(&[whole]));
    }

    #[test]
    fn a_long_line_is_cut_once_and_its_rest_forgotten() {
        let long = vec![b'x'; LINE_BYTES_MAX];
        let cut = lines(&[&long, b"yyy", b"yyy\nnext\n"]);
        assert_eq!(cut.len(), 2);
        assert!(cut[0].ends_with("(cut)") && cut[0].len() < LINE_BYTES_MAX + 20);
        assert_eq!(cut[1], "next");
    }

    #[test]
    fn too_many_lines_are_counted_not_kept() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let passed = (0..20_000).filter(|_| allowance.take(start)).count();
        assert_eq!(passed, LINES_BURST as usize);
        assert_eq!(allowance.dropped, 15_000);
        assert!(allowance.take(start + Duration::from_secs(1)));
        assert!(allowance.dropped_note().is_some_and(|note| note.starts_with("15000 lines")));
        assert_eq!(allowance.dropped_note(), None);
    }
}

//! Room on the stack for a parser that calls itself.
//!
//! A hostile text can make the parser call itself once for each byte, and running out of stack ends
//! the whole process. So a script is read on a thread of its own, with as much stack as the worst
//! text of its length needs. The system gives pages of a stack only when they are touched: an
//! ordinary script touches a few.

use std::path::Path;
use std::thread;

use crate::error::ScriptError;

/// What the parser needs for a text of no bytes.
pub const STACK_BYTES_MIN: usize = 8 << 20;
/// The worst of forty hostile texts (`type X=[[[[`) took 1,784 in a release build and 3,766 in one
/// without optimization.
const STACK_BYTES_PER_BYTE: usize = if cfg!(debug_assertions) { 6_144 } else { 3_072 };
/// No script is nested like this, and a stack that was used stays in memory until the thread ends.
/// Brackets in texts count too, hence the room.
pub const NESTING_MAX: usize = 5_000;

/// How deeply brackets are nested, at most: what stands in texts and comments is counted as well.
pub fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut before = b' ';
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            // Type arguments follow their name at once; a comparison has a space.
            b'<' if before.is_ascii_alphanumeric() => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'>' if before != b'=' && before != b' ' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = byte;
        deepest = deepest.max(depth);
    }
    deepest
}

/// Runs `work` where the stack is large enough for `source`. A panic in a library is an error here.
///
/// # Errors
/// No thread could be started, or `work` panicked.
pub fn with_room_for<T: Send>(
    source: &str,
    path: &Path,
    work: impl FnOnce() -> T + Send,
) -> Result<T, ScriptError> {
    let bytes = STACK_BYTES_MIN + source.len() * STACK_BYTES_PER_BYTE;
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("script".to_owned())
            .stack_size(bytes)
            .spawn_scoped(scope, work)
            .map_err(|source| ScriptError::Thread { path: path.to_path_buf(), source })?;
        worker.join().map_err(|panic| ScriptError::Internal {
            path: path.to_path_buf(),
            message: panic_message(panic.as_ref()),
        })
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_what_a_reader_would_say() {
        let table = [
            ("", 0),
            ("f(a[{ b: 1 }])", 3),
            ("const a: Map<string, Set<number>> = new Map();", 2),
            ("if (a < b && c > d) { e = (x) => x; }", 2),
            ("))))((", 2),
        ];
        for (source, depth) in table {
            assert_eq!(nesting(source), depth, "{source}");
        }
    }
}

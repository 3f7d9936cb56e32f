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
/// The worst of forty hostile texts, `type X=[[[[`, took 3,766 in an unoptimized build.
const STACK_BYTES_PER_BYTE: usize = 6_144;

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

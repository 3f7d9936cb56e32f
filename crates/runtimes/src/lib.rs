//! Languages. Each is a small folder that says how its interpreter is found and started; the worker
//! processes, their pools and their limits are the same for all and live in [`process`].
//!
//! Reading order: [`language`], [`node`], [`runtime`], [`process`], [`protocol`].

pub mod bun;
mod clock;
pub mod install;
mod interpreter;
pub mod language;
pub mod node;
mod options;
mod packages;
pub mod process;
pub mod protocol;
pub mod python;
mod runtime;
mod shims;
mod versions;

use std::io;
use std::sync::Arc;

use evoke_ports::Runtime;

pub use options::{CANCEL_GRACE, Options};
pub use process::memory::MemoryControl;

use self::process::launch::Launcher;
use self::process::memory::Limiter;
use self::process::spawn::Spawner;
use self::runtime::ProcessRuntime;

/// All runtimes of this crate. Their workers end with the last of them and its pools.
///
/// # Errors
/// The machine gives no thread to start processes from.
pub fn builtin(options: Options) -> io::Result<Vec<Arc<dyn Runtime>>> {
    let limiter = Limiter::detect(options.memory);
    let launcher = Launcher::new(Spawner::new()?, limiter, options.environment.clone());
    let (options, launcher) = (Arc::new(options), Arc::new(launcher));
    let node = ProcessRuntime::new(node::Node::new(), Arc::clone(&options), Arc::clone(&launcher));
    let bun = ProcessRuntime::new(bun::Bun::new(), Arc::clone(&options), Arc::clone(&launcher));
    let python = ProcessRuntime::new(python::Python::new(), options, launcher);
    Ok(vec![Arc::new(node), Arc::new(bun), Arc::new(python)])
}

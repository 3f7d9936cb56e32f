//! The `evoke` command.

use std::process::ExitCode;

/// The hot path makes and drops many small values on one thread that were made on another, which is
/// what this allocator is good at and the system's is not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // All TLS of the process goes through one provider; a second one cannot have been installed
    // before the first line.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return ExitCode::from(5);
    }
    evoke_cli::run(evoke::commands::hooks())
}

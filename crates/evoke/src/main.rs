//! The `evoke` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // All TLS of the process goes through one provider; a second one cannot have been installed
    // before the first line.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return ExitCode::from(5);
    }
    evoke_cli::run(evoke::commands::hooks())
}

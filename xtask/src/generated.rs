//! Files that are made from the code and kept in the tree, so that a change of the surface shows in
//! review.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::run::{self, capture, cargo, command, run};

/// A file and the arguments with which the built `evoke` prints it.
struct Generated {
    path: &'static str,
    args: &'static [&'static str],
}

const FILES: [Generated; 1] = [Generated { path: "docs/openapi.json", args: &["openapi"] }];

/// Builds the server and writes the files anew.
pub fn write() -> Result<()> {
    run(cargo().args(["build", "--package", "evoke"]))?;
    for file in &FILES {
        let path = run::root().join(file.path);
        fs::write(&path, print(file)?).with_context(|| format!("write {}", file.path))?;
    }
    Ok(())
}

/// Compares the files with what the server that was built says now.
pub fn compare() -> Result<()> {
    let mut stale = Vec::new();
    for file in &FILES {
        let kept = fs::read_to_string(run::root().join(file.path)).unwrap_or_default();
        if kept != print(file)? {
            stale.push(file.path);
        }
    }
    if !stale.is_empty() {
        bail!("no longer what the code says: {}; cargo xtask fix mends it", stale.join(", "));
    }
    Ok(())
}

fn print(file: &Generated) -> Result<String> {
    capture(command(&evoke().to_string_lossy()).args(file.args))
}

/// The debug build of the server.
pub fn evoke() -> PathBuf {
    built("evoke")
}

/// The debug build of a program.
pub fn built(program: &str) -> PathBuf {
    target().join("debug").join(program)
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => run::root().join(Path::new(&folder)),
        None => run::root().join("target"),
    }
}

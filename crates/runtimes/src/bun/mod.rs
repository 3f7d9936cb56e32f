//! Bun. It reads TypeScript itself and starts in a few milliseconds, so its workers are started
//! when they are needed.

mod find;
mod launch;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

use crate::install;
use crate::interpreter::{Interpreter, Version};
use crate::language::Language;
use crate::options::Options;
use crate::packages;
use crate::process::launch::CommandLine;
use crate::shims;

/// Bun.
pub struct Bun {
    descriptor: Descriptor,
}

impl Bun {
    /// The language with its descriptor.
    pub fn new() -> Self {
        let descriptor = Descriptor {
            kind: "bun",
            title: "Bun",
            summary: "Runs JavaScript and TypeScript functions on Bun.",
            schema: json!({ "type": "string", "enum": find::NAMES }),
            example: json!("bun"),
            docs: "functions/bun.md",
            runs: Runs::EveryNode,
        };
        Self { descriptor }
    }
}

impl Default for Bun {
    fn default() -> Self {
        Self::new()
    }
}

impl Language for Bun {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn names(&self) -> &'static [&'static str] {
        &find::NAMES
    }

    fn handler_default(&self) -> &'static str {
        "index.handler"
    }

    fn candidates(&self, options: &Options) -> Vec<PathBuf> {
        find::candidates(options)
    }

    fn fits(&self, name: &str, version: Version) -> bool {
        find::fits(name, version)
    }

    fn hint(&self, name: &str) -> String {
        find::hint(name)
    }

    fn shim(&self) -> (&'static str, &'static str) {
        shims::JAVASCRIPT
    }

    fn library(&self) -> io::Result<Vec<(String, Cow<'static, str>)>> {
        packages::javascript()
    }

    fn command_line(&self, interpreter: &Interpreter, shim: &Path) -> CommandLine {
        launch::command_line(interpreter, shim)
    }

    fn packages(&self, _interpreter: &Interpreter) -> install::Language {
        install::Language::JavaScript
    }
}

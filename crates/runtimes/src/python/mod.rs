//! Python.

mod find;
mod launch;
mod library;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

use crate::install;
use crate::interpreter::{Interpreter, Version};
use crate::language::Language;
use crate::options::Options;
use crate::process::launch::CommandLine;
use crate::shims;

/// Python.
pub struct Python {
    descriptor: Descriptor,
}

impl Python {
    /// The language with its descriptor.
    pub fn new() -> Self {
        let descriptor = Descriptor {
            kind: "python",
            title: "Python",
            summary: "Runs Python functions on CPython.",
            schema: json!({ "type": "string", "enum": find::NAMES }),
            example: json!("python3.12"),
            docs: "functions/python.md",
            runs: Runs::EveryNode,
        };
        Self { descriptor }
    }
}

impl Default for Python {
    fn default() -> Self {
        Self::new()
    }
}

impl Language for Python {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn names(&self) -> &'static [&'static str] {
        &find::NAMES
    }

    fn handler_default(&self) -> &'static str {
        "main.handler"
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
        shims::PYTHON
    }

    fn library(&self) -> io::Result<Vec<(String, Cow<'static, str>)>> {
        Ok(library::files())
    }

    fn command_line(&self, interpreter: &Interpreter, shim: &Path) -> CommandLine {
        launch::command_line(interpreter, shim)
    }

    fn packages(&self, interpreter: &Interpreter) -> install::Language {
        install::Language::Python { interpreter: interpreter.path.clone() }
    }

    fn starts_ahead(&self) -> bool {
        true
    }

    fn reads_at_start(&self, variable: &str) -> bool {
        launch::reads_at_start(variable)
    }
}

//! Node.js. TypeScript is made into JavaScript before it is loaded; workers are started ahead,
//! because the interpreter takes longer to start than most functions to run.

mod find;
mod launch;
mod typescript;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use evoke_ports::{Descriptor, Runs};
use serde_json::json;

use crate::install;
use crate::interpreter::{Interpreter, Version};
use crate::language::{Compiler, Language};
use crate::options::Options;
use crate::packages;
use crate::process::launch::CommandLine;
use crate::shims;

/// Node.js.
pub struct Node {
    descriptor: Descriptor,
}

impl Node {
    /// The language with its descriptor.
    pub fn new() -> Self {
        let descriptor = Descriptor {
            kind: "node",
            title: "Node.js",
            summary: "Runs JavaScript and TypeScript functions on Node.js.",
            schema: json!({ "type": "string", "enum": find::NAMES }),
            example: json!("nodejs20"),
            docs: "functions/node.md",
            runs: Runs::EveryNode,
        };
        Self { descriptor }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Language for Node {
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

    fn starts_ahead(&self) -> bool {
        true
    }

    fn reads_at_start(&self, variable: &str) -> bool {
        launch::reads_at_start(variable)
    }

    fn compiler(&self) -> Option<&dyn Compiler> {
        Some(&typescript::TypeScript)
    }
}

//! Packages that functions can use without installing them. They are written in TypeScript, in many
//! files; a worker gets each as one file of JavaScript, since each further file would cost a start
//! its share.
//!
//! It is a CommonJS file, so that `import` and `require` have the same one. Modules get it through
//! a file that names what is exported: Node takes ten times as long to find that out by itself.

use std::borrow::Cow;
use std::io;
use std::sync::LazyLock;

use evoke_script::{ScriptError, strip};
use serde_json::json;

/// A package as it is written for workers.
struct Package {
    /// Everything.
    whole: String,
    /// The way in for modules.
    door: String,
}

macro_rules! sources {
    ($package:literal: $($file:literal)+) => {
        &[$(($file, include_str!(
            concat!("../../../sdk/typescript/", $package, "/src/", $file, ".ts")
        ))),+]
    };
}

/// In an order in which each file needs only those before it; the last says what is exported.
const SDK: &[(&str, &str)] = sources!("sdk":
    "error" "retry" "call" "connection" "sse" "document" "query" "changes" "transaction" "database"
    "upload" "file" "storage" "session" "user" "auth" "events" "functions" "secrets" "reject"
    "client" "index"
);

const FUNCTIONS: &[(&str, &str)] = sources!("functions":
    "middleware" "formats" "schema" "cors" "auth" "rate-limit" "validate" "index"
);

static JAVASCRIPT: LazyLock<Result<Vec<(&str, Package)>, ScriptError>> = LazyLock::new(|| {
    Ok(vec![("@evoke/sdk", joined(SDK)?), ("@evoke/functions", joined(FUNCTIONS)?)])
});

/// The packages for Node and Bun, as files of a folder.
///
/// # Errors
/// Their sources cannot be read, which a test would have told.
pub fn javascript() -> io::Result<Vec<(String, Cow<'static, str>)>> {
    let packages = JAVASCRIPT.as_ref().map_err(io::Error::other)?;
    let files = packages.iter().flat_map(|(name, text)| {
        let folder = format!("node_modules/{name}");
        let version = env!("CARGO_PKG_VERSION");
        let exports = json!({ "import": "./index.mjs", "require": "./index.cjs" });
        let about = json!({ "name": name, "version": version, "exports": exports });
        [
            (format!("{folder}/package.json"), Cow::Owned(about.to_string())),
            (format!("{folder}/index.cjs"), Cow::Borrowed(text.whole.as_str())),
            (format!("{folder}/index.mjs"), Cow::Borrowed(text.door.as_str())),
        ]
    });
    Ok(files.collect())
}

/// One file of several: their imports of one another go, and what the last exports is exported.
fn joined(sources: &[(&str, &str)]) -> Result<Package, ScriptError> {
    let mut body = String::new();
    let mut exported = Vec::new();
    for (name, text) in sources {
        let code = strip(text, format!("{name}.ts").as_ref())?.code;
        for line in code.lines() {
            match Line::of(line) {
                Line::Import { names, from: Some(package) } => {
                    body.push_str(&format!("const {{ {names} }} = require(\"{package}\");\n"));
                }
                Line::Import { from: None, .. } => {}
                Line::Export { names, from } => {
                    if let Some(package) = from {
                        body.push_str(&format!("const {{ {names} }} = require(\"{package}\");\n"));
                    }
                    exported.push(names.to_owned());
                }
                Line::Code(code) => {
                    body.push_str(code);
                    body.push('\n');
                }
            }
        }
    }
    exported.retain(|names| !names.is_empty());
    let exported = exported.join(", ");
    let door = format!(
        "import {{ createRequire }} from \"node:module\";\n\
         export const {{ {exported} }} = createRequire(import.meta.url)(\"./index.cjs\");\n"
    );
    let whole = format!("\"use strict\";\n{body}module.exports = {{ {exported} }};\n");
    Ok(Package { whole, door })
}

/// A line of a module as it is generated: imports and exports are one line each.
enum Line<'a> {
    /// Names that are imported; `from` is the package, where it is not the same one.
    Import { names: String, from: Option<&'a str> },
    /// Names that are exported though they were declared elsewhere.
    Export { names: &'a str, from: Option<&'a str> },
    /// Anything else, without `export` in front.
    Code(&'a str),
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        if let Some((names, from)) = line.strip_prefix("import {").and_then(named) {
            return Self::Import { names: names.replace(" as ", ": "), from };
        }
        if let Some((names, from)) = line.strip_prefix("export {").and_then(named) {
            return Self::Export { names, from };
        }
        Self::Code(line.strip_prefix("export ").unwrap_or(line))
    }
}

/// The names, and the package they are from.
fn named(rest: &str) -> Option<(&str, Option<&str>)> {
    let (names, from) = rest.split_once("} from \"")?;
    let from = from.strip_suffix("\";")?;
    Some((names.trim(), (!from.starts_with('.')).then_some(from)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn no_source_is_missing() {
        for (folder, sources, types) in [("sdk", SDK, "types"), ("functions", FUNCTIONS, "")] {
            let folder = format!("../../sdk/typescript/{folder}/src");
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let names = names.map(|name| name.to_string_lossy().replace(".ts", ""));
            let there: BTreeSet<String> = names.filter(|name| name != types).collect();
            let known = sources.iter().map(|(name, _)| (*name).to_owned());
            assert_eq!(there, known.collect());
        }
    }

    #[test]
    fn files_become_one() {
        let text = joined(&[
            ("a", "export const one: number = 1;\nexport class A {}\n"),
            (
                "b",
                "import { one, A } from './a.ts';\nimport { x as y } from '@other/p';\n\
                 import type { T } from './a.ts';\n\
                 export async function* two() { yield one; yield A; yield y; }\n",
            ),
            (
                "index",
                "export { A } from './a.ts';\nexport { two } from './b.ts';\n\
                 export { z } from '@other/p';\nexport type { T } from './a.ts';\n",
            ),
        ]);
        let text = text.unwrap();
        assert!(text.door.contains("export const { A, two, z } ="), "{}", text.door);
        let lines: Vec<&str> = text.whole.lines().map(str::trim).collect();
        assert_eq!(
            lines.join("\n"),
            "\"use strict\";\nconst one = 1;\nclass A {}\nconst { x: y } = require(\"@other/p\");\n\
             async function* two() {\nyield one;\nyield A;\nyield y;\n}\n\
             const { z } = require(\"@other/p\");\nmodule.exports = { A, two, z };"
        );
    }

    #[test]
    fn nothing_of_a_module_is_left() {
        let files = javascript().unwrap();
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".cjs")) {
            for line in text.lines() {
                let is_left = line.starts_with("import ") || line.starts_with("export ");
                assert!(!is_left, "{name}: {line}");
            }
        }
    }
}

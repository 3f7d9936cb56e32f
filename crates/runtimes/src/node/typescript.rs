//! TypeScript for Node: JavaScript in the place of TypeScript. Source maps name the user's files,
//! so stacks do too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use evoke_model::Code;
use evoke_ports::runtime::DeployError;
use evoke_script::{javascript_path, strip};

use crate::language::Compiler;

/// Makes JavaScript of TypeScript.
pub struct TypeScript;

impl Compiler for TypeScript {
    fn takes(&self, file: &Path) -> bool {
        javascript_path(file).is_some()
    }

    fn compile(
        &self,
        file: &Path,
        path: &Path,
        text: &str,
    ) -> Result<Vec<(PathBuf, String)>, DeployError> {
        let stripped = strip(text, path).map_err(|error| DeployError {
            code: Code::DeploymentFailed,
            message: error.to_string(),
            stack: None,
            problems: Vec::new(),
        })?;
        let Some(out) = javascript_path(file) else { return Ok(Vec::new()) };
        let map = out.with_added_extension("map");
        let map_name = map.file_name().unwrap_or_default().to_string_lossy();
        let text = format!("{}\n//# sourceMappingURL={map_name}\n", stripped.code);
        Ok(vec![(out, text), (map, stripped.map)])
    }

    /// TypeScript files are modules, which Node 18 and 20 must be told of files that end in `.js`.
    fn complete(&self, code: &Path, target: &Path) -> io::Result<()> {
        let text = match fs::read(code.join("package.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
            other => other?,
        };
        // What is not JSON is left for Node to complain of.
        let Ok(serde_json::Value::Object(mut package)) = serde_json::from_slice(&text) else {
            return Ok(());
        };
        if package.contains_key("type") {
            return Ok(());
        }
        package.insert("type".to_owned(), "module".into());
        fs::write(target.join("package.json"), serde_json::to_vec_pretty(&package)?)
    }
}

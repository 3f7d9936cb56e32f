//! The project a server is measured with: a temporary folder with a few functions.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Result, Tried};

/// A function of the project.
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// As a manifest names it.
    pub(crate) runtime: &'a str,
    /// What stands in the manifest below name and runtime, in YAML.
    pub(crate) manifest: &'a str,
    /// The code.
    pub(crate) code: &'a str,
}

/// A project's folder; it is deleted with the value.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A project without functions, below `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("evoke-bench-")
            .tempdir_in(parent)
            .tried(|| format!("make a project in {}", parent.display()))?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join(".evoke")
    }

    /// Writes the settings.
    pub(crate) fn configure(&self, settings: &str) -> Result<()> {
        let file = self.path().join("evoke.toml");
        fs::write(&file, settings).tried(|| format!("write {}", file.display()))
    }

    /// Adds a function.
    pub(crate) fn add(&self, function: &Function<'_>) -> Result<()> {
        let folder = self.path().join("functions").join(function.name);
        let Function { name, runtime, manifest, code } = function;
        let file = if runtime.starts_with("python") { "main.py" } else { "index.mjs" };
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            let text = format!("name: {name}\nruntime: {runtime}\n{manifest}");
            fs::write(folder.join("function.yaml"), text)?;
            fs::write(folder.join(file), code)
        };
        write().tried(|| format!("write the function {name}"))
    }
}

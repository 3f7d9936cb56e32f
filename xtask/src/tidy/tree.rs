//! The files of the tree as the rules see them: text only, and nothing that is built or installed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Folders with nothing of ours in them.
const SKIPPED: [&str; 7] =
    [".git", ".tools", ".evoke", ".venv", "node_modules", "target", "__pycache__"];

/// A text file.
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl File {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is Markdown.
    pub fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Whether all of it is there for tests.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.contains("/benches/")
            || self.path.starts_with("crates/testkit/")
    }

    /// The folder it is in, from the root; empty for the root.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// All files, by path.
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads what is under `root`.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        walk(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or a folder at a path.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let under = |file: &File| file.path == path || file.path.starts_with(&folder);
        path.is_empty() || self.files.iter().any(under)
    }

    /// A tree of these files, for the tests of the rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self { files: files.iter().map(file).collect() }
    }
}

fn walk(folder: &Path, path: &str, files: &mut Vec<File>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let kind = entry.file_type().with_context(|| format!("look at {path}"))?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &path, files)?;
        } else if kind.is_file()
            // What is not UTF-8 is not text: golden frames, pictures.
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
    Ok(())
}

//! One function's folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::ProjectConfig;
use crate::desired::{DesiredFunction, FileProblem};
use crate::document;
use crate::hash;
use crate::language;
use crate::manifest::{self, Place};
use crate::read::ReadContext;
use crate::reader::{Report, Wrong};

/// The names a manifest may have.
pub const MANIFESTS: [&str; 7] = [
    "function.config.ts",
    "function.config.js",
    "function.config.mjs",
    "function.yaml",
    "function.yml",
    "function.toml",
    "function.json",
];

/// What a folder gave.
#[derive(Debug, Clone, Default)]
pub struct FolderReport {
    /// The name of the folder, as text.
    pub folder: String,
    /// The absolute folder.
    pub code: PathBuf,
    /// The manifest, or the folder where there is none; relative to the project.
    pub path: PathBuf,
    /// The name the function has, where that much could be read.
    pub name: Option<String>,
    /// The function, when nothing is wrong with it.
    pub function: Option<DesiredFunction>,
    /// What has to be put right.
    pub problems: Vec<FileProblem>,
    /// What will not do what it says.
    pub warnings: Vec<FileProblem>,
}

impl FolderReport {
    /// A report of one problem.
    pub fn of_problem(folder: &str, path: &Path, wrong: Wrong) -> Self {
        let mut report = Report::default();
        report.problem("", wrong);
        let mut out =
            Self { folder: folder.to_owned(), path: path.to_path_buf(), ..Self::default() };
        out.take(report);
        out
    }

    fn take(&mut self, report: Report) {
        let at = |problem| FileProblem { path: self.path.clone(), problem };
        let problems: Vec<_> = report.problems.into_iter().map(at).collect();
        let warnings: Vec<_> = report.warnings.into_iter().map(at).collect();
        self.problems.extend(problems);
        self.warnings.extend(warnings);
    }
}

/// Reads the folder `name` of `functions`. `None` when it holds no function.
pub fn read(
    root: &Path,
    functions: &Path,
    name: &str,
    (config, context): (&ProjectConfig, &ReadContext<'_>),
) -> Option<FolderReport> {
    let inner = functions.join(name);
    let folder = root.join(&inner);
    let manifests: Vec<&str> = MANIFESTS
        .into_iter()
        .filter(|name| fs::symlink_metadata(folder.join(name)).is_ok())
        .collect();
    if manifests.is_empty() && !language::has_main(&folder) {
        return None;
    }
    let path = match manifests.as_slice() {
        [only] => inner.join(only),
        _ => inner.clone(),
    };
    let code = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let folder_name = name.to_owned();
    let mut out = FolderReport { folder: folder_name, code, path, ..FolderReport::default() };
    let mut report = Report::default();
    if let [_, _, ..] = manifests.as_slice() {
        let wrong = Wrong::new(format!("there are several manifests: {}", manifests.join(", ")));
        report.problem("", wrong.suggest("keep one of them"));
        out.take(report);
        return Some(out);
    }
    let value = match manifests.first() {
        None => Ok(serde_json::json!({})),
        Some(manifest) => document::read(&folder.join(manifest), root),
    };
    let place = Place { name, folder: &folder, root, defaults: &config.defaults };
    let read =
        report.keep("", value).and_then(|value| manifest::read(value, place, context, &mut report));
    if let Some(manifest) = read {
        out.name = Some(manifest.spec.name.clone());
        if report.problems.is_empty() {
            let hash = hash::of(&folder, root, &manifest.spec);
            out.function = report.keep("", hash).map(|hash| DesiredFunction {
                code: out.code.clone(),
                hash,
                spec: manifest.spec,
                triggers: manifest.triggers,
                environment: manifest.environment,
            });
        }
    }
    out.take(report);
    Some(out)
}

//! The files in `triggers/`: triggers that belong to no function, for targets that are none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::desired::{Desired, FileProblem};
use crate::document;
use crate::read::ReadContext;
use crate::reader::{Report, Wrong};
use crate::trigger::{self, Folder};

/// The folder, relative to the project.
pub const FOLDER: &str = "triggers";
/// The forms a file may have. Others in the folder are not looked at.
const FORMS: [&str; 7] = ["ts", "js", "mjs", "yaml", "yml", "toml", "json"];

/// Reads the folder into `out`.
pub fn read(root: &Path, context: &ReadContext<'_>, out: &mut Desired) {
    let mut names = BTreeSet::new();
    for path in files(root) {
        let mut report = Report::default();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let value = report.keep("", document::read(&root.join(&path), root));
        let folder = Folder { path: &root.join(FOLDER), root };
        let trigger =
            value.and_then(|value| trigger::of_file(value, &stem, folder, context, &mut report));
        let name = trigger.as_ref().map_or(stem, |trigger| trigger.name.clone());
        if !names.insert(name.clone()) {
            report.problem("name", Wrong::new(format!("two triggers are called {name:?}")));
        }
        match trigger.filter(|_| report.problems.is_empty()) {
            Some(trigger) => out.triggers.push(trigger),
            None => drop(out.broken_triggers.insert(name)),
        }
        let at = |problem| FileProblem { path: path.clone(), problem };
        out.problems.extend(report.problems.into_iter().map(at));
        out.warnings.extend(report.warnings.into_iter().map(at));
    }
}

/// The files, relative to the project, by name. A folder that is not there has none.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let is_form = |path: &PathBuf| {
        path.extension().and_then(|form| form.to_str()).is_some_and(|form| FORMS.contains(&form))
    };
    let paths = entries.map(|entry| Path::new(FOLDER).join(entry.file_name()));
    let mut files: Vec<_> = paths.filter(is_form).collect();
    files.sort();
    files
}

//! Reads a project's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use evoke_ports::{Runtime, Source};

use crate::config::{FILE, ProjectConfig};
use crate::declared;
use crate::desired::{Desired, FileProblem};
use crate::environment::Reference;
use crate::folder::{self, FolderReport};
use crate::reader::Wrong;
use crate::routes::Routes;
use crate::schemas;

/// What reading a project needs to know of the server it is for.
#[derive(Clone, Copy)]
pub struct ReadContext<'a> {
    /// The runtimes of this version; see [`runtime_names`].
    pub runtimes: &'a [RuntimeName],
    /// The sources of this version, by kind.
    pub sources: &'a BTreeMap<String, Arc<dyn Source>>,
    /// The value of a reference in an environment.
    pub lookup: &'a (dyn Fn(&Reference) -> Option<String> + Sync),
    /// Whether a text is a CEL expression, and what is wrong with it if not.
    pub check_cel: &'a (dyn Fn(&str) -> Result<(), String> + Sync),
    /// The variables that override `evoke.toml`.
    pub environment: &'a BTreeMap<String, String>,
}

/// A name a manifest may give its runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeName {
    /// `nodejs20`
    pub name: String,
    /// `index.handler`
    pub handler_default: String,
}

/// All names of some runtimes.
pub fn runtime_names(runtimes: &[Arc<dyn Runtime>]) -> Vec<RuntimeName> {
    let name = |name: &str, runtime: &Arc<dyn Runtime>| RuntimeName {
        name: name.to_owned(),
        handler_default: runtime.handler_default().to_owned(),
    };
    let of = |runtime| Runtime::names(AsRef::as_ref(runtime)).iter().map(move |n| name(n, runtime));
    runtimes.iter().flat_map(of).collect()
}

/// A project has fewer functions; above this `root` is some other folder.
const FUNCTIONS_MAX: usize = 5_000;

/// Reads the project in `root`. It always gives a result: what is wrong stands in it.
pub fn read(root: &Path, context: &ReadContext<'_>) -> Desired {
    build(root, context, None)
}

/// Reads the project again after a change of the folders `changed`; what the others gave before is
/// taken as it is.
pub fn reread(
    root: &Path,
    context: &ReadContext<'_>,
    before: &Desired,
    changed: &BTreeSet<String>,
) -> Desired {
    build(root, context, Some((before, changed)))
}

fn build(
    root: &Path,
    context: &ReadContext<'_>,
    before: Option<(&Desired, &BTreeSet<String>)>,
) -> Desired {
    let mut out = Desired { is_usable: true, ..Desired::default() };
    match ProjectConfig::load(&root.join(FILE), context.environment) {
        Ok(config) => out.config = config,
        Err(problems) => {
            out.problems = problems;
            out.is_usable = false;
        }
    }
    let functions = Path::new(&out.config.functions).to_path_buf();
    match folders(&root.join(&functions)) {
        Err(wrong) => {
            out.problems.push(file_problem(&functions, "", wrong));
            out.is_usable = false;
        }
        Ok(None) => {
            let wrong = Wrong::new("there is no such folder, so there are no functions")
                .suggest("evoke functions init NAME");
            out.warnings.push(file_problem(&functions, "", wrong));
        }
        Ok(Some(names)) => {
            for name in names {
                if let Some(report) = report(root, &name, (&out.config, context), before) {
                    out.reports.insert(name, report);
                }
            }
        }
    }
    declared::read(root, context, &mut out);
    schemas::read(root, &mut out);
    assemble(out)
}

/// What a folder gives, or gave before when it did not change.
fn report(
    root: &Path,
    name: &OsString,
    (config, context): (&ProjectConfig, &ReadContext<'_>),
    before: Option<(&Desired, &BTreeSet<String>)>,
) -> Option<FolderReport> {
    let functions = Path::new(&config.functions);
    let Some(text) = name.to_str() else {
        let wrong = Wrong::new("the name of the folder is not UTF-8");
        return Some(FolderReport::of_problem(
            &name.to_string_lossy(),
            &functions.join(name),
            wrong,
        ));
    };
    let known = before.and_then(|(before, _)| before.reports.get(name));
    if before.is_some_and(|(_, changed)| !changed.contains(text)) && known.is_some() {
        return known.cloned();
    }
    let mut report = folder::read(root, functions, text, (config, context))?;
    if report.name.is_none() {
        // A manifest that cannot be read any more is still that of the function it was.
        report.name = known.and_then(|known| known.name.clone());
    }
    Some(report)
}

fn file_problem(path: &Path, field: &str, wrong: Wrong) -> FileProblem {
    FileProblem { path: path.to_path_buf(), problem: wrong.at(field) }
}

/// The names of the folders that may be functions, in order. `None` when there is no such folder.
fn folders(functions: &Path) -> Result<Option<Vec<OsString>>, Wrong> {
    let entries = match fs::read_dir(functions) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}").into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot be read: {error}"))?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".") || name == "node_modules";
        if hidden || !fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
            continue;
        }
        names.push(name);
        if names.len() > FUNCTIONS_MAX {
            return Err(format!("there are more than {FUNCTIONS_MAX} folders").into());
        }
    }
    names.sort();
    Ok(Some(names))
}

/// Puts the folders together and looks at what one folder alone cannot know.
fn assemble(mut out: Desired) -> Desired {
    let mut names: BTreeMap<&str, &Path> = BTreeMap::new();
    let mut routes = Routes::default();
    for report in out.reports.values() {
        out.problems.extend(report.problems.iter().cloned());
        out.warnings.extend(report.warnings.iter().cloned());
        let Some(function) = &report.function else {
            out.broken.insert(report.folder.clone());
            out.broken.extend(report.name.clone());
            out.broken_code.insert(report.code.clone());
            continue;
        };
        let name = &function.spec.name;
        if let Some(first) = names.get(name.as_str()) {
            let wrong = Wrong::new(format!("two functions are called {name:?}"))
                .suggest(format!("the other is {}", first.display()));
            out.problems.push(file_problem(&report.path, "name", wrong));
            out.broken_code.insert(report.code.clone());
            continue;
        }
        names.insert(name, &report.path);
        let taken = routes.add(&format!("function {name:?}"), &function.triggers);
        if taken.is_empty() {
            out.functions.push(function.clone());
        } else {
            let at = |wrong| file_problem(&report.path, "triggers", wrong);
            out.problems.extend(taken.into_iter().map(at));
            out.broken.extend([name.clone(), report.folder.clone()]);
            out.broken_code.insert(report.code.clone());
        }
    }
    for trigger in std::mem::take(&mut out.triggers) {
        let owner = format!("trigger {:?}", trigger.name);
        let taken = routes.add(&owner, std::slice::from_ref(&trigger));
        if taken.is_empty() {
            out.triggers.push(trigger);
        } else {
            let at = |wrong| file_problem(Path::new(declared::FOLDER), &trigger.name, wrong);
            out.problems.extend(taken.into_iter().map(at));
            out.broken_triggers.insert(trigger.name.clone());
        }
    }
    out.functions.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    out
}

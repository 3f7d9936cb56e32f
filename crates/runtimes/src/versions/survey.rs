//! What is in a function's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders deeper than this are no function's code.
const DEPTH_MAX: usize = 64;
/// Folders that are no part of a version: caches, the history, what we keep ourselves.
const SKIPPED: [&str; 4] = [".evoke", ".git", "__pycache__", ".pytest_cache"];
/// Folders of packages. They are large, and the same for many versions.
const LINKED: [&str; 2] = ["node_modules", ".venv"];

/// What is in a folder of code, as paths relative to it, in the order of their names.
#[derive(Debug, Default)]
pub struct Plan {
    /// Folders, each before what is in it.
    pub folders: Vec<PathBuf>,
    /// Files.
    pub files: Vec<PathBuf>,
    /// What is linked, and where the link leads.
    pub links: Vec<(PathBuf, PathBuf)>,
}

/// Looks through a folder of code.
pub fn survey(code: &Path) -> io::Result<Plan> {
    let mut plan = Plan::default();
    walk(code, Path::new(""), 0, &mut plan)?;
    Ok(plan)
}

fn walk(code: &Path, below: &Path, depth: usize, plan: &mut Plan) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(code.join(below))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name, kind) =
            (below.join(entry.file_name()), entry.file_name(), entry.file_type()?);
        let is_named = |names: &[&str]| names.iter().any(|own| name == *own);
        if is_named(&SKIPPED) && kind.is_dir() {
            continue;
        }
        if is_named(&LINKED) || (kind.is_dir() && depth >= DEPTH_MAX) {
            plan.links.push((path, entry.path()));
        } else if kind.is_dir() {
            plan.folders.push(path.clone());
            walk(code, &path, depth + 1, plan)?;
        } else if kind.is_file() {
            plan.files.push(path);
        } else if kind.is_symlink() {
            linked(code, path, plan)?;
        } else {
            plan.links.push((path, entry.path()));
        }
    }
    Ok(())
}

/// A file that is a link is copied like any other. A folder stays a link: one that leads elsewhere
/// in the code leads there in the copy too.
fn linked(code: &Path, path: PathBuf, plan: &mut Plan) -> io::Result<()> {
    let own = code.join(&path);
    match fs::metadata(&own) {
        Ok(found) if found.is_file() => plan.files.push(path),
        Ok(_) => {
            let to = fs::read_link(&own)?;
            let real = own.canonicalize()?;
            let is_inside = to.is_relative() && real.starts_with(code);
            plan.links.push((path, if is_inside { to } else { real }));
        }
        // It leads nowhere, in the copy as well.
        Err(_) => {}
    }
    Ok(())
}

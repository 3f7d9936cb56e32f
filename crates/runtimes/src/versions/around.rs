//! The folders around a function, for its versions: what a path like `../../shared/money.js` names
//! is found from there too, and so are the packages of the project.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What is not linked: the history, and the folder that all of this is in.
const HIDDEN: [&str; 2] = [".git", ".evoke"];
/// More than any project has; above it, who knows what folder this is.
const ENTRIES_MAX: usize = 4_096;

/// Makes the folder of versions with its parent, and the links in both.
pub fn mirror(code: &Path, shelf: &Path) -> io::Result<()> {
    fs::create_dir_all(shelf)?;
    let Some(functions) = code.parent() else { return Ok(()) };
    links(functions, shelf, None)?;
    match (functions.parent(), shelf.parent()) {
        (Some(root), Some(above)) => links(root, above, shelf.file_name().map(Into::into)),
        _ => Ok(()),
    }
}

/// Makes a folder have a link for each entry of another, except for one. What is in it beside links
/// stays.
fn links(from: &Path, into: &Path, except: Option<OsString>) -> io::Result<()> {
    let mut wanted = BTreeMap::<OsString, PathBuf>::new();
    for entry in fs::read_dir(from)?.take(ENTRIES_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        let is_hidden =
            HIDDEN.iter().any(|hidden| name == *hidden) || except.as_ref() == Some(&name);
        if !is_hidden {
            wanted.insert(name, entry.path());
        }
    }
    for entry in fs::read_dir(into)? {
        let entry = entry?;
        let is_wanted = wanted.remove(&entry.file_name()).is_some();
        if !is_wanted && entry.file_type()?.is_symlink() {
            gone(fs::remove_file(entry.path()))?;
        }
    }
    for (name, to) in wanted {
        match symlink(to, into.join(name)) {
            // Another function is deployed at the same time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

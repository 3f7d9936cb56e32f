//! Packages of versions. They are installed in the function's own folder, where editors look for
//! them, and versions have a link to them: all versions of one lock file share one folder. When an
//! install takes the place of another, what was there before is moved aside
//! (`.evoke/packages/HASH`), and the links of the versions that use it follow.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Note, read_note, remove};
use crate::install::{aside, installed_key};

/// Which packages there are; `None` where there are none.
pub fn key(code: &Path, place: &str) -> Option<String> {
    installed_key(&code.join(place))
}

/// Gives a version the link to its packages; says whether they are there.
pub fn link(version: &Path, note: &Note) -> io::Result<bool> {
    let link = version.join(&note.place);
    let Some(wanted) = &note.packages else {
        remove(&link)?;
        return Ok(true);
    };
    let live = note.code.join(&note.place);
    let kept = aside(&note.code, wanted, Path::new(&note.place));
    let to = match key(&note.code, &note.place) {
        Some(there) if there == *wanted => live,
        _ if kept.is_dir() => kept,
        _ => return Ok(false),
    };
    if fs::read_link(&link).ok().as_deref() == Some(&to) {
        return Ok(true);
    }
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent)?;
    }
    // Workers may be about to look there, so it changes in one step where there is a link already.
    let draft = link.with_added_extension("new");
    remove(&draft)?;
    symlink(to, &draft)?;
    if link.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        remove(&link)?;
    }
    fs::rename(&draft, &link)?;
    Ok(true)
}

/// Does so for all versions of a function, as soon as others may have taken the place of their
/// packages. What is not there is told when a version is opened.
pub fn follow(shelf: &Path, function: &str) -> io::Result<()> {
    if !shelf.is_dir() {
        return Ok(());
    }
    for (version, note) in notes(shelf, function)? {
        if version.is_dir() {
            link(&version, &note)?;
        }
    }
    Ok(())
}

/// Removes packages that were moved aside and that no version uses any more.
pub fn forget(shelf: &Path, function: &str, code: &Path) -> io::Result<()> {
    let used: BTreeSet<_> =
        notes(shelf, function)?.into_iter().filter_map(|(_, note)| note.packages).collect();
    let folder = code.join(".evoke").join("packages");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_none_or(|name| !used.contains(name)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The versions of a function with their notes.
pub fn notes(shelf: &Path, function: &str) -> io::Result<Vec<(PathBuf, Note)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(shelf)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let stem = name.and_then(|name| name.strip_suffix(".json"));
        let is_own = stem.and_then(|stem| stem.split_once('.')).is_some_and(|(f, _)| f == function);
        if is_own && let Some(note) = read_note(&path) {
            found.push((path.with_extension(""), note));
        }
    }
    Ok(found)
}

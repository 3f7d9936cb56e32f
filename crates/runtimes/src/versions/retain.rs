//! Removes versions that are kept no longer.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{FOLDER, note_path, packages, remove};

/// Removes the versions of a function except for those with one of these hashes, and what was left
/// where one was being made when its process was killed. None is made meanwhile in this process.
///
/// # Errors
/// What could not be removed; it is tried again the next time.
pub fn retain(scratch: &Path, function: &str, hashes: &[String]) -> io::Result<()> {
    for shelf in shelves(&scratch.join(FOLDER))? {
        let known = packages::notes(&shelf, function)?;
        let codes: BTreeSet<PathBuf> = known.into_iter().map(|(_, note)| note.code).collect();
        let mut is_changed = false;
        for entry in fs::read_dir(&shelf)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| is_left_over(name, function)) {
                remove(&entry.path())?;
                continue;
            }
            let Some((own, hash)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let is_version = own == function && entry.file_type()?.is_dir();
            if is_version && !hashes.iter().any(|kept| kept == hash) {
                // Without its note it is none, should this end in the middle.
                remove(&note_path(&shelf, &format!("{own}.{hash}")))?;
                remove(&entry.path())?;
                is_changed = true;
            }
        }
        if is_changed {
            codes.iter().try_for_each(|code| packages::forget(&shelf, function, code))?;
        }
    }
    Ok(())
}

/// Whether this is a draft for a version of the function, `.NAME.HASH.PROCESS.NUMBER`, that nobody
/// is at work on. A process with the id of this one has ended if it is another.
fn is_left_over(name: &str, function: &str) -> bool {
    let parts: Vec<_> = name.split('.').collect();
    let ["", own, _, process, _] = parts.as_slice() else { return false };
    let Ok(process) = process.parse::<u32>() else { return false };
    *own == function
        && (process == std::process::id() || !Path::new(&format!("/proc/{process}")).exists())
}

/// The folders that versions are in.
fn shelves(versions: &Path) -> io::Result<Vec<PathBuf>> {
    let mut shelves = Vec::new();
    let places = match fs::read_dir(versions) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(shelves),
        other => other?,
    };
    for place in places {
        let place = place?;
        if !place.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(place.path())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                shelves.push(entry.path());
            }
        }
    }
    Ok(shelves)
}

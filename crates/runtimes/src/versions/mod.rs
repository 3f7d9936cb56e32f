//! The code of versions. What runs is a copy of a function's folder, made when the version is: its
//! code does not change under it while files are saved, and it can be run again when others have
//! taken its place.
//!
//! `versions/PLACE/functions/NAME.HASH` is a version, beside it `NAME.HASH.json` says what it was
//! made of. `PLACE` stands for the folder all functions are in, so that the folders around a
//! version look like those around the function: links lead to what is there. Packages are not
//! copied, see [`packages`].
//!
//! Reading order: [`keep`], [`survey`], [`copy`], [`around`], [`packages`], [`retain`].

mod around;
mod copy;
mod packages;
mod retain;
pub mod shown;
mod survey;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use evoke_model::{Code, FunctionVersion};
use evoke_ports::runtime::DeployError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use retain::retain;

use crate::language::Compiler;

/// Folder below the scratch folder.
const FOLDER: &str = "versions";

/// What a version is made of.
pub struct Source<'a> {
    /// The version; its code is an absolute path.
    pub version: &'a FunctionVersion,
    /// The scratch folder, as an absolute path.
    pub scratch: &'a Path,
    /// Where packages are in the folder of the code: `node_modules`.
    pub packages: &'static str,
    /// Makes what the interpreter can read of what it cannot.
    pub compiler: Option<&'a dyn Compiler>,
}

/// What is known of a kept version without opening its folder.
#[derive(Serialize, Deserialize)]
struct Note {
    /// The folder it is a copy of.
    code: PathBuf,
    /// SHA-256 over what was copied.
    digest: String,
    /// Where packages are in the folder of the code.
    place: String,
    /// Which packages it uses, where there are any.
    packages: Option<String>,
}

impl Source<'_> {
    fn stem(&self) -> String {
        format!("{}.{}", self.version.spec.name, self.version.hash)
    }

    /// The folder that versions of functions from the same place are in.
    fn shelf(&self) -> PathBuf {
        let parent = self.version.code.parent().unwrap_or(Path::new("/"));
        let place = hex::encode(Sha256::digest(parent.as_os_str().as_encoded_bytes()));
        let name = parent.file_name().unwrap_or("functions".as_ref());
        self.scratch.join(FOLDER).join(&place[..16]).join(name)
    }
}

/// Keeps a version as its folder is now, and says where. What was kept under its hash before is
/// used as long as it is a copy of what is there.
///
/// # Errors
/// FN_005 where something cannot be read, compiled or written.
pub fn keep(source: &Source<'_>) -> Result<PathBuf, DeployError> {
    let code = &source.version.code;
    let shelf = source.shelf();
    let (target, note) = (shelf.join(source.stem()), note_path(&shelf, &source.stem()));
    // What is wrong with the code must not keep the versions that run from their packages.
    packages::follow(&shelf, &source.version.spec.name)
        .map_err(|error| broken("write", &shelf, &error))?;
    let plan = survey::survey(code).map_err(|error| broken("read", code, &error))?;
    let known = read_note(&note).filter(|note| note.code == *code && target.is_dir());
    if let Some(mut known) = known {
        let digest = copy::digest(code, &plan).map_err(|error| broken("read", code, &error))?;
        if known.digest == digest {
            known.packages = packages::key(code, source.packages);
            write_note(&note, &known)
                .and_then(|()| packages::link(&target, &known))
                .map_err(|error| broken("write", &target, &error))?;
            return Ok(target);
        }
    }
    around::mirror(code, &shelf).map_err(|error| broken("write", &shelf, &error))?;
    let draft = copy::Draft::make(&shelf, &source.stem())
        .map_err(|error| broken("write", &shelf, &error))?;
    let digest = draft.fill(source, &plan)?;
    let (place, packages) = (source.packages.to_owned(), packages::key(code, source.packages));
    let new = Note { code: code.clone(), digest, place, packages };
    // The note comes last: whatever ends this in between, no note speaks of another copy.
    remove(&note)
        .and_then(|()| draft.publish(&target))
        .and_then(|()| packages::link(&target, &new))
        .and_then(|_| write_note(&note, &new))
        .map_err(|error| broken("write", &target, &error))?;
    Ok(target)
}

/// Where a version is kept that was made before.
///
/// # Errors
/// FN_005 when it is not, or its packages are not.
pub fn kept(source: &Source<'_>) -> Result<PathBuf, DeployError> {
    let shelf = source.shelf();
    let target = shelf.join(source.stem());
    let note = read_note(&note_path(&shelf, &source.stem())).filter(|_| target.is_dir());
    let FunctionVersion { spec, number, .. } = source.version;
    let note = note.ok_or_else(|| {
        failed(format!("the code of version {number} of {} is not there any more", spec.name))
    })?;
    match packages::link(&target, &note) {
        Ok(true) => Ok(target),
        Ok(false) => Err(failed(format!(
            "the packages of version {number} of {} are not there any more",
            spec.name
        ))),
        Err(error) => Err(broken("write", &target, &error)),
    }
}

fn note_path(shelf: &Path, stem: &str) -> PathBuf {
    shelf.join(format!("{stem}.json"))
}

/// A note that cannot be read is that of a version that was not made whole.
fn read_note(path: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write_note(path: &Path, note: &Note) -> io::Result<()> {
    let text = serde_json::to_vec(note)?;
    if fs::read(path).ok().as_deref() == Some(&text) {
        return Ok(());
    }
    let (shelf, stem) = (path.parent(), path.file_stem().and_then(|stem| stem.to_str()));
    let draft = draft_path(shelf.unwrap_or(path), stem.unwrap_or_default());
    fs::write(&draft, text)?;
    sync(&draft)?;
    fs::rename(&draft, path)?;
    sync(shelf.unwrap_or(path))
}

/// A path that no other thread or process has; what a process leaves there when it is killed is
/// removed by [`retain`].
fn draft_path(shelf: &Path, stem: &str) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    shelf.join(format!(".{stem}.{}.{number}", std::process::id()))
}

/// Waits until a file, or the names in a folder, are on disk: what a note speaks of must be there
/// after the power went.
fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(message: String) -> DeployError {
    DeployError { code: Code::DeploymentFailed, message, stack: None, problems: Vec::new() }
}

fn broken(verb: &str, path: &Path, error: &io::Error) -> DeployError {
    failed(format!("cannot {verb} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;

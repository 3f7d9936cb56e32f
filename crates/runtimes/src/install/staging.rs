//! Folders in which things are made ready beside what is in use, and the step that swaps them in.
//!
//! Everything lies in `.evoke` of the function's folder, which watchers and version control ignore.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use evoke_ports::runtime::DeployError;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sha2::{Digest, Sha256};

use super::{failed, unusable};

/// Name of the file that says what an installed folder was made from.
pub(super) const HASH_FILE: &str = ".evoke-hash";
/// The draft lies so deep that paths like `../../shared` still lead into the staging folder, where
/// links stand for what is meant.
const DRAFT: &str = "1/2/3/4/draft";

/// The right to install in a folder, and the folder to do it in. Both end with this.
pub(super) struct Staging {
    code: PathBuf,
    root: PathBuf,
    draft: PathBuf,
    /// Unlocked when it is closed, by the operating system if need be.
    _lock: File,
}

impl Staging {
    /// Waits until nobody else installs in this folder, in this process or another.
    pub async fn lock(code: &Path) -> Result<Self, DeployError> {
        let (home, own) = (code.join(".evoke"), code.to_path_buf());
        let locked = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&home)?;
            let lock = File::create(home.join("install.lock"))?;
            lock.lock()?;
            let root = home.join("install");
            // What a crash left behind.
            remove(&root)?;
            let draft = root.join(DRAFT);
            fs::create_dir_all(&draft)?;
            io::Result::Ok(Self { code: own, root, draft, _lock: lock })
        });
        let staging = locked.await.map_err(|error| failed(format!("cannot lock: {error}")))?;
        staging.map_err(|error| unusable("install in", code, &error))
    }

    /// The empty folder to work in.
    pub fn draft(&self) -> &Path {
        &self.draft
    }

    /// Makes a relative path of the code lead to the same from the draft, where it leads out of it.
    pub fn reach(&self, code: &Path, path: &str) -> io::Result<()> {
        let link = normal(&self.draft.join(path));
        if link.starts_with(&self.draft) || !link.starts_with(&self.root) {
            return Ok(());
        }
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent)?;
        }
        if link.symlink_metadata().is_ok() {
            return Ok(());
        }
        std::os::unix::fs::symlink(normal(&code.join(path)), link)
    }

    /// Puts a folder that is ready in the place of the one in use, in one step where the file
    /// system can. The old one is put aside, for versions that were made with it.
    pub fn publish(&self, ready: &Path, place: &Path, hash: &str) -> Result<(), DeployError> {
        let swap = || {
            fs::create_dir_all(ready)?;
            fs::write(ready.join(HASH_FILE), hash)?;
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            if place.symlink_metadata().is_err() {
                return fs::rename(ready, place);
            }
            let flags = RenameFlags::RENAME_EXCHANGE;
            if renameat2(AT_FDCWD, ready, AT_FDCWD, place, flags).is_ok() {
                return self.put_aside(ready, place);
            }
            let old = self.root.join("old");
            fs::rename(place, &old)?;
            fs::rename(ready, place).or_else(|error| fs::rename(&old, place).and(Err(error)))?;
            self.put_aside(&old, place)
        };
        swap().map_err(|error| unusable("replace", place, &error))
    }
}

impl Staging {
    fn put_aside(&self, old: &Path, place: &Path) -> io::Result<()> {
        let Some(key) = installed_key(old) else { return remove(old) };
        let target = aside(&self.code, &key, place);
        remove(&target)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(old, &target)?;
        anchor(&target, place, place)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.root) {
            let folder = self.root.display();
            tracing::warn!(%folder, %error, "Drafts stay in {folder} until the next install");
        }
    }
}

/// Where packages are put aside that others have taken the place of; of the place only the name
/// counts.
pub(crate) fn aside(code: &Path, key: &str, place: &Path) -> PathBuf {
    code.join(".evoke").join("packages").join(key).join(place.file_name().unwrap_or_default())
}

/// What tells installed packages from others of the same function: what they were made from, or
/// that somebody else made them. `None` where there are none.
pub(crate) fn installed_key(place: &Path) -> Option<String> {
    place.is_dir().then(|| installed_hash(place).unwrap_or_else(|| "own".to_owned()))
}

/// Makes links of packages that lead out of the folder they were in lead there still. Packages are
/// in the folder itself and in those of scopes.
fn anchor(folder: &Path, was: &Path, whole: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && entry.file_name().as_encoded_bytes().starts_with(b"@") {
            anchor(&path, &was.join(entry.file_name()), whole)?;
        }
        if !kind.is_symlink() {
            continue;
        }
        let to = fs::read_link(&path)?;
        let meant = normal(&was.join(&to));
        if to.is_relative() && !meant.starts_with(whole) {
            fs::remove_file(&path)?;
            std::os::unix::fs::symlink(meant, &path)?;
        }
    }
    Ok(())
}

/// What an installed folder was made from.
pub(super) fn installed_hash(place: &Path) -> Option<String> {
    fs::read_to_string(place.join(HASH_FILE)).ok()
}

/// SHA-256 over files by name and content and over `more`, in hex. Files that are not there count
/// as such.
pub(super) fn hash_of<'a>(
    code: &Path,
    names: impl IntoIterator<Item = &'a str>,
    more: &[u8],
) -> String {
    let mut hash = Sha256::new();
    for name in names {
        let content = fs::read(code.join(name)).ok();
        hash.update(name.as_bytes());
        hash.update(content.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        hash.update(content.unwrap_or_default());
    }
    hash.update(more);
    hex::encode(hash.finalize())
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A path without `.` and `..`, by its letters alone.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts
}

//! What a function's folder holds, in one number: two folders with the same hash behave the same.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use evoke_model::FunctionSpec;
use sha2::{Digest, Sha256};

use crate::reader::Wrong;

/// Folders that hold what others made: packages, caches, our own files, the history.
pub const IGNORED_FOLDERS: [&str; 6] =
    ["node_modules", ".evoke", ".git", "__pycache__", ".venv", ".pytest_cache"];

/// A function is source code; above this somebody keeps data in its folder, and each save would
/// read all of it.
const BYTES_MAX: u64 = 256 << 20;
const FILES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 64;

/// SHA-256 in hex over the files of `folder` and the spec made of its manifest. Links are followed
/// inside `root`; a link that leads out counts by its text.
///
/// # Errors
/// A folder that is too large or too deep, a file that cannot be read.
pub fn of(folder: &Path, root: &Path, spec: &FunctionSpec) -> Result<String, Wrong> {
    let mut walk = Walk {
        digest: Sha256::new(),
        root: root.canonicalize().unwrap_or_else(|_| root.to_path_buf()),
        seen: BTreeSet::new(),
        files: 0,
        bytes: 0,
    };
    walk.folder(folder, Path::new(""), 0)?;
    let spec = serde_json::to_vec(spec).map_err(|error| Wrong::new(error.to_string()))?;
    walk.digest.update(&spec);
    Ok(hex::encode(walk.digest.finalize()))
}

struct Walk {
    digest: Sha256,
    root: PathBuf,
    /// Canonical folders that were visited, so that links in a circle end.
    seen: BTreeSet<PathBuf>,
    files: usize,
    bytes: u64,
}

impl Walk {
    fn folder(&mut self, folder: &Path, inner: &Path, depth: usize) -> Result<(), Wrong> {
        if depth > DEPTH_MAX {
            return Err(format!("folders are nested more than {DEPTH_MAX} levels deep").into());
        }
        let cannot = |error: io::Error| format!("{} cannot be read: {error}", inner.display());
        if !self.seen.insert(folder.canonicalize().map_err(cannot)?) {
            return Ok(());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(cannot)? {
            names.push(entry.map_err(cannot)?.file_name());
            if self.files + names.len() > FILES_MAX {
                return Err(format!("the folder has more than {FILES_MAX} files").into());
            }
        }
        names.sort();
        for name in names {
            self.entry(&folder.join(&name), &inner.join(&name), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, inner: &Path, depth: usize) -> Result<(), Wrong> {
        let cannot = |error: io::Error| format!("{} cannot be read: {error}", inner.display());
        let link = fs::symlink_metadata(path).map_err(cannot)?;
        if link.is_symlink() && !path.canonicalize().is_ok_and(|to| to.starts_with(&self.root)) {
            let to = fs::read_link(path).map_err(cannot)?;
            self.part(inner, to.as_os_str());
            return Ok(());
        }
        let metadata = fs::metadata(path).map_err(cannot)?;
        if metadata.is_dir() {
            let name = inner.file_name().unwrap_or_default();
            let ignored = IGNORED_FOLDERS.iter().any(|ignored| name == *ignored);
            return if ignored { Ok(()) } else { self.folder(path, inner, depth + 1) };
        }
        // Reading a pipe or a device could wait for ever.
        if !metadata.is_file() {
            return Ok(());
        }
        self.files += 1;
        self.file(path, inner).map_err(cannot)?;
        if self.bytes > BYTES_MAX {
            return Err(format!("the folder has more than {} mb", BYTES_MAX >> 20).into());
        }
        Ok(())
    }

    /// Name and content, each with its length before it, so that no two folders look alike.
    fn part(&mut self, inner: &Path, content: &OsStr) {
        let name = inner.as_os_str().as_bytes();
        self.digest.update((name.len() as u64).to_le_bytes());
        self.digest.update(name);
        self.digest.update((content.len() as u64).to_le_bytes());
        self.digest.update(content.as_bytes());
    }

    fn file(&mut self, path: &Path, inner: &Path) -> io::Result<()> {
        let name = inner.as_os_str().as_bytes();
        self.digest.update((name.len() as u64).to_le_bytes());
        self.digest.update(name);
        let mut content = Sha256::new();
        let mut file = fs::File::open(path)?;
        let mut buffer = vec![0; 64 << 10];
        while self.bytes <= BYTES_MAX {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            self.bytes += read as u64;
            content.update(buffer.get(..read).unwrap_or_default());
        }
        self.digest.update(content.finalize());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::manifest::tests::spec;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_what_matters_changes_the_hash() {
        let project = tempfile::tempdir().unwrap();
        let folder = project.path().join("functions/a");
        write(&folder, "index.js", "1");
        write(&folder, "lib/b.js", "2");
        let hash = || of(&folder, project.path(), &spec("a")).unwrap();
        let first = hash();
        assert_eq!(first.len(), 64);

        for ignored in IGNORED_FOLDERS {
            write(&folder, &format!("{ignored}/x"), "x");
            write(&folder, &format!("lib/{ignored}/x"), "x");
        }
        assert_eq!(hash(), first);

        write(&folder, "lib/b.js", "3");
        let changed = hash();
        assert_ne!(changed, first);
        fs::rename(folder.join("lib/b.js"), folder.join("lib/c.js")).unwrap();
        assert_ne!(hash(), changed);
        assert_ne!(of(&folder, project.path(), &spec("b")).unwrap(), hash());
    }

    #[test]
    fn links_are_followed_inside_the_project_and_never_in_a_circle() {
        let project = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let folder = project.path().join("functions/a");
        write(&folder, "index.js", "1");
        write(project.path(), "shared/x.js", "1");
        write(outside.path(), "y.js", "1");
        symlink(&folder, folder.join("loop")).unwrap();
        symlink("self", folder.join("self")).unwrap();
        symlink(project.path().join("shared"), folder.join("shared")).unwrap();
        symlink(outside.path().join("y.js"), folder.join("outside.js")).unwrap();
        let hash = || of(&folder, project.path(), &spec("a")).unwrap();
        let first = hash();
        write(project.path(), "shared/x.js", "2");
        assert_ne!(hash(), first);
        let second = hash();
        write(outside.path(), "y.js", "2");
        assert_eq!(hash(), second);
    }

    #[test]
    fn a_folder_that_is_too_deep_is_refused() {
        let project = tempfile::tempdir().unwrap();
        let deep = project.path().join("a").join("d/".repeat(DEPTH_MAX + 2));
        fs::create_dir_all(&deep).unwrap();
        assert!(of(&project.path().join("a"), project.path(), &spec("a")).is_err());
    }
}

//! Copies a function's folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use evoke_ports::runtime::DeployError;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use sha2::{Digest, Sha256};

use super::survey::Plan;
use super::{Source, broken, draft_path, remove, sync};

const BUFFER_BYTES: usize = 64 << 10;

/// A folder that becomes a version, or is removed.
pub struct Draft {
    folder: PathBuf,
}

impl Draft {
    /// An empty one that no other thread or process has.
    pub fn make(shelf: &Path, stem: &str) -> io::Result<Self> {
        let folder = draft_path(shelf, stem);
        remove(&folder)?;
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Copies and compiles what the plan says, and gives the digest of what was read.
    pub fn fill(&self, source: &Source<'_>, plan: &Plan) -> Result<String, DeployError> {
        let (code, target) = (&source.version.code, &self.folder);
        let mut digest = Sha256::new();
        let mut is_compiled = false;
        for folder in &plan.folders {
            fs::create_dir(target.join(folder)).map_err(|e| broken("write", target, &e))?;
        }
        // What is compiled of a file takes the place of one that is there under the same name.
        let mut compiled = Vec::new();
        for file in &plan.files {
            let from = code.join(file);
            let compiler = source.compiler.filter(|compiler| compiler.takes(file));
            let Some(compiler) = compiler else {
                copy(&from, &target.join(file), (file, &mut digest))
                    .map_err(|error| broken("copy", &from, &error))?;
                continue;
            };
            let text = fs::read_to_string(&from).map_err(|e| broken("read", &from, &e))?;
            part(&mut digest, file, text.as_bytes());
            compiled.extend(compiler.compile(file, &from, &text)?);
            is_compiled = true;
        }
        let finish = || -> io::Result<()> {
            for (file, text) in compiled {
                fs::write(target.join(file), text)?;
            }
            if is_compiled && let Some(compiler) = source.compiler {
                compiler.complete(code, target)?;
            }
            for (link, to) in &plan.links {
                part(&mut digest, link, to.as_os_str().as_encoded_bytes());
                symlink(to, target.join(link))?;
            }
            Ok(())
        };
        finish().and_then(|()| settle(target)).map_err(|error| broken("write", target, &error))?;
        Ok(hex::encode(digest.finalize()))
    }

    /// Puts it in its place, in one step where the file system can.
    pub fn publish(&self, target: &Path) -> io::Result<()> {
        let flags = RenameFlags::RENAME_EXCHANGE;
        if target.symlink_metadata().is_err()
            || renameat2(AT_FDCWD, &self.folder, AT_FDCWD, target, flags).is_err()
        {
            remove(target)?;
            fs::rename(&self.folder, target)?;
        }
        target.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.folder) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "A draft of a version stays in {folder}");
        }
    }
}

/// Waits until a folder with all that is in it is on disk.
fn settle(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            settle(&entry.path())?;
        } else if kind.is_file() {
            sync(&entry.path())?;
        }
    }
    sync(folder)
}

/// The digest that copying what the plan says would give.
pub fn digest(code: &Path, plan: &Plan) -> io::Result<String> {
    let mut digest = Sha256::new();
    for file in &plan.files {
        read(&code.join(file), (file, &mut digest), |_| Ok(()))?;
    }
    for (link, to) in &plan.links {
        part(&mut digest, link, to.as_os_str().as_encoded_bytes());
    }
    Ok(hex::encode(digest.finalize()))
}

fn copy(from: &Path, to: &Path, digest: (&Path, &mut Sha256)) -> io::Result<()> {
    let mode = fs::metadata(from)?.permissions().mode() & 0o777;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode | 0o600).open(to)?;
    read(from, digest, |piece| out.write_all(piece))
}

fn read(
    from: &Path,
    (name, digest): (&Path, &mut Sha256),
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = File::open(from)?;
    let mut own = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = file.read(&mut buffer)?;
        let piece = buffer.get(..length).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        own.update(piece);
        take(piece)?;
    }
    entry(digest, name, own);
    Ok(())
}

fn part(digest: &mut Sha256, name: &Path, content: &[u8]) {
    entry(digest, name, Sha256::new_with_prefix(content));
}

/// Lengths stand before names, so that no two folders look alike.
fn entry(digest: &mut Sha256, name: &Path, content: Sha256) {
    let name = name.as_os_str().as_encoded_bytes();
    digest.update((name.len() as u64).to_le_bytes());
    digest.update(name);
    digest.update(content.finalize());
}

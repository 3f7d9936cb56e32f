//! `package.json` into `node_modules`, with bun or npm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use evoke_ports::runtime::DeployError;
use serde_json::{Map, Value};

use super::staging::{Staging, hash_of, installed_hash};
use super::tool::{self, Invocation};
use super::{Job, failed, unusable};

/// What decides which packages there are. They are copied, because tools write into them.
const INPUTS: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "bun.lock",
    "bun.lockb",
    "yarn.lock",
    ".npmrc",
    "bunfig.toml",
];
/// Folders of the code that the draft does not see.
const HIDDEN: [&str; 3] = ["node_modules", ".evoke", ".git"];
/// Parts of a `package.json` that make an install necessary.
const NEEDED: [&str; 2] = ["dependencies", "optionalDependencies"];
/// Parts of a `package.json` that may point at folders.
const POINTING: [&str; 3] = ["dependencies", "optionalDependencies", "devDependencies"];

/// Installs what is missing or has changed.
pub(super) async fn install(job: &Job<'_>) -> Result<(), DeployError> {
    let Some(manifest) = Manifest::read(job.code)? else { return Ok(()) };
    if manifest.is_installed(job.code) {
        return Ok(());
    }
    let staging = Staging::lock(job.code).await?;
    // Who had the lock before may have done it.
    if manifest.is_installed(job.code) {
        return Ok(());
    }
    let invocation = invocation(job)?;
    furnish(job.code, &manifest, &staging)
        .map_err(|error| unusable("prepare", job.code, &error))?;
    let (count, name) = (manifest.needed.len(), invocation.name);
    let packages = if count == 1 { "package" } else { "packages" };
    (job.progress)(&format!("installing {count} {packages} with {name}"));
    tool::run(job, invocation, staging.draft()).await?;
    let (ready, place) = (staging.draft().join("node_modules"), job.code.join("node_modules"));
    staging.publish(&ready, &place, &manifest.hash)
}

/// What a `package.json` asks for.
struct Manifest {
    needed: Vec<String>,
    /// Relative paths of packages that are folders or archives.
    paths: Vec<String>,
    hash: String,
}

impl Manifest {
    /// `None` when there is nothing to install.
    fn read(code: &Path) -> Result<Option<Self>, DeployError> {
        let path = code.join("package.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable("read", &path, &error)),
        };
        let manifest: Value = serde_json::from_slice(&text)
            .map_err(|error| failed(format!("package.json is not valid JSON: {error}")))?;
        let part = |name: &&str| manifest.get(*name).and_then(Value::as_object);
        let needed: Vec<String> =
            NEEDED.iter().filter_map(part).flat_map(Map::keys).cloned().collect();
        if needed.is_empty() {
            return Ok(None);
        }
        let wanted = POINTING.iter().filter_map(part).flat_map(Map::values);
        let paths = wanted.filter_map(Value::as_str).filter_map(path_of).collect();
        let hash = hash_of(code, INPUTS, &[]);
        Ok(Some(Self { needed, paths, hash }))
    }

    fn is_installed(&self, code: &Path) -> bool {
        let place = code.join("node_modules");
        match installed_hash(&place) {
            Some(hash) => hash == self.hash,
            // Without a hash somebody else installed, and what he made is his as long as it serves.
            None => {
                let has = |name: &String| place.join(name).join("package.json").is_file();
                place.is_dir() && self.needed.iter().all(has)
            }
        }
    }
}

/// The relative path that a wanted version like `file:../shared` names.
fn path_of(wanted: &str) -> Option<String> {
    let path = ["file:", "link:"].iter().find_map(|prefix| wanted.strip_prefix(prefix));
    let path = path.or_else(|| wanted.starts_with('.').then_some(wanted))?;
    (!path.starts_with('/') && !path.starts_with('~')).then(|| path.to_owned())
}

/// Makes the draft look like the code to a tool.
fn furnish(code: &Path, manifest: &Manifest, staging: &Staging) -> io::Result<()> {
    for entry in fs::read_dir(code)? {
        let entry = entry?;
        let name = entry.file_name();
        let target = staging.draft().join(&name);
        match name.to_str() {
            Some(name) if HIDDEN.contains(&name) => {}
            Some(name) if INPUTS.contains(&name) => drop(fs::copy(entry.path(), target)?),
            _ => std::os::unix::fs::symlink(entry.path(), target)?,
        }
    }
    manifest.paths.iter().try_for_each(|path| staging.reach(code, path))
}

/// bun where it is found, because it is the quickest, else npm.
fn invocation(job: &Job<'_>) -> Result<Invocation, DeployError> {
    let find = |name: &str| -> Option<PathBuf> { job.tools.find(name) };
    if let Some(bun) = find("bun") {
        return Ok(Invocation::new("bun", bun, &["install", "--no-progress"]));
    }
    let npm = find("npm").ok_or_else(|| {
        failed("package.json has dependencies, but neither bun nor npm is installed to get them")
    })?;
    let locked = ["package-lock.json", "npm-shrinkwrap.json"];
    let verb =
        if locked.iter().any(|name| job.code.join(name).is_file()) { "ci" } else { "install" };
    Ok(Invocation::new("npm", npm, &[verb, "--no-audit", "--no-fund", "--no-progress"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_a_version() {
        let table = [
            ("^1.2.3", None),
            ("file:../shared", Some("../shared")),
            ("link:lib", Some("lib")),
            ("./lib", Some("./lib")),
            ("file:/opt/lib", None),
            ("file:~/lib", None),
            ("npm:other@1", None),
        ];
        for (wanted, expected) in table {
            assert_eq!(path_of(wanted).as_deref(), expected, "{wanted}");
        }
    }
}

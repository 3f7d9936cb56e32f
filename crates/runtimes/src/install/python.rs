//! `requirements.txt` into `.evoke/python`, with uv or pip.

use std::fs;
use std::io;
use std::path::Path;

use evoke_ports::runtime::DeployError;

use super::staging::{Staging, hash_of, installed_hash};
use super::tool::{self, Invocation};
use super::{Job, unusable};

/// The file that asks for packages.
const REQUIREMENTS: &str = "requirements.txt";
/// Options with which a line names another file of requirements or constraints.
const INCLUDING: [&str; 4] = ["-r", "--requirement", "-c", "--constraint"];

/// Installs what is missing or has changed.
pub(super) async fn install(job: &Job<'_>, interpreter: &Path) -> Result<(), DeployError> {
    let Some(wanted) = Requirements::read(job.code, interpreter)? else { return Ok(()) };
    let place = job.code.join(".evoke").join("python");
    let is_installed = || installed_hash(&place).as_deref() == Some(&wanted.hash);
    if is_installed() {
        return Ok(());
    }
    let staging = Staging::lock(job.code).await?;
    // Who had the lock before may have done it.
    if is_installed() {
        return Ok(());
    }
    let ready = staging.draft().join("python");
    let invocation = invocation(job, interpreter, &ready);
    let (count, name) = (wanted.count, invocation.name);
    let packages = if count == 1 { "requirement" } else { "requirements" };
    (job.progress)(&format!("installing {count} {packages} with {name}"));
    // The tool runs in the code's folder, so that relative paths mean what they say.
    tool::run(job, invocation, job.code).await?;
    staging.publish(&ready, &place, &wanted.hash)
}

/// What a `requirements.txt` asks for.
struct Requirements {
    count: usize,
    hash: String,
}

impl Requirements {
    /// `None` when there is nothing to install.
    fn read(code: &Path, interpreter: &Path) -> Result<Option<Self>, DeployError> {
        let path = code.join(REQUIREMENTS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable("read", &path, &error)),
        };
        let lines = text.lines().map(str::trim);
        let count = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        if count == 0 {
            return Ok(None);
        }
        let files = std::iter::once(REQUIREMENTS).chain(text.lines().filter_map(included));
        // Packages with compiled parts fit one interpreter only.
        let hash = hash_of(code, files, interpreter.as_os_str().as_encoded_bytes());
        Ok(Some(Self { count, hash }))
    }
}

/// The file that a line like `-r base.txt` names.
fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let option = INCLUDING.iter().find(|option| line.starts_with(**option))?;
    let rest = line[option.len()..].trim_start_matches(['=', ' ']);
    (!rest.is_empty()).then_some(rest)
}

/// uv where it is found, because it is much quicker, else the interpreter's pip.
fn invocation(job: &Job<'_>, interpreter: &Path, ready: &Path) -> Invocation {
    let (ready, python) = (ready.to_string_lossy(), interpreter.to_string_lossy());
    let target = ["--target", &ready, "-r", REQUIREMENTS];
    if let Some(uv) = job.tools.find("uv") {
        let uv_first = ["pip", "install", "--python", &python, "--compile-bytecode"];
        return Invocation::new("uv", uv, &[&uv_first[..], &target].concat());
    }
    let pip_first =
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"];
    Invocation::new("pip", interpreter.to_owned(), &[&pip_first[..], &target].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_included_file_is_found() {
        let table = [
            ("-r base.txt", Some("base.txt")),
            ("  --requirement=base.txt", Some("base.txt")),
            ("-c limits.txt", Some("limits.txt")),
            ("requests==2", None),
            ("-r", None),
        ];
        for (line, expected) in table {
            assert_eq!(included(line), expected, "{line}");
        }
    }
}

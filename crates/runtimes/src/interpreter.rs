//! Interpreters on this machine: executables that were asked once for their version.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::process::Command;
use tokio::task::JoinSet;

/// An interpreter that does not tell its version within this is not used.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// A version as interpreters print it: `v20.20.2`, `Python 3.12.1`, `1.4.5`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub patch: u32,
}

impl Version {
    /// Reads the first version in a text.
    pub fn find(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let numbers = &text[start..];
        let end = numbers.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(numbers.len());
        let mut parts = numbers[..end].split('.').map(|part| part.parse().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Self { major, minor, patch: parts.next().flatten().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// An interpreter that answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interpreter {
    /// The executable.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

/// Asks executables for their versions, each once.
#[derive(Debug, Default)]
pub struct Inquiry {
    answers: Mutex<HashMap<PathBuf, Option<Version>>>,
}

impl Inquiry {
    /// Those of the candidates that are there and answer, in their order. The same executable under
    /// several names counts once.
    pub async fn ask(&self, candidates: &[PathBuf]) -> Vec<Interpreter> {
        let mut seen = BTreeSet::new();
        let is_new = |path: &&PathBuf| {
            std::fs::canonicalize(path).is_ok_and(|real| path.is_file() && seen.insert(real))
        };
        let paths: Vec<&PathBuf> = candidates.iter().filter(is_new).collect();
        self.inquire(&paths).await;
        let answers = self.answers.lock();
        let answered = |path: &&PathBuf| {
            let version = (*answers.get(*path)?)?;
            Some(Interpreter { path: (*path).clone(), version })
        };
        paths.iter().filter_map(answered).collect()
    }

    /// Asks those that were not asked before, all at once: each takes as long as it takes to start.
    async fn inquire(&self, paths: &[&PathBuf]) {
        let mut asking = JoinSet::new();
        for path in paths {
            let path = PathBuf::clone(path);
            if !self.answers.lock().contains_key(&path) {
                asking.spawn(async move { (run_version(&path).await, path) });
            }
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((version, path)) = asked {
                self.answers.lock().insert(path, version);
            }
        }
    }
}

async fn run_version(path: &Path) -> Option<Version> {
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_LIMIT, command.output()).await.ok()?.ok()?;
    if !output.status.success() {
        return None;
    }
    Version::find(&String::from_utf8_lossy(&output.stdout))
        .or_else(|| Version::find(&String::from_utf8_lossy(&output.stderr)))
}

/// The newest of some interpreters, the first where several are as new.
pub fn newest<'a>(
    interpreters: impl DoubleEndedIterator<Item = &'a Interpreter>,
) -> Option<&'a Interpreter> {
    interpreters.rev().max_by_key(|interpreter| interpreter.version)
}

/// Folders below `parent`, sorted by name; none when it is not there.
pub fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_however_they_are_printed() {
        let table = [
            ("v20.20.2\n", Some((20, 20, 2))),
            ("Python 3.12.1", Some((3, 12, 1))),
            ("Python 3.13.0rc1", Some((3, 13, 0))),
            ("1.4.5-canary.1", Some((1, 4, 5))),
            ("pyenv: command not found", None),
            ("version 7", None),
        ];
        for (text, expected) in table {
            let version = Version::find(text).map(|v| (v.major, v.minor, v.patch));
            assert_eq!(version, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_fails_is_left_out() {
        let inquiry = Inquiry::default();
        let candidates = ["/nowhere/node", "/bin/false", "/bin"].map(PathBuf::from);
        assert_eq!(inquiry.ask(&candidates).await, []);
    }
}

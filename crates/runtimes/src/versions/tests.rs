use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use evoke_model::{FunctionId, FunctionSpec, FunctionVersion, Scaling, Timestamp};

use super::*;

/// A project with one function, and where versions are kept.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn version(&self, hash: &str) -> FunctionVersion {
        FunctionVersion {
            function: FunctionId::from_u64(1),
            number: 1,
            spec: FunctionSpec {
                name: "a".to_owned(),
                runtime: "node".to_owned(),
                handler: None,
                memory: FunctionSpec::MEMORY_DEFAULT,
                timeout: FunctionSpec::TIMEOUT_DEFAULT,
                environment: BTreeMap::new(),
                scaling: Scaling::default(),
            },
            environment: BTreeMap::new(),
            code: self.path("functions/a"),
            hash: hash.to_owned(),
            created_at: Timestamp::EPOCH,
        }
    }

    fn with<T>(&self, hash: &str, act: impl FnOnce(&Source<'_>) -> T) -> T {
        let (version, scratch) = (self.version(hash), self.path(".evoke"));
        let (version, scratch) = (&version, scratch.as_path());
        act(&Source { version, scratch, packages: "node_modules", compiler: None })
    }

    fn keep(&self, hash: &str) -> PathBuf {
        self.with(hash, keep).unwrap()
    }

    fn kept(&self, hash: &str) -> Result<PathBuf, DeployError> {
        self.with(hash, kept)
    }

    fn retain(&self, hashes: &[&str]) {
        let hashes: Vec<_> = hashes.iter().map(|hash| (*hash).to_owned()).collect();
        retain(&self.path(".evoke"), "a", &hashes).unwrap();
    }
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_version_stays_as_it_was() {
    let project = Project::new(&[
        ("functions/a/index.js", "1"),
        ("functions/a/lib/b.js", "1"),
        ("functions/a/__pycache__/x.pyc", "1"),
        ("functions/a/.git/x", "1"),
    ]);
    let first = project.keep("aa");
    project.write("functions/a/index.js", "2");
    fs::remove_file(project.path("functions/a/lib/b.js")).unwrap();
    let second = project.keep("bb");
    assert_eq!([text(first.join("index.js")), text(second.join("index.js"))], ["1", "2"]);
    assert_eq!(text(first.join("lib/b.js")), "1");
    assert!(!second.join("lib/b.js").exists());
    for skipped in ["__pycache__", ".git"] {
        assert!(!first.join(skipped).exists(), "{skipped}");
    }
    assert_eq!(project.kept("aa"), Ok(first));
}

#[test]
fn what_was_copied_while_files_were_saved_is_made_anew() {
    let project = Project::new(&[("functions/a/index.js", "saved while it was copied")]);
    let first = project.keep("aa");
    assert_eq!(project.keep("aa"), first, "nothing changed");
    project.write("functions/a/index.js", "what the hash is of");
    assert_eq!(project.keep("aa"), first);
    assert_eq!(text(first.join("index.js")), "what the hash is of");
    fs::remove_file(note_path(first.parent().unwrap(), "a.aa")).unwrap();
    assert!(project.kept("aa").is_err(), "without its note it is none");
    project.keep("aa");
    assert!(project.kept("aa").is_ok());
}

#[test]
fn what_is_around_a_function_is_around_its_versions() {
    let project = Project::new(&[
        ("functions/a/index.js", "1"),
        ("functions/b/index.js", "other"),
        ("shared/money.js", "shared"),
        ("node_modules/left/index.js", "left"),
        (".git/config", ""),
    ]);
    let version = project.keep("aa");
    assert_eq!(text(version.join("../b/index.js")), "other");
    assert_eq!(text(version.join("../../shared/money.js")), "shared");
    assert_eq!(text(version.join("../../functions/b/index.js")), "other");
    assert_eq!(text(version.join("../../node_modules/left/index.js")), "left");
    assert!(!version.join("../../.git").exists());
    fs::remove_dir_all(project.path("shared")).unwrap();
    project.write("more/x", "1");
    project.write("functions/a/index.js", "2");
    let version = project.keep("bb");
    assert!(version.join("../../shared").symlink_metadata().is_err());
    assert_eq!(text(version.join("../../more/x")), "1");
}

#[test]
fn links_lead_where_they_led() {
    let project = Project::new(&[
        ("functions/a/index.js", "1"),
        ("functions/a/v1/x.js", "inside"),
        ("shared/money.js", "shared"),
    ]);
    let code = project.path("functions/a");
    symlink("v1", code.join("current")).unwrap();
    symlink("../../shared", code.join("shared")).unwrap();
    symlink("../../shared/money.js", code.join("money.js")).unwrap();
    symlink("nowhere", code.join("broken")).unwrap();
    let version = project.keep("aa");
    fs::write(code.join("v1/x.js"), "changed").unwrap();
    project.write("shared/money.js", "changed");
    assert_eq!(text(version.join("current/x.js")), "inside");
    assert_eq!(text(version.join("money.js")), "shared", "a file is copied");
    assert_eq!(text(version.join("shared/money.js")), "changed", "a folder elsewhere is not");
}

#[test]
fn packages_are_shared_and_follow_when_others_take_their_place() {
    let project = Project::new(&[
        ("functions/a/index.js", "1"),
        ("functions/a/node_modules/.evoke-hash", "one"),
        ("functions/a/node_modules/p/index.js", "p 1"),
    ]);
    let first = project.keep("aa");
    project.write("functions/a/index.js", "2");
    let second = project.keep("bb");
    let live = project.path("functions/a/node_modules");
    for version in [&first, &second] {
        assert_eq!(fs::read_link(version.join("node_modules")).unwrap(), live);
    }
    // What an install does.
    let aside = project.path("functions/a/.evoke/packages/one/node_modules");
    fs::create_dir_all(aside.parent().unwrap()).unwrap();
    fs::rename(&live, &aside).unwrap();
    project.write("functions/a/node_modules/.evoke-hash", "two");
    project.write("functions/a/node_modules/p/index.js", "p 2");
    project.write("functions/a/index.js", "3");
    let third = project.keep("cc");
    let used = |version: &Path| text(version.join("node_modules/p/index.js"));
    assert_eq!([used(&first), used(&second), used(&third)], ["p 1", "p 1", "p 2"]);
    project.retain(&["bb", "cc"]);
    assert!(aside.exists(), "the second still uses them");
    project.retain(&["cc"]);
    assert!(!aside.exists());
    assert!(project.kept("cc").is_ok());
    fs::remove_dir_all(&live).unwrap();
    let missing = project.kept("cc").unwrap_err();
    assert!(missing.message.contains("packages of version 1 of a"), "{missing}");
}

#[test]
fn versions_that_are_not_kept_are_removed() {
    let project = Project::new(&[("functions/a/index.js", "1"), ("functions/ab/index.js", "1")]);
    let [first, second] = ["aa", "bb"].map(|hash| project.keep(hash));
    let other = first.with_file_name("ab.aa");
    fs::create_dir(&other).unwrap();
    project.retain(&["bb"]);
    assert!(!first.exists() && second.exists() && other.exists());
    let gone = project.kept("aa").unwrap_err();
    assert_eq!(gone.message, "the code of version 1 of a is not there any more");
    project.retain(&[]);
    assert!(!second.exists() && other.exists());
    let left = fs::read_dir(first.parent().unwrap()).unwrap().flatten();
    let notes = left.filter(|entry| entry.path().extension().is_some_and(|e| e == "json"));
    assert_eq!(notes.count(), 0);
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let project = Project::new(&[("functions/a/index.js", "1")]);
    let kept = project.keep("aa");
    let shelf = kept.parent().unwrap();
    // No process has the first id; the second one is there as long as the machine.
    let [dead, own] = [u32::MAX, std::process::id()].map(|id| format!(".a.aa.{id}.0"));
    let others = [".a.aa.1.0", ".ab.aa.4294967295.0", ".a.aa", ".a.aa.x.0"];
    for draft in others.into_iter().chain([dead.as_str(), own.as_str()]) {
        fs::create_dir(shelf.join(draft)).unwrap();
    }
    let note = format!(".a.aa.{}.1", u32::MAX);
    fs::write(shelf.join(&note), "{}").unwrap();
    project.retain(&["aa"]);
    for draft in [&dead, &own, &note] {
        assert!(!shelf.join(draft).exists(), "{draft}");
    }
    for other in others {
        assert!(shelf.join(other).exists(), "{other}");
    }
    assert_eq!(project.kept("aa"), Ok(kept));
}

/// A compiler that ends what it is asked in the middle.
struct Failing;

impl Compiler for Failing {
    fn takes(&self, _: &Path) -> bool {
        true
    }
    fn compile(
        &self,
        file: &Path,
        _: &Path,
        _: &str,
    ) -> Result<Vec<(PathBuf, String)>, DeployError> {
        Err(failed(format!("{} cannot be read", file.display())))
    }
    fn complete(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn code_that_is_wrong_takes_no_packages_from_what_runs() {
    let project = Project::new(&[
        ("functions/a/index.js", "1"),
        ("functions/a/node_modules/.evoke-hash", "one"),
        ("functions/a/node_modules/p/index.js", "p 1"),
    ]);
    let first = project.keep("aa");
    let (live, aside) = (
        project.path("functions/a/node_modules"),
        project.path("functions/a/.evoke/packages/one/node_modules"),
    );
    fs::create_dir_all(aside.parent().unwrap()).unwrap();
    fs::rename(&live, &aside).unwrap();
    project.write("functions/a/node_modules/.evoke-hash", "two");
    project.write("functions/a/node_modules/p/index.js", "p 2");
    let made = project.with("bb", |source| keep(&Source { compiler: Some(&Failing), ..*source }));
    assert!(made.unwrap_err().message.contains("cannot be read"));
    assert_eq!(text(first.join("node_modules/p/index.js")), "p 1");
}

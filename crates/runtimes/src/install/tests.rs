use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use evoke_model::Code;
use evoke_ports::runtime::DeployError;
use tempfile::TempDir;

use crate::options::Options;

use super::{Job, Language, Tools, install_with, javascript};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder.path().join(name), text);
    }
    folder
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The tools of the test machine: those on the `PATH` and in the folders of `EVOKE_TOOLS`.
fn installed_tools() -> Tools {
    let more = std::env::var_os("EVOKE_TOOLS");
    let tools = more.iter().flat_map(std::env::split_paths).collect();
    Tools::new(&Options { tools, ..Options::from_environment() })
}

/// Tools as they are, without those of these names.
fn tools_without(hidden: &[&str]) -> (Tools, TempDir) {
    let (mut tools, links) = (installed_tools(), tempfile::tempdir().unwrap());
    for name in ["npm", "node", "bun", "uv", "sh", "env"] {
        if let Some(found) = tools.find(name).filter(|_| !hidden.contains(&name)) {
            std::os::unix::fs::symlink(found, links.path().join(name)).unwrap();
        }
    }
    tools.folders = vec![links.path().to_owned(), PathBuf::from("/bin")];
    (tools, links)
}

/// A tool of this name that is a shell script.
fn fake(folder: &Path, name: &str, script: &str) -> Tools {
    let path = folder.join("tools").join(name);
    write(&path, &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let folders = vec![path.parent().unwrap().to_owned(), "/usr/bin".into(), "/bin".into()];
    Tools { folders, environment: Vec::new() }
}

/// A tool that installs what `version` says and counts how often it ran.
const COUNTING: &str = "echo run >> ../../../../../../../../runs; mkdir -p node_modules/a; \
                        cp version node_modules/a/version; echo done";

struct Installed {
    result: Result<(), DeployError>,
    lines: Vec<String>,
}

async fn install(tools: &Tools, code: &Path, language: Language) -> Installed {
    let lines = Mutex::new(Vec::new());
    let progress = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let result = install_with(tools, code, language, &progress).await;
    Installed { result, lines: lines.into_inner().unwrap() }
}

fn python() -> Language {
    let interpreter = Tools::from_environment().find("python3").expect("python3 on the PATH");
    Language::Python { interpreter }
}

#[tokio::test]
async fn nothing_is_done_where_nothing_is_asked_for() {
    let (tools, _links) = tools_without(&["npm", "bun"]);
    for package in ["{}", r#"{"dependencies":{}}"#, r#"{"devDependencies":{"typescript":"5"}}"#] {
        let code = folder(&[("package.json", package), ("requirements.txt", "# none\n\n")]);
        for language in [Language::JavaScript, python()] {
            let installed = install(&tools, code.path(), language).await;
            assert_eq!(installed.result, Ok(()));
            assert!(installed.lines.is_empty());
        }
        assert!(!code.path().join(".evoke").exists());
    }
}

#[tokio::test]
async fn it_runs_when_something_changed_and_only_then() {
    let home =
        folder(&[("code/package.json", r#"{"dependencies":{"a":"1"}}"#), ("code/version", "one")]);
    let (code, tools) = (home.path().join("code"), fake(home.path(), "bun", COUNTING));
    let runs = || fs::read_to_string(home.path().join("runs")).unwrap().lines().count();
    let version = || fs::read_to_string(code.join("node_modules/a/version")).unwrap();

    let first = install(&tools, &code, Language::JavaScript).await;
    assert_eq!(first.result, Ok(()));
    assert_eq!(first.lines, ["installing 1 package with bun", "done"]);
    assert_eq!((runs(), version().as_str()), (1, "one"));

    assert!(install(&tools, &code, Language::JavaScript).await.lines.is_empty());
    assert_eq!(runs(), 1);

    write(&code.join("version"), "two");
    write(&code.join("bun.lock"), "{}");
    install(&tools, &code, Language::JavaScript).await.result.unwrap();
    assert_eq!((runs(), version().as_str()), (2, "two"));
    let left = fs::read_dir(code.join(".evoke")).unwrap().flatten();
    let mut left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, ["install.lock", "packages"], "the lock, and what versions may use");
    let aside: Vec<_> = fs::read_dir(code.join(".evoke/packages")).unwrap().flatten().collect();
    let version = aside[0].path().join("node_modules/a/version");
    assert_eq!((aside.len(), fs::read_to_string(version).unwrap().as_str()), (1, "one"));
}

#[tokio::test]
async fn a_failed_install_keeps_the_old_one_and_tells_in_the_tools_words() {
    let home =
        folder(&[("code/package.json", r#"{"dependencies":{"a":"1"}}"#), ("code/version", "one")]);
    let code = home.path().join("code");
    let good = fake(home.path(), "bun", COUNTING);
    install(&good, &code, Language::JavaScript).await.result.unwrap();

    write(&code.join("package.json"), r#"{"dependencies":{"a":"2"}}"#);
    let script = "mkdir -p node_modules/half; seq 1 50 >&2; echo 'a@2 is nowhere' >&2; exit 3";
    let bad = fake(home.path(), "bun", script);
    let failure = install(&bad, &code, Language::JavaScript).await.result.unwrap_err();
    assert_eq!(failure.code, Code::DeploymentFailed);
    assert!(failure.message.starts_with("installing with bun failed (exit status: 3)\n32\n"));
    assert!(failure.message.ends_with("\n50\na@2 is nowhere"), "{}", failure.message);
    assert!(code.join("node_modules/a/version").exists());
    assert!(!code.join("node_modules/half").exists());
    assert!(!code.join(".evoke/install").exists());
}

#[tokio::test]
async fn what_somebody_else_installed_is_left_alone_while_it_serves() {
    let home = folder(&[
        ("code/package.json", r#"{"dependencies":{"a":"1"}}"#),
        ("code/version", "one"),
        ("code/node_modules/a/package.json", "{}"),
    ]);
    let (code, tools) = (home.path().join("code"), fake(home.path(), "bun", COUNTING));
    assert!(install(&tools, &code, Language::JavaScript).await.lines.is_empty());
    write(&code.join("package.json"), r#"{"dependencies":{"a":"1","b":"1"}}"#);
    assert!(!install(&tools, &code, Language::JavaScript).await.lines.is_empty());
}

#[tokio::test]
async fn installs_of_one_folder_wait_for_each_other() {
    let home =
        folder(&[("code/package.json", r#"{"dependencies":{"a":"1"}}"#), ("code/version", "one")]);
    let code = home.path().join("code");
    let tools = fake(home.path(), "bun", &format!("sleep 0.2; {COUNTING}"));
    let (one, two, three) = tokio::join!(
        install(&tools, &code, Language::JavaScript),
        install(&tools, &code, Language::JavaScript),
        install(&tools, &code, Language::JavaScript),
    );
    for installed in [one, two, three] {
        installed.result.unwrap();
    }
    assert_eq!(fs::read_to_string(home.path().join("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_ended_with_its_children() {
    let home = folder(&[("code/package.json", r#"{"dependencies":{"a":"1"}}"#)]);
    let code = home.path().join("code");
    let script = format!("sleep 300 & echo $! > {}/child; wait", home.path().display());
    let tools = fake(home.path(), "bun", &script);
    let limit = Duration::from_millis(300);
    let job = Job { tools: &tools, code: &code, progress: &|_| {}, limit };
    let failure = javascript::install(&job).await.unwrap_err();
    assert!(failure.message.contains("bun took longer than 0.3 s"), "{}", failure.message);
    let child = fs::read_to_string(home.path().join("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    // The child of an ended group is gone, or a zombie until somebody waits for it.
    let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    for _ in 0..200 {
        if !lives() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the child of the tool still runs");
}

#[tokio::test]
async fn a_missing_tool_and_a_broken_manifest_are_told() {
    let code = folder(&[("package.json", r#"{"dependencies":{"a":"1"}}"#)]);
    let none = Tools { folders: vec!["/nowhere".into()], environment: Vec::new() };
    let failure = install(&none, code.path(), Language::JavaScript).await.result.unwrap_err();
    assert!(failure.message.contains("neither bun nor npm"), "{}", failure.message);
    let code = folder(&[("package.json", "{")]);
    let failure = install(&none, code.path(), Language::JavaScript).await.result.unwrap_err();
    assert!(failure.message.contains("not valid JSON"), "{}", failure.message);
}

#[tokio::test]
async fn tools_do_not_get_the_servers_secrets() {
    let tools = Tools::from_environment();
    for (name, _) in &tools.environment {
        assert!(!name.to_string_lossy().starts_with("EVOKE"), "{}", name.display());
        assert!(!name.to_string_lossy().contains("SECRET"), "{}", name.display());
    }
}

/// Packages beside and inside of the code, with npm and with bun.
#[tokio::test]
async fn packages_that_are_folders_are_found_after_the_swap() {
    for hidden in ["bun", "npm"] {
        let (tools, _links) = tools_without(&[hidden]);
        assert!(tools.find("npm").is_some() || tools.find("bun").is_some(), "npm and bun");
        let home = folder(&[
            (
                "functions/code/package.json",
                r#"{"dependencies":{"inner":"file:./lib","outer":"file:../../shared"}}"#,
            ),
            ("functions/code/lib/package.json", r#"{"name":"inner","version":"1.0.0"}"#),
            ("functions/code/lib/index.js", "module.exports = 'in'"),
            ("shared/package.json", r#"{"name":"outer","version":"1.0.0"}"#),
            ("shared/index.js", "module.exports = 'out'"),
        ]);
        let code = home.path().join("functions/code");
        let installed = install(&tools, &code, Language::JavaScript).await;
        assert_eq!(installed.result, Ok(()), "{:?}", installed.lines);
        let node = tools.find("node").expect("node on the PATH");
        let script = "console.log(require('inner') + require('outer'))";
        let ran = std::process::Command::new(node).args(["-e", script]).current_dir(&code).output();
        assert_eq!(String::from_utf8_lossy(&ran.unwrap().stdout), "inout\n", "without {hidden}");
        assert!(!code.join("package-lock.json").exists(), "the user's folder stays as it was");
    }
}

#[tokio::test]
async fn a_real_package_comes_from_the_registry() {
    let (npm, _links) = tools_without(&["bun"]);
    let package = r#"{"dependencies":{"is-number":"7.0.0"}}"#;
    let code = folder(&[("package.json", package)]);
    let installed = install(&npm, code.path(), Language::JavaScript).await;
    assert_eq!(installed.result, Ok(()), "{:?}", installed.lines);
    assert!(code.path().join("node_modules/is-number/index.js").is_file());

    let (pip, _links) = tools_without(&["uv"]);
    let code = folder(&[("requirements.txt", "-r more.txt\n"), ("more.txt", "iniconfig==2.0.0\n")]);
    let installed = install(&pip, code.path(), python()).await;
    assert_eq!(installed.result, Ok(()), "{:?}", installed.lines);
    assert!(code.path().join(".evoke/python/iniconfig/__init__.py").is_file());
    assert!(install(&pip, code.path(), python()).await.lines.is_empty());

    write(&code.path().join("more.txt"), "no-such-package-evoke==9\n");
    let failure = install(&pip, code.path(), python()).await.result.unwrap_err();
    assert!(failure.message.contains("no-such-package-evoke"), "{}", failure.message);
    assert!(code.path().join(".evoke/python/iniconfig/__init__.py").is_file());
}

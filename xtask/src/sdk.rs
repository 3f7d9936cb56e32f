//! The SDK for TypeScript: its packages are built, their types are tried, and their tests are run
//! under each version of Node and under Bun. That for Python: its tests are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::run::{command, root, run};
use crate::setup;

const PACKAGES: [&str; 2] = ["sdk", "functions"];
const NODES: [&str; 3] = ["node18", "node20", "node22"];

/// Builds and tests both.
///
/// # Errors
/// What does not build, or fails.
pub fn all() -> Result<()> {
    typescript()?;
    python()
}

fn typescript() -> Result<()> {
    let folder = root().join("sdk/typescript");
    for package in PACKAGES {
        link(&folder, package)?;
        compile(&folder, package)?;
    }
    write_examples(&folder.join("types/examples"))?;
    compile(&folder, "types")?;
    for package in PACKAGES.map(|package| folder.join(package)) {
        let tests = tests(&package.join("test"))?;
        for node in NODES {
            let mut node = command(&setup::bin().join(node).to_string_lossy());
            run(node.current_dir(&package).arg("--test").args(&tests))?;
        }
        let mut bun = command(&setup::bin().join("bun").to_string_lossy());
        run(bun.current_dir(&package).arg("test"))?;
    }
    Ok(())
}

/// One of its tests is that the two faces it has are one.
fn python() -> Result<()> {
    let mut python = command("python3");
    python.current_dir(root().join("sdk/python"));
    run(python.args(["-m", "unittest", "discover", "-t", ".", "-s", "tests"]))
}

/// Lets one package be imported by the other, as if it were installed.
fn link(folder: &Path, package: &str) -> Result<()> {
    let scope = folder.join("node_modules/@evoke");
    fs::create_dir_all(&scope).with_context(|| format!("make {}", scope.display()))?;
    let link = scope.join(package);
    if link.symlink_metadata().is_ok() {
        return Ok(());
    }
    symlink(Path::new("../..").join(package), &link)
        .with_context(|| format!("link {}", link.display()))
}

fn compile(folder: &Path, project: &str) -> Result<()> {
    let compiler = setup::tools().join("node_modules/typescript/bin/tsc");
    let mut node = command("node");
    run(node.current_dir(folder).arg(compiler).args(["--project", project]))
}

/// Writes the examples of the guide, so that their types are tried with the others.
fn write_examples(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let page = fs::read_to_string(root().join("docs/sdk/typescript.md")).context("the guide")?;
    for (number, block) in page.split("```ts\n").skip(1).enumerate() {
        let text = block.split("```").next().unwrap_or_default();
        let path = folder.join(format!("example-{number}.ts"));
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// The files of tests; Node 18 takes no patterns.
fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.mjs");
    let mut tests: Vec<PathBuf> = paths.into_iter().filter(is_test).collect();
    tests.sort();
    Ok(tests)
}

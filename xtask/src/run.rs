//! Running other programs: printed before they start, an error when they fail.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Tells the person at the terminal. Standard output is left to the programs that are run.
pub fn say(line: &str) {
    // When the terminal is gone there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "{}", line.trim_end()));
}

/// A command in the root of the workspace that finds the installed tools before the machine's own.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("PATH", path_with_tools());
    command
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

fn path_with_tools() -> OsString {
    let tools = crate::setup::bin();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(tools).chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or(path)
}

/// Runs a command to its end, its output going where ours goes.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say(&format!("$ {shown}"));
    let status = command.status().with_context(|| format!("start {shown}"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// Runs a command to its end and gives what it wrote to its standard output.
///
/// # Errors
/// When it cannot be started or does not succeed; with what it wrote to its standard error.
pub fn capture(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("start {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} failed ({}): {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} wrote no UTF-8"))
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = capture(Command::new("sh").args(["-c", "echo sorry >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("sh -c") && text.contains("sorry"), "{text}");
    }

    #[test]
    fn the_tools_come_before_the_machines_own() {
        let path = path_with_tools();
        assert_eq!(std::env::split_paths(&path).next(), Some(crate::setup::bin()));
    }
}

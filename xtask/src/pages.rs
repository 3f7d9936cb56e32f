//! Runs what the documentation tells people to type, against the example project, so that every
//! command there works as written. A `text` block behind a `sh` block shows what is printed: each
//! of its lines must occur in the output, `...` standing for anything.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{capture, command, root, say};

/// Pages whose commands are all run, in order.
const WHOLE: [&str; 1] = ["examples/quickstart/README.md"];

/// Pages of which only the blocks that begin with curl are run: the others need what is not there.
const REQUESTS: [&str; 2] = ["docs/events.md", "docs/triggers/invoke.md"];

/// What stands for an id that the reader takes from a list.
const ID: &str = " ID";

/// A block of commands and what they are said to print.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    commands: String,
    output: String,
}

/// Runs the commands of all pages. The example has to be up.
pub fn walk() -> Result<()> {
    // curl says nothing of a refusal unless it is told to.
    let home = root().join("target").join("walk");
    fs::create_dir_all(&home).and_then(|()| fs::write(home.join(".curlrc"), "fail-with-body\n"))?;
    for page in WHOLE.into_iter().chain(REQUESTS) {
        let text = fs::read_to_string(root().join(page)).with_context(|| format!("read {page}"))?;
        let only_requests = REQUESTS.contains(&page);
        for step in steps(&text) {
            if !only_requests || step.commands.starts_with("curl") {
                step.walk(&home).with_context(|| format!("{page} says\n{}", step.commands))?;
            }
        }
    }
    Ok(())
}

/// The blocks of commands of a page.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut parts = text.split("```");
    parts.next();
    while let (Some(block), between) = (parts.next(), parts.next()) {
        let (language, body) = block.split_once('\n').unwrap_or((block, ""));
        match (language, steps.last_mut()) {
            ("sh", _) => steps.push(Step { commands: body.to_owned(), output: String::new() }),
            ("text", Some(last)) => body.clone_into(&mut last.output),
            _ => {}
        }
        if between.is_none() {
            break;
        }
    }
    steps
}

impl Step {
    fn walk(&self, home: &std::path::Path) -> Result<()> {
        say(&format!("$ {}", self.commands));
        let mut commands = self.commands.clone();
        if commands.contains(ID) {
            commands = commands.replace(ID, &format!(" {}", failed()?));
        }
        let mut bash = command("bash");
        let path = evoke_on(&bash)?;
        bash.args(["-euo", "pipefail", "-c", &commands]).env("CURL_HOME", home).env("PATH", path);
        let printed = capture(&mut bash)?;
        say(&printed);
        match self.output.lines().find(|line| !occurs(line, &printed)) {
            Some(line) => bail!("it does not print {line:?} but\n{printed}"),
            None => Ok(()),
        }
    }
}

/// The search path of a command with the built `evoke` before it.
fn evoke_on(command: &Command) -> Result<std::ffi::OsString> {
    let built = crate::generated::evoke();
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
    let path = path.unwrap_or_default();
    let folder = built.parent().map(std::path::Path::to_path_buf);
    let all = folder.into_iter().chain(std::env::split_paths(path));
    std::env::join_paths(all).context("join the search path")
}

/// The execution that failed last.
fn failed() -> Result<String> {
    let evoke = crate::generated::evoke();
    let list = ["executions", "list", "--status", "failed", "-o", "id"];
    let ids = capture(command(&evoke.to_string_lossy()).args(list))?;
    ids.lines().next().map(str::to_owned).context("no execution has failed")
}

/// Whether the parts of `line` between `...` stand in the output one behind the other.
fn occurs(line: &str, output: &str) -> bool {
    let mut rest = output;
    line.split("...").all(|part| match rest.split_once(part.trim()) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_what_they_print_are_found() {
        let page = "a\n```sh\nls\n```\nb\n```text\nx...z\n```\n```json\n{}\n```\n```sh\nps\n```\n";
        let step = |commands: &str, output: &str| Step {
            commands: commands.to_owned(),
            output: output.to_owned(),
        };
        assert_eq!(steps(page), [step("ls\n", "x...z\n"), step("ps\n", "")]);
    }

    #[test]
    fn dots_stand_for_anything() {
        assert!(occurs("a ... c", "x a b c y"));
        assert!(!occurs("c ... a", "a b c"));
    }
}

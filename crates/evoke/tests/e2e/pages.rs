//! Pages of the documentation: their commands are run against a server, and have to print what the
//! page says.

use std::path::Path;
use std::process::Command;

use evoke_testkit::TestServer;

use crate::facts::until;
use crate::support::BINARY;

/// Runs the commands of a page in the project's folder. What they look at may take its time.
pub async fn walk(server: &TestServer, page: &str) {
    let binary = Path::new(BINARY).parent().expect("a folder").to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(binary).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).expect("a search path");
    for (commands, output) in steps(page) {
        until(&format!("{commands}prints\n{output}"), async || {
            let mut bash = Command::new("timeout");
            bash.args(["60", "bash", "-euo", "pipefail", "-c"])
                .arg(commands.replace("http://127.0.0.1:8090", &server.url("")))
                .envs([("EVOKE_URL", server.url("").as_str())])
                .env("PATH", &path)
                .current_dir(server.dir());
            let done = tokio::task::spawn_blocking(move || bash.output()).await.expect("no panic");
            let done = done.expect("bash is there");
            let printed = String::from_utf8_lossy(&done.stdout).into_owned();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{commands}\n{printed}\n{said}\n{}", server.output());
            output.lines().all(|line| occurs(line, &printed)).then_some(())
        })
        .await;
    }
}

/// The blocks of a page: what they are written in, and their text.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').unwrap_or((block, "")))
}

/// The blocks of commands of a page, each with what it is said to print under the same heading.
pub fn steps(page: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for section in page.split("\n## ") {
        let before = steps.len();
        for block in blocks(section) {
            match (block, steps[before..].last_mut()) {
                (("sh", body), _) => steps.push((body.to_owned(), String::new())),
                (("text", body), Some((_, output))) if output.is_empty() => {
                    body.clone_into(output);
                }
                _ => {}
            }
        }
    }
    steps
}

/// The files of a page: blocks that begin with a comment that names one.
pub fn files(page: &str) -> Vec<(&str, &str)> {
    let named = blocks(page).filter_map(|(_, text)| {
        let first = text.lines().next()?;
        let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("// "))?;
        name.contains('/').then_some((name, text))
    });
    named.collect()
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

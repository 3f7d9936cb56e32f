//! What must pass, and what mends it.

use anyhow::{Context as _, Result};

use crate::run::{self, cargo, command, run};
use crate::{generated, quickstart, sdk, setup, tidy};

/// Everything that must pass. The runs of `cargo test` come last, so that the output ends with
/// them.
pub fn test() -> Result<()> {
    setup::everything()?;
    lint()?;
    run(cargo().args(["test", "--workspace", "--no-run"]))?;
    generated::compare()?;
    quickstart::walk()?;
    workers()?;
    sdk::all()?;
    // Of the workspace's build: one of its package alone has other features of its dependencies, so
    // that nearly all of them would be compiled once more.
    run(&mut command(&generated::built("evoke-sim").to_string_lossy()))?;
    run(cargo().args(["test", "--workspace", "--doc"]))?;
    run(cargo().args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]))
}

/// The workers of the languages, in their own languages, under each interpreter.
fn workers() -> Result<()> {
    let tests = run::root().join("crates/runtimes/shims/test");
    let tool = |name: &str| setup::bin().join(name);
    let mut javascript = command("node");
    javascript.current_dir(&tests).args(["--test", "javascript.test.mjs"]);
    javascript
        .env("EVOKE_TEST_NODE18", tool("node18"))
        .env("EVOKE_TEST_NODE20", tool("node20"))
        .env("EVOKE_TEST_NODE22", tool("node22"))
        .env("EVOKE_TEST_BUN", tool("bun"));
    run(&mut javascript)?;
    run(command("python3").current_dir(&tests).args(["-m", "unittest", "test_python"]))
}

/// What is found without running anything.
pub fn lint() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"])).context("cargo xtask fix mends the format")?;
    tidy::check()?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Mends what a program can mend.
pub fn fix() -> Result<()> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--fix"];
    run(cargo().args(clippy).args(["--allow-dirty", "--allow-staged"]))?;
    tidy::wrap_comments(&run::root())?;
    run(cargo().args(["fmt", "--all"]))?;
    tidy::write_includes(&run::root())?;
    generated::write()
}

/// The benchmarks, with a release build of the server.
pub fn bench(args: &[&str]) -> Result<()> {
    setup::runtimes()?;
    run(cargo().args(["run", "--release", "--package", "evoke", "--", "bench"]).args(args))
}

/// The seeded simulation of the engine.
pub fn sim(args: &[&str]) -> Result<()> {
    run(cargo().args(["run", "--quiet", "--package", "evoke-sim", "--"]).args(args))
}

/// The crash test, with as many rounds as wanted.
pub fn kill9(rounds: &str) -> Result<()> {
    rounds.parse::<u32>().with_context(|| format!("rounds: expected a number, got {rounds:?}"))?;
    setup::everything()?;
    let test = ["test", "--package", "evoke", "--test", "e2e", "kill9", "--", "--nocapture"];
    run(cargo().args(test).env("EVOKE_KILL_ROUNDS", rounds))
}

//! The chores of this workspace, as verbs a person remembers. The README and `.ci/run` call these
//! and nothing else, so that what passes here passes there.
//!
//! Reading order: [`setup`], [`check`], [`quickstart`], [`pages`], [`generated`], [`tidy`].

mod check;
mod generated;
mod pages;
mod quickstart;
mod run;
mod sdk;
mod setup;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask VERB

  quickstart [--once]  install what is missing, build, start the example project, send an event
                       (--once: run every command of the example's page too, then stop)
  test                 everything that must pass: setup, format, lint, tidy, generated files, tests
  setup                install into .tools what the tests and the examples need
  lint                 format check, clippy, tidy
  fix                  format, clippy's own fixes, generated files
  tidy                 the rules of the house: floors, sizes, words, links, error pages
  openapi              write docs/openapi.json from the built server
  sdk                  build the SDK for TypeScript and run its tests, and those for Python
  bench [ARGS...]      the benchmarks of docs/benchmarks.md, release build
  kill9 [--rounds N]   the crash test, 100 rounds unless told otherwise
  sim [ARGS...]        the seeded simulation: --seeds N [--from S], or --seed X for one and its trace;
                       200 seeds unless told otherwise; --steps N makes runs shorter or longer
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            run::say(HELP);
            Ok(())
        }
        ["quickstart"] => quickstart::stay(),
        ["quickstart", "--once"] => quickstart::once(),
        ["first-event"] => quickstart::first_event(),
        ["setup"] => setup::everything(),
        ["test"] => check::test(),
        ["lint"] => check::lint(),
        ["fix"] => check::fix(),
        ["tidy"] => tidy::check(),
        ["openapi"] => generated::write(),
        ["sdk"] => setup::everything().and_then(|()| sdk::all()),
        ["bench", rest @ ..] => check::bench(rest),
        ["sim", rest @ ..] => check::sim(rest),
        ["kill9"] => check::kill9("100"),
        ["kill9", "--rounds", rounds] => check::kill9(rounds),
        _ => anyhow::bail!("unknown: {}\n\n{HELP}", words.join(" ")),
    }
}

//! `evoke-sim --seeds N [--from S] [--steps N]` runs many seeds and prints the trace of the first
//! that fails; `evoke-sim --seed X [--steps N]` runs one and prints its trace.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use evoke_sim::{Options, Report, run};
use parking_lot::Mutex;

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    seed: Option<u64>,
    seeds: Option<u64>,
    from: u64,
    steps: Option<u32>,
}

const USAGE: &str = "usage: evoke-sim --seeds N [--from S] [--steps N] | --seed X [--steps N]";

fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(problem) => {
            say(&format!("{problem}\n{USAGE}"));
            return ExitCode::FAILURE;
        }
    };
    let options = Options { steps: asked.steps };
    match asked.seed {
        Some(seed) => {
            let report = run(seed, options);
            print(&report);
            if report.wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        None => many(asked.from, asked.seeds.unwrap_or(200), options),
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(word) = words.next() {
        let number = words.next().ok_or_else(|| format!("{word} wants a number"))?;
        let number: u64 = number.parse().map_err(|_| format!("{word}: {number:?} is no number"))?;
        match word.as_str() {
            "--seed" => asked.seed = Some(number),
            "--seeds" => asked.seeds = Some(number),
            "--from" => asked.from = number,
            "--steps" => {
                asked.steps = Some(u32::try_from(number).map_err(|error| error.to_string())?);
            }
            _ => return Err(format!("unknown: {word}")),
        }
    }
    Ok(asked)
}

/// Runs seeds on all processors, each alone on its thread, until one fails.
fn many(from: u64, count: u64, options: Options) -> ExitCode {
    let next = AtomicU64::new(from);
    let failed: Mutex<Option<Report>> = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(count) {
                        return;
                    }
                    let report = run(seed, options);
                    if report.wrong.is_some() {
                        failed.lock().get_or_insert(report);
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        None => {
            say(&format!("{count} seeds from {from} on: all is as it must be"));
            ExitCode::SUCCESS
        }
        Some(report) => {
            print(&report);
            ExitCode::FAILURE
        }
    }
}

fn print(report: &Report) {
    for line in &report.trace {
        say(line);
    }
    let Report { seed, hash, .. } = report;
    match &report.wrong {
        None => say(&format!("seed {seed}, trace {hash:016x}: all is as it must be")),
        Some(wrong) => {
            say(&format!("seed {seed}, trace {hash:016x}: {wrong}"));
            say(&format!("again: cargo xtask sim --seed {seed}"));
        }
    }
}

fn say(line: &str) {
    // When nobody reads any more there is nobody left to tell.
    drop(writeln!(std::io::stdout(), "{line}"));
}

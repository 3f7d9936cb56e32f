//! The benchmarks as a program of their own: `evoke-bench --server target/release/evoke`. The same
//! runs as `evoke bench`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use evoke_bench::load::{self, Generator};
use evoke_bench::{Form, Id, Options};

/// The benchmarks of Evoke.
#[derive(Parser)]
struct Args {
    /// The server's binary.
    #[arg(long, default_value = "target/release/evoke")]
    server: PathBuf,
    /// Longer phases and more rounds.
    #[arg(long)]
    full: bool,
    /// Only these, for example B1,B6.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Id>,
    /// Write the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where projects and stores are made.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// A folder in which Restate is installed.
    #[arg(long)]
    restate: Option<PathBuf>,
    /// Be the load generator: the load on stdin, the report on stdout.
    #[arg(long, hide = true)]
    load: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.load { load::serve().map(|()| true) } else { bench(args) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        // A "must" was missed; the table says which.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(io::stderr(), "error: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn bench(args: Args) -> io::Result<bool> {
    let options = Options {
        form: if args.full { Form::Full } else { Form::Quick },
        only: args.only,
        json: args.json,
        server: args.server,
        generator: Generator { program: std::env::current_exe()?, args: vec!["--load".into()] },
        folder: args.folder,
        restate: args.restate,
    };
    let say = |text: &str| {
        writeln!(io::stderr(), "{text}").ok();
    };
    let report = evoke_bench::run(&options, &say).map_err(io::Error::other)?;
    writeln!(io::stdout(), "{}", report.table())?;
    Ok(report.is_good())
}

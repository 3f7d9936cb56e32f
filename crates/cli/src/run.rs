//! From what was typed to an exit code.

use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use evoke_client::{Class, Client};
use serde_json::Value;

use crate::args::{
    self, Cli, Command, Format, FunctionsCommand, KeysCommand, OutputArgs, SchedulesCommand,
};
use crate::connect::{self, Environment};
use crate::failure::{Failure, Outcome};
use crate::hooks::{Finding, Hooks};
use crate::output::{self, columns};
use crate::test_run::{self, TestRun};
use crate::{args::LocalKeyArgs, args::ServerArgs, commands};

/// Does what was typed.
pub fn run(hooks: Hooks) -> ExitCode {
    run_with(hooks, std::env::args_os())
}

/// Does what these arguments say, the name of the program first.
pub fn run_with(hooks: Hooks, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match carry_out(cli, hooks) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_reader_left() => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nowhere to tell that nobody listens.
            write!(anstream::stderr(), "{}", failure.render()).ok();
            ExitCode::from(failure.class as u8)
        }
    }
}

/// Help and versions are answers; everything else is the user's mistake.
fn usage(error: &clap::Error) -> ExitCode {
    // There is nowhere to tell that nobody listens.
    error.print().ok();
    let is_asked_for = error.exit_code() == 0;
    if is_asked_for { ExitCode::SUCCESS } else { ExitCode::from(Class::Mistake as u8) }
}

fn carry_out(cli: Cli, hooks: Hooks) -> Outcome {
    let server = cli.server;
    match cli.command {
        Command::Dev(args) => (hooks.dev)(args),
        Command::Serve(args) => (hooks.serve)(args),
        Command::Bench(args) => (hooks.bench)(args),
        Command::Doctor(format) => doctor(&(hooks.doctor)(())?, format),
        Command::Openapi => output::print(&output::json(&(hooks.openapi)(())?)?),
        Command::Schema => output::print(&output::json(&(hooks.schema)(())?)?),
        Command::Completions { shell } => completions(shell),
        Command::Schedules(SchedulesCommand::Simulate(args)) => {
            let format = args.output.output;
            commands::simulated(&(hooks.simulate)(args)?, format)
        }
        Command::Functions(FunctionsCommand::Init(args)) => commands::made(&(hooks.init)(args)?),
        Command::Functions(FunctionsCommand::Test(args)) => {
            let format = args.output;
            test_run::report(&(hooks.test)(TestRun { args, tell: test_run::teller() })?, format)
        }
        Command::Functions(FunctionsCommand::Sample(args)) => {
            output::print(&output::json(&(hooks.sample)(args)?)?)
        }
        Command::Keys(KeysCommand::Create(args)) if args.local => {
            let format = args.output.output;
            let given = LocalKeyArgs { name: args.name, config: args.config };
            commands::shown_once(&(hooks.create_local_key)(given)?, format)
        }
        Command::Functions(command) => {
            talk(&server, async |client| commands::functions(client, command).await)
        }
        Command::Events(command) => {
            talk(&server, async |client| commands::events(client, command).await)
        }
        Command::Executions(command) => {
            talk(&server, async |client| commands::executions(client, command).await)
        }
        Command::Dlq(command) => talk(&server, async |client| commands::dlq(client, command).await),
        Command::Db(command) => talk(&server, async |client| commands::db(client, command).await),
        Command::Files(command) => {
            talk(&server, async |client| commands::files(client, command).await)
        }
        Command::Operations(command) => {
            talk(&server, async |client| commands::operations(client, command).await)
        }
        Command::Audit(command) => {
            talk(&server, async |client| commands::audit(client, command).await)
        }
        Command::Retention(command) => {
            talk(&server, async |client| commands::retention(client, command).await)
        }
        Command::Triggers(command) => {
            talk(&server, async |client| commands::triggers(client, command).await)
        }
        Command::Schedules(command) => {
            talk(&server, async |client| commands::schedules(client, command).await)
        }
        Command::Users(command) => {
            talk(&server, async |client| commands::users(client, command).await)
        }
        Command::Keys(command) => {
            talk(&server, async |client| commands::keys(client, command).await)
        }
    }
}

/// Carries out a command that talks to a server.
fn talk(server: &ServerArgs, command: impl AsyncFnOnce(&Client) -> Outcome) -> Outcome {
    let client = connect::client(server, &Environment::read())?;
    block_on(async { command(&client).await })?
}

fn block_on<T>(work: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::fault(format!("start a runtime: {error}")))?;
    Ok(runtime.block_on(work))
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "evoke", &mut text);
    output::print_bytes(&text)
}

/// What is missing is an answer, not a failure: a machine without Bun runs everything else.
fn doctor(findings: &[Finding], format: OutputArgs) -> Outcome {
    let items = findings.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
    let items = items.map_err(|error| Failure::fault(error.to_string()))?;
    let format = format.output;
    output::list(&items, columns::FINDINGS, format)?;
    let missing = findings.iter().filter(|finding| !finding.ok).count();
    if format == Format::Table && missing > 0 {
        output::say(&format!("{missing} of {} are missing", findings.len()));
    }
    Ok(())
}

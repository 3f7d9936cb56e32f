//! `evoke functions`.

use std::path::PathBuf;

use evoke_client::{Calling, Client};
use serde_json::Value;

use super::{Filters, print_page, tail};
use crate::args::{Format, FunctionsCommand, InvokeArgs, LogsArgs};
use crate::failure::Outcome;
use crate::input;
use crate::output::{self, columns};

/// Everything that needs a server.
pub(crate) async fn functions(client: &Client, command: FunctionsCommand) -> Outcome {
    match command {
        FunctionsCommand::List(output) => {
            print_page(&client.functions().await?, columns::FUNCTIONS, output.output)
        }
        FunctionsCommand::Show(show) => {
            let function = client.function(&show.id).await?;
            output::one(&function, show.output.output, output::whole)
        }
        FunctionsCommand::Versions(show) => {
            print_page(&client.versions(&show.id).await?, columns::VERSIONS, show.output.output)
        }
        FunctionsCommand::Rollback(args) => {
            let function = client.roll_back(&args.name, args.to).await?;
            let version = &function["version"];
            output::say(&format!("{} has the code it had, as version {version}", args.name));
            output::one(&function, args.output.output, output::whole)
        }
        FunctionsCommand::Invoke(args) => invoke(client, &args).await,
        FunctionsCommand::Logs(args) => logs(client, &args).await,
        // These are carried out before there is a client.
        FunctionsCommand::Init(_) | FunctionsCommand::Test(_) | FunctionsCommand::Sample(_) => {
            Ok(())
        }
    }
}

/// Tells what `init` wrote.
pub(crate) fn made(files: &[PathBuf]) -> Outcome {
    output::say("made a function; `evoke dev` runs it");
    let lines = files.iter().map(|file| format!("{}\n", file.display()));
    output::print(&lines.collect::<String>())
}

async fn invoke(client: &Client, args: &InvokeArgs) -> Outcome {
    let data = input::payload(&args.data)?;
    let calling = if args.later { Calling::Later } else { Calling::AndWait };
    let invoked = client.invoke(&args.name, &data, calling).await?;
    if args.later {
        let body: Value = serde_json::from_slice(&invoked.body).unwrap_or_default();
        let id = body["execution_id"].as_str().map(str::to_owned).or(invoked.execution);
        return output::print(&format!("{}\n", id.unwrap_or_default()));
    }
    if let Some(id) = &invoked.execution {
        output::say(&format!("execution {id}"));
    }
    output::print_bytes(&invoked.body)?;
    match invoked.body.last() {
        None | Some(b'\n') => Ok(()),
        Some(_) => output::print("\n"),
    }
}

async fn logs(client: &Client, args: &LogsArgs) -> Outcome {
    let format = args.output.output;
    let filters = Filters::default()
        .text("level", args.level.as_ref())
        .text("q", args.grep.as_ref())
        .time("since", args.since.as_ref())?
        .0;
    let mut page = client.logs(&args.name, &filters, args.limit).await?;
    // The newest execution comes first, its lines in their order: a log is read from old to new.
    page.items.sort_by(|a, b| a["time"].as_str().cmp(&b["time"].as_str()));
    if args.follow {
        for line in &page.items {
            output::next(line, format, output::log_line)?;
        }
        let filters: Vec<_> = filters.into_iter().filter(|(name, _)| *name != "since").collect();
        return tail(client.follow_logs(&args.name, &filters), format, output::log_line).await;
    }
    match format {
        Format::Table => {
            output::print(&page.items.iter().map(output::log_line).collect::<String>())
        }
        other => output::list(&page.items, &[], other),
    }
}

//! `evoke executions`.

use evoke_client::Client;
use serde_json::Value;

use super::{Filters, each, print_page, tail};
use crate::args::{ExecutionsCommand, Format, ListExecutions, Show, TailExecutions};
use crate::failure::Outcome;
use crate::output::{self, columns};

pub(crate) async fn executions(client: &Client, command: ExecutionsCommand) -> Outcome {
    match command {
        ExecutionsCommand::List(args) => list(client, &args).await,
        ExecutionsCommand::Show(show) => self::show(client, &show).await,
        ExecutionsCommand::Tail(args) => follow(client, &args).await,
        ExecutionsCommand::Explain(show) => {
            let explanation = client.explain(&show.id).await?;
            output::one(&explanation, show.output.output, output::explanation)
        }
        ExecutionsCommand::Retry { ids } => each(&ids, async |id| client.retry(id).await).await,
        ExecutionsCommand::Cancel { ids } => each(&ids, async |id| client.cancel(id).await).await,
    }
}

async fn list(client: &Client, args: &ListExecutions) -> Outcome {
    let filters = Filters::default()
        .any_of("status", &args.status)
        .text("function", args.function.as_ref())
        .text("trigger", args.trigger.as_ref())
        .text("event", args.event.as_ref())
        .text("trigger_type", args.trigger_type.as_ref())
        .time("since", args.since.as_ref())?
        .time("until", args.until.as_ref())?
        .text("is_replay", args.replays.then(|| "true".to_owned()).as_ref())
        .text("tier", args.tier.filter().as_ref());
    let page = client.executions(&filters.0, args.limit).await?;
    print_page(&page, columns::EXECUTIONS, args.output.output)
}

async fn show(client: &Client, show: &Show) -> Outcome {
    let mut execution = client.execution(&show.id).await?;
    let mut attempts = Vec::new();
    if execution["attempts"].as_u64().is_some_and(|count| count > 1) {
        attempts = client.attempts(&show.id).await?.items;
    }
    if !attempts.is_empty() && show.output.output != Format::Table {
        execution["history"] = Value::Array(attempts.clone());
    }
    output::one(&execution, show.output.output, |item| output::execution(item, &attempts))
}

async fn follow(client: &Client, args: &TailExecutions) -> Outcome {
    let filters =
        Filters::default().text("function", args.function.as_ref()).any_of("status", &args.status);
    let follow = client.follow_executions(&filters.0);
    tail(follow, args.output.output, output::execution_line).await
}

//! `evoke dlq`.

use std::io::{BufRead, IsTerminal, Write};

use evoke_client::Client;
use serde_json::{Map, Value, json};

use super::operations::{Wanted, carry_out};
use super::{Filters, print_page};
use crate::args::{
    DeadLettersOf, DlqCommand, EditDeadLetter, ListDeadLetters, PurgeArgs, RedriveArgs,
    WhichDeadLetters,
};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn dlq(client: &Client, command: DlqCommand) -> Outcome {
    match command {
        DlqCommand::List(args) => list(client, &args).await,
        DlqCommand::Show(show) => {
            let letter = client.dead_letter(&show.id).await?;
            output::one(&letter, show.output.output, output::dead_letter)
        }
        DlqCommand::Edit(args) => edit(client, &args).await,
        DlqCommand::Redrive(args) => redrive(client, &args).await,
        DlqCommand::Purge(args) => purge(client, &args).await,
    }
}

/// The filters of a list.
fn of(args: &DeadLettersOf) -> Outcome<Filters> {
    let filters = Filters::default()
        .text("cause", args.cause.as_ref())
        .text("trigger", args.trigger.as_ref())
        .text("function", args.function.as_ref());
    filters.time("since", args.since.as_ref())?.time("until", args.until.as_ref())
}

fn which(args: &WhichDeadLetters) -> Outcome<Filters> {
    Ok(of(&args.of)?.any_of("ids", &args.ids).text("filter", args.filter.as_ref()))
}

/// The same filters as members of a body.
fn body(args: &WhichDeadLetters) -> Outcome<Map<String, Value>> {
    let mut body = Map::new();
    for (name, value) in which(args)?.0 {
        let value = if name == "ids" { json!(args.ids) } else { json!(value) };
        body.insert(name.to_owned(), value);
    }
    Ok(body)
}

async fn list(client: &Client, args: &ListDeadLetters) -> Outcome {
    let filters = of(&args.of)?;
    let format = args.output.output;
    if args.letters || (args.of.cause.is_some() && !args.groups) {
        let page = client.dead_letters(&filters.0, args.limit).await?;
        return print_page(&page, columns::DEAD_LETTERS, format);
    }
    print_page(&client.dead_letter_groups(&filters.0).await?, columns::CAUSES, format)
}

async fn edit(client: &Client, args: &EditDeadLetter) -> Outcome {
    let data = match (&args.data, &args.file) {
        (Some(data), _) => input::payload(data)?,
        (None, Some(file)) => input::payload_file(file)?,
        (None, None) => return Err(Failure::mistake("--data or --file says the new data")),
    };
    let letter = client.edit_dead_letter(&args.id, &data).await?;
    output::one(&letter, args.output.output, output::dead_letter)
}

async fn redrive(client: &Client, args: &RedriveArgs) -> Outcome {
    let mut body = body(&args.which)?;
    if let Some(to) = &args.to {
        body.insert("to".to_owned(), input::function(to)?);
    }
    body.extend(args.stop_after.map(|count| ("stop_after".to_owned(), json!(count))));
    carry_out(client, Wanted::Redrive, body, &args.how).await
}

async fn purge(client: &Client, args: &PurgeArgs) -> Outcome {
    let mut filters = which(&args.which)?;
    if args.all {
        filters.0.push(("all", "true".to_owned()));
    }
    let is_asked = !args.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if is_asked && !filters.0.is_empty() {
        let mut body = body(&args.which)?;
        body.insert("dry_run".to_owned(), json!(true));
        let counted = client.redrive(&Value::Object(body)).await?;
        if !confirmed(&format!("Purge {} dead letters?", counted["count"]))? {
            return Err(Failure::mistake("nothing was purged"));
        }
    }
    let purged = client.purge_dead_letters(&filters.0).await?;
    output::print(&format!("{}\n", purged["count"]))
}

/// Asks on the terminal; anything but yes is no.
fn confirmed(question: &str) -> Outcome<bool> {
    let unheard = |error| Failure::fault(format!("ask on the terminal: {error}"));
    let mut terminal = anstream::stderr().lock();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).map_err(unheard)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unheard)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

//! `evoke schedules`.

use clap::ValueEnum as _;
use evoke_client::{Client, Switch};
use serde_json::{Map, Value, json};

use super::{Filters, each, print_page};
use crate::args::{BackfillArgs, FireArgs, Format, ListSchedules, SchedulesCommand, UpcomingArgs};
use crate::failure::Outcome;
use crate::input;
use crate::output::{self, columns};

/// Everything that needs a server.
pub(crate) async fn schedules(client: &Client, command: SchedulesCommand) -> Outcome {
    match command {
        SchedulesCommand::List(args) => list(client, &args).await,
        SchedulesCommand::Show(show) => {
            let schedule = client.schedule(&show.id).await?;
            output::one(&schedule, show.output.output, output::whole)
        }
        SchedulesCommand::Trigger(args) => {
            let fired = client.fire_schedule(&args.id, &fire_request(&args)?).await?;
            print_fired(&fired, &args)
        }
        SchedulesCommand::Backfill(args) => backfill(client, &args).await,
        SchedulesCommand::Pause { ids } => switch(client, &ids, Switch::Off).await,
        SchedulesCommand::Resume { ids } => switch(client, &ids, Switch::On).await,
        SchedulesCommand::Upcoming(args) => upcoming(client, &args).await,
        // It is carried out before there is a client.
        SchedulesCommand::Simulate(_) => Ok(()),
    }
}

async fn list(client: &Client, args: &ListSchedules) -> Outcome {
    let status = args.status.and_then(|status| status.to_possible_value());
    let status = status.map(|status| status.get_name().to_owned());
    let filters =
        Filters::default().text("function", args.function.as_ref()).text("status", status.as_ref());
    print_page(&client.schedules(&filters.0).await?, columns::SCHEDULES, args.output.output)
}

/// What a schedule that is fired by hand is given.
pub(super) fn fire_request(args: &FireArgs) -> Outcome<Value> {
    let mut request = Map::new();
    if let Some(given) = &args.input {
        request.insert("input".to_owned(), input::payload_of("--input", given)?);
    }
    Ok(Value::Object(request))
}

/// Prints what was fired: the execution.
pub(super) fn print_fired(fired: &Value, args: &FireArgs) -> Outcome {
    let id = fired["execution_id"].as_str().unwrap_or_default();
    output::one(fired, args.output.output, |_| format!("{id}\n"))
}

async fn switch(client: &Client, ids: &[String], switch: Switch) -> Outcome {
    each(ids, async |id| client.switch_schedule(id, switch).await).await
}

async fn backfill(client: &Client, args: &BackfillArgs) -> Outcome {
    let now = input::now();
    let from = input::time(&args.from, now)?;
    let to = args.to.as_ref().map_or_else(|| Ok(now.to_string()), |to| input::time(to, now))?;
    let request = json!({ "from": from, "to": to, "dry_run": args.dry_run });
    let filled = client.backfill(&args.id, &request).await?;
    output::one(&filled, args.output.output, output::whole)
}

async fn upcoming(client: &Client, args: &UpcomingArgs) -> Outcome {
    let limit = args.limit.to_string();
    let filters = Filters::default().text("limit", Some(&limit)).time("after", args.after.as_ref());
    let page = client.upcoming(&args.id, &filters?.0).await?;
    match args.output.output {
        Format::Table | Format::Id if !page.items.is_empty() => {
            let lines = page.items.iter().filter_map(Value::as_str);
            output::print(&lines.map(|at| format!("{at}\n")).collect::<String>())
        }
        format => output::list(&page.items, &[], format),
    }
}

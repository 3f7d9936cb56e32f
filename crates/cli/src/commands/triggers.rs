//! `evoke triggers`.

use evoke_client::{Client, Switch};
use serde_json::{Map, Value};

use super::schedules::{fire_request, print_fired};
use super::{Filters, each, print_page};
use crate::args::{TestTrigger, TriggersCommand};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn triggers(client: &Client, command: TriggersCommand) -> Outcome {
    match command {
        TriggersCommand::List(args) => {
            let filters = Filters::default()
                .text("type", args.kind.as_ref())
                .text("function", args.function.as_ref());
            let page = client.triggers(&filters.0).await?;
            print_page(&page, columns::TRIGGERS, args.output.output)
        }
        TriggersCommand::Show(show) => {
            let trigger = client.trigger(&show.id).await?;
            output::one(&trigger, show.output.output, output::whole)
        }
        TriggersCommand::Enable { ids } => switch(client, &ids, Switch::On).await,
        TriggersCommand::Disable { ids } => switch(client, &ids, Switch::Off).await,
        TriggersCommand::Test(args) => test(client, &args).await,
        TriggersCommand::Fire(args) => {
            let fired = client.fire_trigger(&args.id, &fire_request(&args)?).await?;
            print_fired(&fired, &args)
        }
    }
}

async fn switch(client: &Client, ids: &[String], switch: Switch) -> Outcome {
    each(ids, async |id| client.switch_trigger(id, switch).await).await
}

async fn test(client: &Client, args: &TestTrigger) -> Outcome {
    let mut event = Map::new();
    if let Some(data) = &args.data {
        event.insert("data".to_owned(), input::payload(data)?);
    }
    if let Some(file) = &args.event {
        event = event_in(file)?;
    }
    let accepted = client.test_trigger(&args.id, &Value::Object(event)).await?;
    let id = accepted["execution_id"].as_str().unwrap_or_default();
    output::one(&accepted, args.output.output, |_| format!("{id}\n"))
}

/// What a test takes of an event in a file. The rest of it the server gives itself.
fn event_in(file: &str) -> Outcome<Map<String, Value>> {
    let Value::Object(mut given) = input::payload_file(file)? else {
        return Err(Failure::mistake(format!("{file} is not an event: expected an object")));
    };
    let taken = ["type", "subject", "data"].into_iter();
    let taken = taken.filter_map(|name| Some((name.to_owned(), given.remove(name)?)));
    let event: Map<String, Value> = taken.collect();
    if event.is_empty() {
        return Err(Failure::mistake(format!(
            "{file} is not an event: it has no type and no data"
        ))
        .hint("a payload alone is given with --data @FILE"));
    }
    Ok(event)
}

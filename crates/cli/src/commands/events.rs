//! `evoke events`.

use evoke_client::Client;
use serde_json::{Map, Value, json};

use super::operations::{Wanted, carry_out};
use super::{Filters, print_page, tail};
use crate::args::{EventsCommand, Format, ListEvents, ReplayArgs, SendEvent, Show, TailEvents};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn events(client: &Client, command: EventsCommand) -> Outcome {
    match command {
        EventsCommand::Send(args) => send(client, &args).await,
        EventsCommand::List(args) => list(client, &args).await,
        EventsCommand::Show(show) => {
            let event = client.event(&show.id).await?;
            output::one(&event, show.output.output, output::whole)
        }
        EventsCommand::Replay(args) => replay(client, &args).await,
        EventsCommand::Tree(show) => tree(client, &show).await,
        EventsCommand::Tail(args) => follow(client, &args).await,
    }
}

async fn send(client: &Client, args: &SendEvent) -> Outcome {
    let event = event(args)?;
    let body = match args.count {
        1 => event,
        count => Value::Array(vec![event; count as usize]),
    };
    let accepted = client.send(&body).await?;
    let ids: Vec<&str> =
        accepted["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if ids.is_empty() {
        return Err(Failure::fault("the server accepted the event and named none"));
    }
    if accepted["duplicates"].as_array().is_some_and(|places| !places.is_empty()) {
        output::say("accepted before under the same id; nothing new was started");
    }
    match args.output.output {
        Format::Table | Format::Id => {
            output::print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>())
        }
        format => output::one(&accepted, format, output::whole),
    }
}

/// The event in the short form; what was not given is left to the server.
fn event(args: &SendEvent) -> Outcome<Value> {
    let mut event = Map::new();
    event.insert("type".to_owned(), json!(args.kind));
    for (name, value) in [
        ("source", &args.source),
        ("subject", &args.subject),
        ("id", &args.id),
        ("ordering_key", &args.ordering_key),
    ] {
        event.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
    }
    if let Some(data) = &args.data {
        event.insert("data".to_owned(), input::payload(data)?);
    }
    Ok(Value::Object(event))
}

async fn list(client: &Client, args: &ListEvents) -> Outcome {
    let filters = Filters::default()
        .text("type", args.kind.as_ref())
        .text("source", args.source.as_ref())
        .text("subject", args.subject.as_ref())
        .time("since", args.since.as_ref())?
        .time("until", args.until.as_ref())?
        .text("tier", args.tier.filter().as_ref());
    let page = client.events(&filters.0, args.limit).await?;
    print_page(&page, columns::EVENTS, args.output.output)
}

async fn follow(client: &Client, args: &TailEvents) -> Outcome {
    let filters = Filters::default().text("type", args.kind.as_ref());
    let line = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let data = match &event["data"] {
            Value::Null => String::new(),
            data => data.to_string(),
        };
        format!("{}  {}  {}  {data}\n", text("time"), text("id"), text("type"))
    };
    tail(client.follow_events(&filters.0), args.output.output, line).await
}

async fn replay(client: &Client, args: &ReplayArgs) -> Outcome {
    let filters = Filters::default()
        .text("type", args.kind.as_ref())
        .text("source", args.source.as_ref())
        .text("subject", args.subject.as_ref())
        .text("filter", args.filter.as_ref())
        .time("since", args.since.as_ref())?
        .time("until", args.until.as_ref())?;
    let mut body: Map<String, Value> =
        filters.0.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    if let Some(to) = &args.to {
        body.insert("to".to_owned(), input::function(to)?);
    }
    if let Some(trigger) = &args.trigger {
        body.insert("to".to_owned(), json!({ "trigger": trigger }));
    }
    carry_out(client, Wanted::Replay, body, &args.how).await
}

async fn tree(client: &Client, show: &Show) -> Outcome {
    let tree = client.tree(&show.id).await?;
    match show.output.output {
        Format::Id => {
            let ids = output::events_of(&tree);
            output::print(&ids.iter().map(|id| format!("{id}\n")).collect::<String>())
        }
        format => output::one(&tree, format, |tree| output::tree(tree, &show.id)),
    }
}

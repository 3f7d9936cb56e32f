//! The commands that talk to a server.

mod audit;
mod db;
mod dlq;
mod events;
mod executions;
mod files;
mod functions;
mod keys;
mod operations;
mod retention;
mod schedules;
mod simulate;
mod triggers;
mod users;

pub(crate) use audit::audit;
pub(crate) use db::db;
pub(crate) use dlq::dlq;
pub(crate) use events::events;
pub(crate) use executions::executions;
pub(crate) use files::files;
pub(crate) use functions::{functions, made};
pub(crate) use keys::{keys, shown_once};
pub(crate) use operations::operations;
pub(crate) use retention::retention;
pub(crate) use schedules::schedules;
pub(crate) use simulate::simulated;
pub(crate) use triggers::triggers;
pub(crate) use users::users;

use evoke_client::{Error, Follow, Message, Page};
use serde_json::Value;

use crate::args::Format;
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, Column};

/// Filters of a list that were given.
#[derive(Default)]
pub(crate) struct Filters(Vec<(&'static str, String)>);

impl Filters {
    fn text(mut self, name: &'static str, value: Option<&String>) -> Self {
        self.0.extend(value.map(|value| (name, value.clone())));
        self
    }

    fn any_of(self, name: &'static str, values: &[String]) -> Self {
        let joined = (!values.is_empty()).then(|| values.join(","));
        self.text(name, joined.as_ref())
    }

    fn time(self, name: &'static str, value: Option<&String>) -> Outcome<Self> {
        let time = value.map(|value| input::time(value, input::now())).transpose()?;
        Ok(self.text(name, time.as_ref()))
    }
}

/// Prints a page and says when there is more.
fn print_page(page: &Page, columns: &[Column], format: Format) -> Outcome {
    output::list(&page.items, columns, format)?;
    if page.next.is_some() && format == Format::Table {
        output::say("there are more: --limit shows them");
    }
    Ok(())
}

/// Does the same with each of these, and prints the id of each with which it was done.
async fn each(ids: &[String], act: impl AsyncFn(&str) -> Result<Value, Error>) -> Outcome {
    for id in ids {
        act(id).await?;
        output::print(&format!("{id}\n"))?;
    }
    Ok(())
}

/// The next message of a stream, and what it says.
async fn heard(follow: &mut Follow) -> Outcome<(Message, Value)> {
    let message = follow.next().await?;
    let body = serde_json::from_str(&message.data)
        .map_err(|error| Failure::fault(format!("the server sent no JSON: {error}")))?;
    Ok((message, body))
}

/// Prints what comes until Ctrl-C, which is the way a tail ends well.
async fn tail(follow: Follow, format: Format, text: impl Fn(&Value) -> String) -> Outcome {
    tokio::select! {
        stopped = tokio::signal::ctrl_c() => {
            stopped.map_err(|error| Failure::fault(format!("wait for Ctrl-C: {error}")))
        }
        ended = print_all(follow, format, text) => ended,
    }
}

async fn print_all(mut follow: Follow, format: Format, text: impl Fn(&Value) -> String) -> Outcome {
    loop {
        let (message, item) = heard(&mut follow).await?;
        if message.name == "missed" {
            output::say(&match item["since"].as_str() {
                Some(since) => format!("what came before {since} may be gone"),
                None => format!("{} were missed: they came too fast", item["missed"]),
            });
            continue;
        }
        output::next(&item, format, &text)?;
    }
}

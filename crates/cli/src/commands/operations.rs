//! `evoke operations`, and what replays and redrives have in common: beginning one, following it.

use std::io::IsTerminal;

use evoke_client::{Class, Client};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{each, heard, print_page};
use crate::args::{Format, OperationArgs, OperationsCommand};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn operations(client: &Client, command: OperationsCommand) -> Outcome {
    match command {
        OperationsCommand::List(args) => {
            let page = client.operations(args.limit).await?;
            print_page(&page, columns::OPERATIONS, args.output.output)
        }
        OperationsCommand::Show(show) => {
            let operation = client.operation(&show.id).await?;
            output::one(&operation, show.output.output, output::whole)
        }
        OperationsCommand::Cancel { ids } => {
            each(&ids, async |id| client.cancel_operation(id).await).await
        }
        OperationsCommand::Follow(show) => follow(client, &show.id, None, show.output.output).await,
    }
}

/// What is to be begun.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Replay,
    Redrive,
}

impl Wanted {
    async fn ask(self, client: &Client, body: &Value) -> Outcome<Value> {
        Ok(match self {
            Self::Replay => client.replay(body).await?,
            Self::Redrive => client.redrive(body).await?,
        })
    }

    /// How many it would take.
    async fn count(self, client: &Client, body: &Map<String, Value>) -> Outcome<Value> {
        let mut body = body.clone();
        body.insert("dry_run".to_owned(), json!(true));
        self.ask(client, &Value::Object(body)).await
    }
}

/// Counts, begins, or begins and follows what is wanted.
pub(super) async fn carry_out(
    client: &Client,
    wanted: Wanted,
    mut body: Map<String, Value>,
    how: &OperationArgs,
) -> Outcome {
    if let Some(rate) = &how.rate {
        body.insert("rate".to_owned(), input::rate(rate)?);
    }
    body.extend(how.limit.map(|limit| ("limit".to_owned(), json!(limit))));
    let format = how.output.output;
    if how.dry_run {
        return output::one(&wanted.count(client, &body).await?, format, counted);
    }
    // Only a bar needs to know where it ends, and nobody else shall wait for the count.
    let total = match how.follow && std::io::stderr().is_terminal() {
        true => total(&wanted.count(client, &body).await?),
        false => None,
    };
    let operation = wanted.ask(client, &Value::Object(body)).await?;
    let id = operation["id"].as_str().unwrap_or_default();
    if how.follow {
        return follow(client, id, total, format).await;
    }
    if format == Format::Table {
        output::say(&format!("it goes on in the background; evoke operations follow {id}"));
    }
    output::one(&operation, format, |_| format!("{id}\n"))
}

fn total(count: &Value) -> Option<u64> {
    count["count"].as_u64().or_else(|| count["events"].as_u64())
}

/// What a dry run found.
fn counted(count: &Value) -> String {
    let executions = count["executions"].as_array().map_or(&[][..], Vec::as_slice);
    let mut scalars = count.clone();
    if let Some(fields) = scalars.as_object_mut() {
        fields.remove("executions");
    }
    let mut text = output::whole(&scalars);
    if !executions.is_empty() {
        text.push('\n');
        text.push_str(&output::table(executions, columns::TRIGGER_COUNTS));
    }
    text
}

/// Shows how far an operation is until it ends. Ctrl-C ends the looking, not the operation.
async fn follow(client: &Client, id: &str, total: Option<u64>, format: Format) -> Outcome {
    let ended = tokio::select! {
        stopped = tokio::signal::ctrl_c() => {
            output::say(&format!("it goes on; evoke operations cancel {id} ends it"));
            return stopped.map_err(|error| Failure::fault(format!("wait for Ctrl-C: {error}")));
        }
        ended = watch(client, id, total) => ended?,
    };
    output::one(&ended, format, |operation| format!("{}\n", line(operation)))?;
    match ended["status"].as_str() {
        Some("done") => Ok(()),
        other => {
            let reason = ended["reason"].as_str().or(other).unwrap_or("it did not come to its end");
            Err(Failure::new(Class::Mistake, format!("{id}: {reason}")))
        }
    }
}

async fn watch(client: &Client, id: &str, total: Option<u64>) -> Outcome<Value> {
    let mut follow = client.follow_operation(id);
    let shown = Shown::new(total);
    loop {
        let (_, operation) = heard(&mut follow).await?;
        if operation["status"] != "running" {
            shown.clear();
            return Ok(operation);
        }
        shown.tell(&operation, total);
    }
}

/// A bar on a terminal, lines elsewhere; on stderr, for it is talk.
enum Shown {
    Bar(ProgressBar),
    Lines,
}

impl Shown {
    fn new(total: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let template = match total {
            Some(_) => "{bar:24} {percent:>3}%  {wide_msg}",
            None => "{spinner}  {wide_msg}",
        };
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        match ProgressStyle::with_template(template) {
            Ok(style) => Self::Bar(bar.with_style(style)),
            Err(_) => Self::Bar(bar),
        }
    }

    fn tell(&self, operation: &Value, total: Option<u64>) {
        match self {
            Self::Lines => output::say(&line(operation)),
            Self::Bar(bar) => {
                bar.set_message(counts(operation, total));
                bar.set_position(operation["progress"]["taken"].as_u64().unwrap_or(0));
            }
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// `redrive done  120 taken  118 succeeded  2 failed`.
fn line(operation: &Value) -> String {
    let text = |name: &str| operation[name].as_str().unwrap_or_default();
    format!("{} {}  {}", text("kind"), text("status"), counts(operation, None))
}

/// `120 of 300 taken  118 succeeded  2 failed`.
fn counts(operation: &Value, total: Option<u64>) -> String {
    let count = |name: &str| operation["progress"][name].as_u64().unwrap_or(0);
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let [taken, succeeded, failed] = ["taken", "succeeded", "failed"].map(count);
    format!("{taken}{of} taken  {succeeded} succeeded  {failed} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        let progress = json!({ "taken": 12, "succeeded": 10, "failed": 2 });
        let operation = json!({ "kind": "replay", "status": "running", "progress": progress });
        assert_eq!(line(&operation), "replay running  12 taken  10 succeeded  2 failed");
        assert_eq!(counts(&operation, Some(40)), "12 of 40 taken  10 succeeded  2 failed");
    }

    #[test]
    fn a_count_has_its_triggers_below() {
        let count = json!({ "seen": 9, "events": 4, "executions": [
            { "trigger_name": "orders", "count": 4 },
        ] });
        let text = anstream::adapter::strip_str(&counted(&count)).to_string();
        assert_eq!(text, "events  4\nseen    9\n\nTRIGGER  EXECUTIONS\norders   4\n");
        assert_eq!(total(&count), Some(4));
        assert_eq!(total(&json!({ "count": 3 })), Some(3));
    }
}

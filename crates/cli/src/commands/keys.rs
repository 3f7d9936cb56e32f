//! `evoke keys`.

use evoke_client::Client;
use serde_json::Value;

use super::{each, print_page};
use crate::args::{Format, KeysCommand};
use crate::failure::Outcome;
use crate::output::{self, columns};

pub(crate) async fn keys(client: &Client, command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::Create(args) => {
            shown_once(&client.create_key(&args.name).await?, args.output.output)
        }
        KeysCommand::List(output) => {
            print_page(&client.keys().await?, columns::KEYS, output.output)
        }
        KeysCommand::Delete { ids } => each(&ids, async |id| client.delete_key(id).await).await,
    }
}

/// Prints a new key: on stdout nothing but the key, so that a script can keep it.
pub(crate) fn shown_once(key: &Value, format: Format) -> Outcome {
    if format != Format::Table {
        return output::one(key, format, output::whole);
    }
    let text = |name: &str| key[name].as_str().unwrap_or_default();
    output::say(&format!("{} ({}): the key is shown this once", text("name"), text("id")));
    output::print(&format!("{}\n", text("key")))
}

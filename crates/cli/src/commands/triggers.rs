//! `evoke triggers`.

use evoke_client::{Client, Switch};

use super::{Filters, print_page};
use crate::args::TriggersCommand;
use crate::failure::Outcome;
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
    }
}

async fn switch(client: &Client, ids: &[String], switch: Switch) -> Outcome {
    for id in ids {
        client.switch_trigger(id, switch).await?;
        output::print(&format!("{id}\n"))?;
    }
    Ok(())
}

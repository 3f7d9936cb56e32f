//! `evoke audit`.

use evoke_client::Client;

use super::{Filters, print_page};
use crate::args::AuditCommand;
use crate::failure::Outcome;
use crate::output::columns;

pub(crate) async fn audit(client: &Client, command: AuditCommand) -> Outcome {
    let AuditCommand::List(args) = command;
    let filters = Filters::default()
        .text("action", args.action.as_ref())
        .text("subject", args.subject.as_ref());
    let page = client.audit(&filters.0, args.limit).await?;
    print_page(&page, columns::AUDIT, args.output.output)
}

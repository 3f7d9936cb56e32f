//! `evoke retention`.

use evoke_client::Client;

use crate::args::RetentionCommand;
use crate::failure::Outcome;
use crate::output;

pub(crate) async fn retention(client: &Client, command: RetentionCommand) -> Outcome {
    let (found, format) = match command {
        RetentionCommand::Show(output) => (client.retention().await?, output.output),
        RetentionCommand::Run(output) => (client.run_retention().await?, output.output),
    };
    output::one(&found, format, output::whole)
}

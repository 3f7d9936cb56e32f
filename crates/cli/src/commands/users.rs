//! `evoke users`.

use std::io::BufRead;

use evoke_client::Client;
use serde_json::{Map, Value, json};

use super::{Filters, each, print_page};
use crate::args::{CreateUser, Format, ListUsers, UsersCommand};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn users(client: &Client, command: UsersCommand) -> Outcome {
    match command {
        UsersCommand::List(args) => list(client, &args).await,
        UsersCommand::Show(show) => {
            let id = id_of(client, &show.id).await?;
            output::one(&client.user(&id).await?, show.output.output, output::whole)
        }
        UsersCommand::Create(args) => {
            let user = client.create_user(&wanted(&args)?).await?;
            made(&user, args.output.output)
        }
        UsersCommand::Roles(args) => {
            let id = id_of(client, &args.id).await?;
            let change = json!({ "roles": args.roles });
            let user = client.change_user(&id, &change).await?;
            output::one(&user, args.output.output, output::whole)
        }
        UsersCommand::Logout { ids } => {
            each(&ids, async |id| {
                let id = found(client, id).await?;
                client.end_sessions_of(&id).await
            })
            .await
        }
        UsersCommand::Delete { ids } => {
            each(&ids, async |id| {
                let id = found(client, id).await?;
                client.delete_user(&id).await
            })
            .await
        }
    }
}

async fn list(client: &Client, args: &ListUsers) -> Outcome {
    let filters =
        Filters::default().text("role", args.role.as_ref()).text("email", args.email.as_ref());
    let page = client.users(&filters.0, args.limit).await?;
    print_page(&page, columns::USERS, args.output.output)
}

async fn id_of(client: &Client, given: &str) -> Outcome<String> {
    Ok(found(client, given).await?)
}

/// The id of a user: as it was given, or looked up by the address. An address nobody has is asked
/// for as if it were an id, which the server refuses in its own words.
async fn found(client: &Client, given: &str) -> Result<String, evoke_client::Error> {
    if !given.contains('@') {
        return Ok(given.to_owned());
    }
    let page = client.users(&[("email", given.to_owned())], 1).await?;
    let id = page.items.first().and_then(|user| user["id"].as_str());
    Ok(id.unwrap_or(given).to_owned())
}

fn wanted(args: &CreateUser) -> Outcome<Value> {
    let mut user = Map::new();
    user.insert("email".to_owned(), args.email.as_str().into());
    user.insert("roles".to_owned(), json!(args.roles));
    user.insert("email_verified".to_owned(), args.verified.into());
    if args.password_stdin {
        user.insert("password".to_owned(), password()?.into());
    }
    if let Some(data) = &args.data {
        user.insert("data".to_owned(), input::payload_of("--data", data)?);
    }
    Ok(Value::Object(user))
}

/// The first line of the standard input.
fn password() -> Outcome<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::fault(format!("the password cannot be read: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn made(user: &Value, format: Format) -> Outcome {
    output::one(user, format, |user| format!("{}\n", user["id"].as_str().unwrap_or_default()))
}

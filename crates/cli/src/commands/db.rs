//! `evoke db`.

use evoke_client::{Client, Put};
use serde_json::{Value, json};

use super::{each, print_page, tail};
use crate::args::{
    CreateDocuments, DbCommand, DeleteDocuments, Format, ListDocuments, QueryDocuments,
    UpdateDocuments, Where,
};
use crate::failure::{Failure, Outcome};
use crate::input;
use crate::output::{self, columns};

pub(crate) async fn db(client: &Client, command: DbCommand) -> Outcome {
    match command {
        DbCommand::Collections(output) => {
            print_page(&client.collections().await?, columns::COLLECTIONS, output.output)
        }
        DbCommand::List(args) => list(client, &args).await,
        DbCommand::Get(args) => {
            let document = client.document(&args.collection, &args.id).await?;
            output::one(&document, args.output.output, output::whole)
        }
        DbCommand::Create(args) => create(client, &args).await,
        DbCommand::Update(args) => update(client, &args).await,
        DbCommand::Delete(args) => delete(client, &args).await,
        DbCommand::Query(args) => query(client, &args).await,
        DbCommand::Count(args) => {
            let query = json!({ "where": conditions(&args.which)? });
            let counted = client.count_documents(&args.collection, &query).await?;
            output::print(&format!("{}\n", counted["count"]))
        }
        DbCommand::Changes(args) => {
            tail(client.follow_documents(&args.collection), args.output.output, change).await
        }
    }
}

/// `age >= 18` as the API takes it: `["age", ">=", 18]`.
fn condition(given: &str) -> Outcome<Value> {
    let mut words = given.trim().splitn(2, char::is_whitespace);
    let field = words.next().unwrap_or_default();
    let mut rest = words.next().unwrap_or_default().trim().splitn(2, char::is_whitespace);
    let (op, value) = (rest.next().unwrap_or_default(), rest.next().unwrap_or_default().trim());
    if field.is_empty() || op.is_empty() || value.is_empty() {
        let failure = Failure::mistake(format!("{given:?} is not a condition"));
        return Err(failure.hint("write a field, an operator and a value: --where 'age >= 18'"));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    Ok(json!([field, op, value]))
}

fn conditions(which: &Where) -> Outcome<Vec<Value>> {
    which.conditions.iter().map(|given| condition(given)).collect()
}

async fn list(client: &Client, args: &ListDocuments) -> Outcome {
    let query = json!({ "where": conditions(&args.which)?, "order_by": args.order_by });
    let page = client.documents(&args.collection, &query, args.limit).await?;
    print_page(&page, columns::DOCUMENTS, args.output.output)
}

async fn create(client: &Client, args: &CreateDocuments) -> Outcome {
    let data = input::payload(&args.data)?;
    let made = client.create_documents(&args.collection, &data).await?;
    match (made["data"].as_array(), args.output.output) {
        (Some(list), Format::Table | Format::Id) if data.is_array() => {
            output::list(list, columns::DOCUMENTS, Format::Id)
        }
        (Some(list), format) if data.is_array() => output::list(list, columns::DOCUMENTS, format),
        (_, Format::Table) => output::one(&made, Format::Id, output::whole),
        (_, format) => output::one(&made, format, output::whole),
    }
}

async fn update(client: &Client, args: &UpdateDocuments) -> Outcome {
    let data = input::payload(&args.data)?;
    let UpdateDocuments { collection, id, which, replace, upsert, if_match, output, .. } = args;
    let Some(id) = id else {
        let change = json!({ "where": conditions(which)?, "set": data });
        let tally = client.update_documents(collection, &change).await?;
        return match output.output {
            Format::Table => output::print(&format!("{} changed\n", tally["changed"])),
            format => output::one(&tally, format, output::whole),
        };
    };
    let put = match (replace, upsert) {
        (false, _) => Put::Merge,
        (true, false) => Put::Replace,
        (true, true) => Put::Upsert,
    };
    let revision = if_match.as_deref();
    let document = client.put_document((collection, id), put, revision, &data).await?;
    output::one(&document, output.output, output::whole)
}

async fn delete(client: &Client, args: &DeleteDocuments) -> Outcome {
    let DeleteDocuments { collection, ids, which } = args;
    if ids.is_empty() {
        let tally = client.delete_documents(collection, &json!(conditions(which)?)).await?;
        return output::print(&format!("{} deleted\n", tally["changed"]));
    }
    each(ids, async |id| client.delete_document(collection, id).await).await
}

async fn query(client: &Client, args: &QueryDocuments) -> Outcome {
    let query = input::payload_of("the query", &args.query)?;
    if args.explain {
        let plan = client.explain_query(&args.collection, &query).await?;
        return output::one(&plan, args.output.output, |plan| {
            let steps = plan["plan"].as_array().into_iter().flatten().filter_map(Value::as_str);
            steps.map(|step| format!("{step}\n")).collect()
        });
    }
    let page = client.query_documents(&args.collection, &query).await?;
    print_page(&page, columns::DOCUMENTS, args.output.output)
}

/// A change in one line.
fn change(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().unwrap_or_default();
    let fields = change["changed_fields"].as_array().into_iter().flatten();
    let fields: Vec<&str> = fields.filter_map(Value::as_str).collect();
    format!("{}  {:6}  {}  {}\n", text("time"), text("action"), text("id"), fields.join(", "))
}

//! `evoke files`.

use std::os::fd::AsFd as _;
use std::path::Path;

use evoke_client::{Body, Client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{each, print_page};
use crate::args::{
    FilesCommand, Format, GetFile, LinkFor, ListFiles, PutBucket, PutFile, SignFile,
};
use crate::failure::{Failure, Outcome};
use crate::output::{self, columns};

/// Everything that needs a server.
pub(crate) async fn files(client: &Client, command: FilesCommand) -> Outcome {
    match command {
        FilesCommand::Buckets(output) => {
            let mut page = client.buckets().await?;
            page.items.iter_mut().for_each(|bucket| named(bucket, output.output));
            print_page(&page, columns::BUCKETS, output.output)
        }
        FilesCommand::Bucket(args) => put_bucket(client, args).await,
        FilesCommand::DeleteBucket { buckets } => {
            each(&buckets, async |bucket| client.delete_bucket(bucket).await).await
        }
        FilesCommand::List(args) => list(client, &args).await,
        FilesCommand::Put(args) => put(client, args).await,
        FilesCommand::Get(args) => get(client, &args).await,
        FilesCommand::Delete { files } => {
            for file in &files {
                client.delete_file(file_at(file)?).await?;
                output::print(&format!("{file}\n"))?;
            }
            Ok(())
        }
        FilesCommand::Sign(args) => sign(client, &args).await,
    }
}

/// What is known by its name has no other id.
fn named(item: &mut Value, format: Format) {
    if format == Format::Id {
        item["id"] = item["name"].clone();
    }
}

async fn put_bucket(client: &Client, args: PutBucket) -> Outcome {
    let mut settings = json!({ "public": args.public, "allowed_types": args.types });
    if let Some(bytes) = args.max_bytes {
        settings["max_file_bytes"] = bytes.into();
    }
    let bucket = client.put_bucket(&args.name, &settings).await?;
    output::one(&bucket, args.output.output, name_of)
}

fn name_of(item: &Value) -> String {
    format!("{}\n", item["name"].as_str().unwrap_or_default())
}

async fn list(client: &Client, args: &ListFiles) -> Outcome {
    let (bucket, prefix) = args.place.split_once('/').unwrap_or((&args.place, ""));
    let mut query = vec![("prefix", prefix.to_owned()), ("limit", args.limit.to_string())];
    if args.folders {
        query.push(("delimiter", "/".to_owned()));
    }
    let mut listing = client.files(bucket, &query).await?;
    let folder = |name: &Value| json!({ "name": name, "is_folder": true });
    let prefixes = listing["prefixes"].as_array().cloned().unwrap_or_default();
    let mut items: Vec<Value> = prefixes.iter().map(folder).collect();
    if let Value::Array(files) = listing["data"].take() {
        items.extend(files);
    }
    let format = args.output.output;
    items.iter_mut().for_each(|item| named(item, format));
    output::list(&items, columns::FILES, format)?;
    if listing["next_cursor"].is_string() && format == Format::Table {
        output::say("there are more: a longer prefix, or --folders, shows them");
    }
    Ok(())
}

async fn put(client: &Client, args: PutFile) -> Outcome {
    let is_stdin = args.file == Path::new("-");
    let (bucket, name) = args.place.split_once('/').unwrap_or((&args.place, ""));
    let mut name = name.to_owned();
    if name.is_empty() || name.ends_with('/') {
        let own = args.file.file_name().filter(|_| !is_stdin).and_then(|name| name.to_str());
        let own = own.ok_or_else(|| Failure::mistake("say under which name: BUCKET/NAME"))?;
        name.push_str(own);
    }
    let unreadable = |error| Failure::mistake(format!("read {}: {error}", args.file.display()));
    let file = if is_stdin {
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?;
        tokio::fs::File::from_std(stdin.into())
    } else {
        tokio::fs::File::open(&args.file).await.map_err(unreadable)?
    };
    let content_type = args.content_type.as_deref();
    let file = client.put_file((bucket, &name), content_type, Body::from(file)).await?;
    output::one(&file, args.output.output, |file| format!("{bucket}/{}", name_of(file)))
}

async fn get(client: &Client, args: &GetFile) -> Outcome {
    let mut file = client.file(file_at(&args.place)?).await?;
    let Some(to) = &args.to else {
        while let Some(piece) = file.next().await? {
            output::print_bytes(&piece)?;
        }
        return Ok(());
    };
    // It is called by its name once it is whole.
    let mut unfinished = to.clone().into_os_string();
    unfinished.push(".part");
    let failed = |error| Failure::mistake(format!("write {}: {error}", to.display()));
    let mut out = tokio::fs::File::create(&unfinished).await.map_err(failed)?;
    while let Some(piece) = file.next().await? {
        out.write_all(&piece).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)?;
    tokio::fs::rename(&unfinished, to).await.map_err(failed)
}

async fn sign(client: &Client, args: &SignFile) -> Outcome {
    let (bucket, name) = file_at(&args.place)?;
    let method = match args.method {
        LinkFor::Get => "GET",
        LinkFor::Put => "PUT",
    };
    let request = json!({ "name": name, "method": method, "expires_in": args.expires });
    let link = client.sign_link(bucket, &request).await?;
    output::one(&link, args.output.output, |link| {
        format!("{}\n", link["url"].as_str().unwrap_or_default())
    })
}

/// Bucket and name of a file.
fn file_at(place: &str) -> Outcome<(&str, &str)> {
    let parts =
        place.split_once('/').filter(|(bucket, name)| !bucket.is_empty() && !name.is_empty());
    parts.ok_or_else(|| Failure::mistake(format!("{place:?} is no file: expected BUCKET/NAME")))
}

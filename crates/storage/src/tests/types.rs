//! Media types, whichever way they come.

use evoke_model::{Code, Rejection};
use evoke_ports::Origin;
use serde_json::json;

use super::World;
use super::world::{new, part, put};
use crate::{Conditions, Description, File, NewFile, Place, Storage};

#[tokio::test]
async fn a_type_is_spelled_in_one_way_whichever_way_it_comes() {
    let world = World::new().await;
    let storage = &world.storage;
    let file = |name: &str, content_type: &str| NewFile {
        content_type: Some(content_type.to_owned()),
        ..new(name)
    };
    let written = put(storage, file("a", "IMAGE/png"), "x").await.unwrap();
    assert_eq!(written.file.content_type.as_ref(), "image/png");
    let upload = storage.begin_upload(file("b", "image/PNG ;x=y")).await.unwrap();
    assert_eq!(upload.content_type.as_ref(), "image/png; x=y");
    part(storage, &upload.id, 1, "x").await.unwrap();
    world.complete(&upload.id).await.unwrap();
    let place = Place { bucket: "b".to_owned(), name: "a".to_owned() };
    let described = describe(storage, retyped("Image/GIF;")).await.unwrap();
    assert_eq!(described.content_type.as_ref(), "image/gif");
    storage.delete(&place, &Conditions::default(), &Origin::default()).await.unwrap();
    let told = world.journal.told.lock();
    let types: Vec<_> = told.iter().map(|data| &data["file"]["content_type"]).collect();
    let gif = &json!("image/gif");
    assert_eq!(types, [&json!("image/png"), &json!("image/png; x=y"), gif, gif]);
}

/// Changes what is known of the file `a`.
async fn describe(storage: &Storage, description: Description) -> Result<File, Rejection> {
    let place = Place { bucket: "b".to_owned(), name: "a".to_owned() };
    let change = |_: &File| Ok(description.clone());
    storage.describe(&place, &Conditions::default(), &Origin::default(), change).await
}

fn retyped(content_type: &str) -> Description {
    Description { content_type: Some(content_type.to_owned()), metadata: None }
}

#[tokio::test]
async fn a_hook_that_refuses_a_type_refuses_it_of_a_file_that_is_there() {
    let world = World::new().await;
    world.put("a", "x").await.unwrap();
    world.hook(|news| match news.data["file"]["content_type"].as_str() {
        Some("text/html") => Err(Rejection::new(Code::HookRejected, "no pages")),
        _ => Ok(()),
    });
    let taken = describe(&world.storage, retyped("TEXT/html ;a=b")).await.unwrap();
    assert_eq!(taken.content_type.as_ref(), "text/html; a=b", "what this hook does not know");
    let refused = describe(&world.storage, retyped("text/HTML")).await.unwrap_err();
    assert_eq!(refused.code, Code::HookRejected);
    world.hook(|_| Err(Rejection::new(Code::HookRejected, "nothing at all")));
    let metadata = Some([("k".to_owned(), "v".to_owned())].into());
    let same = Some("text/html; a=b".to_owned());
    describe(&world.storage, Description { content_type: same, metadata }).await.unwrap();
    assert_eq!(world.journal.told.lock().len(), 2, "the upload and the other type");
}

#[tokio::test]
async fn changes_of_one_file_at_once_are_all_made() {
    let world = World::new().await;
    world.put("a", "x").await.unwrap();
    let add = |entry: &'static str| {
        let storage = world.storage.clone();
        async move {
            let place = Place { bucket: "b".to_owned(), name: "a".to_owned() };
            let change = |file: &File| {
                let mut metadata = file.metadata.clone();
                metadata.insert(entry.to_owned(), String::new());
                Ok(Description { content_type: None, metadata: Some(metadata) })
            };
            let (conditions, origin) = (Conditions::default(), Origin::default());
            storage.describe(&place, &conditions, &origin, change).await.unwrap()
        }
    };
    // All of them look at the file before one is written.
    tokio::join!(add("first"), add("second"), add("third"));
    let there = world.storage.file("b", "a").await.unwrap();
    assert_eq!(there.metadata.keys().collect::<Vec<_>>(), ["first", "second", "third"]);
}

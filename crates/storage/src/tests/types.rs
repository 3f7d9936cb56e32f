//! Media types, whichever way they come.

use evoke_ports::Origin;
use serde_json::json;

use super::World;
use super::world::{new, part, put};
use crate::{Conditions, Description, NewFile, Place};

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
    let description =
        Description { content_type: Some("Image/GIF;".to_owned()), metadata: None };
    let described = storage.describe(&place, &description, &Conditions::default()).await.unwrap();
    assert_eq!(described.content_type.as_ref(), "image/gif");
    storage.delete(&place, &Conditions::default(), &Origin::default()).await.unwrap();
    let told = world.journal.told.lock();
    let types: Vec<_> = told.iter().map(|data| &data["file"]["content_type"]).collect();
    assert_eq!(types, [&json!("image/png"), &json!("image/png; x=y"), &json!("image/gif")]);
}

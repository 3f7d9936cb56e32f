//! Files that are written and removed, several at once and by several at once.

use evoke_model::{Code, Rejection};
use evoke_ports::Origin;

use super::World;
use super::world::{bytes, new};
use crate::{Conditions, ListQuery, Place};

async fn names(world: &World) -> Vec<String> {
    let query = ListQuery { limit: 100, ..ListQuery::default() };
    let listing = world.storage.list("b", &query).await.unwrap();
    listing.files.iter().map(|file| file.name.to_string()).collect()
}

#[tokio::test]
async fn what_hooks_agreed_to_is_deleted_even_if_a_later_file_is_kept() {
    let mut world = World::new().await;
    for name in ["a", "b", "c", "d"] {
        world.put(name, "x").await.unwrap();
    }
    world.hook(|news| match news.subject.as_deref() {
        Some("c") => Err(Rejection::new(Code::HookRejected, "kept")),
        _ => Ok(()),
    });
    let kept = world.storage.delete_all("b", "", &Origin::default()).await.unwrap_err();
    assert_eq!(kept.code, Code::HookRejected);
    assert_eq!(names(&world).await, ["c", "d"]);
    let deleted = |data: &&serde_json::Value| data["action"] == "delete";
    assert_eq!(world.journal.told.lock().iter().filter(deleted).count(), 2);
    world.tidy().await;
    assert_eq!(world.blobs().await, 2);
}

#[tokio::test]
async fn a_list_has_only_what_has_its_prefix_whatever_its_cursor_is() {
    let world = World::new().await;
    for name in ["a/1", "a/2", "b/1", "c/1"] {
        world.put(name, "x").await.unwrap();
    }
    let list = async |prefix: &str, cursor: Option<String>| {
        let query = ListQuery { prefix: prefix.to_owned(), limit: 1, cursor, delimiter: None };
        let listing = world.storage.list("b", &query).await.unwrap();
        let names = listing.files.into_iter().map(|file| file.name.to_string());
        (names.collect::<Vec<_>>(), listing.next)
    };
    let (_, second) = list("", None).await;
    assert_eq!(list("b/", second.clone()).await, (vec!["b/1".to_owned()], None));
    assert_eq!(list("a/", second).await.0, ["a/2"]);
}

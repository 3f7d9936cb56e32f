//! Files that are written and removed, several at once and by several at once.

use evoke_model::{Code, Rejection};
use evoke_ports::Origin;

use super::World;
use super::world::{bytes, new, put};
use crate::{Conditions, ListQuery, NewFile, Place, Tags};

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

#[tokio::test]
async fn two_who_write_one_file_at_once_both_do_and_nothing_is_left_of_the_first() {
    let mut world = World::new().await;
    let (first, second) = tokio::join!(world.put("a", "first"), world.put("a", "second"));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.is_new, second.is_new);
    let last = if first.is_new { "second" } else { "first" };
    assert_eq!(world.get("a").await.unwrap(), last);
    assert_eq!(world.journal.told.lock().len(), 2);
    world.tidy().await;
    assert_eq!(world.blobs().await, 1);

    let only_new = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
    let file = || NewFile { conditions: only_new.clone(), ..new("b") };
    let storage = &world.storage;
    let (first, second) =
        tokio::join!(put(storage, file(), "first"), put(storage, file(), "second"));
    let (there, refused) = if first.is_ok() { (first, second) } else { (second, first) };
    assert!(there.unwrap().is_new);
    assert_eq!(refused.unwrap_err().code, Code::FileChanged);
    world.tidy().await;
    assert_eq!(world.blobs().await, 2);
}

#[tokio::test]
async fn a_file_or_its_bucket_may_be_deleted_while_bytes_come() {
    let mut world = World::new().await;
    world.put("a", "before").await.unwrap();
    let mut batch = world.storage.batch();
    batch.add(new("a"), bytes("after")).await.unwrap();
    let delete = async || {
        let place = Place { bucket: "b".to_owned(), name: "a".to_owned() };
        world.storage.delete(&place, &Conditions::default(), &Origin::default()).await.unwrap();
    };
    delete().await;
    assert!(batch.publish(&Origin::default()).await.unwrap()[0].is_new);
    assert_eq!(world.get("a").await.unwrap(), "after");
    delete().await;
    let mut batch = world.storage.batch();
    batch.add(new("a"), bytes("late")).await.unwrap();
    world.storage.delete_bucket("b").await.unwrap();
    let gone = batch.publish(&Origin::default()).await.unwrap_err();
    assert_eq!(gone.code, Code::BucketNotFound);
    world.tidy().await;
    assert_eq!(world.blobs().await, 0);
}

#[tokio::test]
async fn what_is_not_published_leaves_nothing_behind() {
    let mut world = World::new().await;
    let cut = || Rejection::new(Code::InvalidRequest, "cut off");
    let pieces = futures_util::stream::iter([Ok("half".into()), Err(cut())]);
    let mut batch = world.storage.batch();
    batch.add(new("whole"), bytes("x")).await.unwrap();
    assert_eq!(batch.add(new("half"), pieces).await.unwrap_err(), cut());
    assert_eq!(world.blobs().await, 2);
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 0, "they are held");
    drop(batch);
    world.tidy().await;
    assert_eq!(world.blobs().await, 0);
    assert!(world.storage.inner.held.lock().is_empty());
}

#[tokio::test]
async fn a_copy_is_of_the_file_as_it_is_when_the_copy_is_there() {
    let mut world = World::new().await;
    world.put("a", "before").await.unwrap();
    let storage = world.storage.clone();
    // Behind the look at the file, before that at its copy.
    world.documents.after(1, async move {
        put(&storage, new("a"), "after").await.unwrap();
    });
    let place = |name: &str| Place { bucket: "b".to_owned(), name: name.to_owned() };
    let (conditions, origin) = (Conditions::default(), Origin::default());
    let copied = world.storage.copy(&place("a"), &place("copy"), &conditions, &origin).await;
    assert!(copied.unwrap().is_new);
    assert_eq!(world.get("copy").await.unwrap(), "after");
    world.storage.delete(&place("a"), &conditions, &origin).await.unwrap();
    world.tidy().await;
    assert_eq!(world.get("copy").await.unwrap(), "after", "it has the bytes still");
    assert_eq!(world.blobs().await, 1);
}

//! Readers of files that are replaced or removed meanwhile.

use evoke_model::Code;
use evoke_ports::Origin;

use super::World;
use super::world::{complete, text};
use crate::{Conditions, Place};

#[tokio::test]
async fn who_reads_a_file_of_several_parts_reads_it_to_its_end() {
    let mut world = World::new().await;
    let id = world.begin("a", &["one ", "two ", "three"]).await;
    world.complete(&id).await.unwrap();
    let (_, first) = world.read("a").await.unwrap();
    let (_, second) = world.read("a").await.unwrap();
    let (_, left) = world.read("a").await.unwrap();
    drop(left);
    world.put("a", "another").await.unwrap();
    world.tidy().await;
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 0);
    assert_eq!(text(first).await.unwrap(), "one two three");
    world.tidy().await;
    assert_eq!(text(second).await.unwrap(), "one two three");
    assert_eq!(world.get("a").await.unwrap(), "another");
    world.tidy().await;
    assert_eq!(world.blobs().await, 1, "the last reader is done");
}

#[tokio::test]
async fn who_comes_while_a_file_is_replaced_or_removed_reads_what_is_there_then() {
    let world = World::new().await;
    let id = world.begin("a", &["one ", "two"]).await;
    world.complete(&id).await.unwrap();
    let next = world.begin("a", &["three ", "four"]).await;
    let storage = world.storage.clone();
    // Behind the first look at the file.
    world.documents.after(1, async move {
        complete(&storage, &next).await.unwrap();
    });
    let (file, pieces) = world.read("a").await.unwrap();
    assert_eq!(text(pieces).await.unwrap(), "three four");
    assert_eq!(file.size(), 10);
    let storage = world.storage.clone();
    world.documents.after(1, async move {
        let place = Place { bucket: "b".to_owned(), name: "a".to_owned() };
        storage.delete(&place, &Conditions::default(), &Origin::default()).await.unwrap();
    });
    assert_eq!(world.read("a").await.err().map(|gone| gone.code), Some(Code::FileNotFound));
}

//! What nobody names goes, and nothing else, whatever is done meanwhile.

use super::World;
use super::world::{complete, part};
use crate::janitor::{TRASH_MAX, Trash};

#[tokio::test]
async fn what_is_named_or_on_its_way_stays_and_the_rest_goes() {
    let mut world = World::new().await;
    world.put("a", "whole").await.unwrap();
    let done = world.begin("c", &["one ", "two"]).await;
    world.complete(&done).await.unwrap();
    let open = world.begin("d", &["three ", "old"]).await;
    part(&world.storage, &open, 2, "four").await.unwrap();
    let mut batch = world.storage.batch();
    batch.add(super::world::new("e"), super::world::bytes("five")).await.unwrap();
    assert_eq!(world.blobs().await, 7);
    let inner = &world.storage.inner;
    let stray = crate::blobs::ContentKey::random().unwrap();
    for part in 0..2 {
        inner.blobs.create(stray.part(part)).await.unwrap().finish().await.unwrap();
    }
    assert_eq!(inner.sweep().await.unwrap(), 3, "the strays and the part that was replaced");
    assert_eq!(world.blobs().await, 6);
    batch.publish(&evoke_ports::Origin::default()).await.unwrap();
    world.complete(&open).await.unwrap();
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 0);
    for (name, text) in [("a", "whole"), ("c", "one two"), ("d", "three four"), ("e", "five")] {
        assert_eq!(world.get(name).await.unwrap(), text);
    }
    world.tidy().await;
    assert_eq!(world.blobs().await, 6);
}

#[tokio::test]
async fn an_upload_may_be_completed_at_any_moment_of_a_sweep() {
    for others in 0.. {
        let world = World::new().await;
        let id = world.begin("a", &["one ", "two"]).await;
        let storage = world.storage.clone();
        world.documents.after(others, async move {
            complete(&storage, &id).await.unwrap();
        });
        assert_eq!(world.storage.inner.sweep().await.unwrap(), 0, "after {others} questions");
        if !world.documents.is_done() {
            assert!(others > 4, "a sweep asks about more than uploads that are over");
            return;
        }
        assert_eq!(world.get("a").await.unwrap(), "one two", "after {others} questions");
    }
}

#[tokio::test]
async fn a_change_does_not_wait_for_what_it_leaves_behind_to_go() {
    let mut world = World::new().await;
    world.put("a", "first").await.unwrap();
    let content = crate::blobs::ContentKey::random().unwrap();
    for part in 0..=u32::try_from(TRASH_MAX).unwrap() {
        world.storage.inner.discard(Trash::Blob(content.part(part)));
    }
    world.put("a", "second").await.unwrap();
    assert_eq!(world.get("a").await.unwrap(), "second");
    world.tidy().await;
    assert_eq!(world.blobs().await, 2, "there was no room for it");
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 1);
    assert_eq!(world.get("a").await.unwrap(), "second");
}

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

//! Buckets are here as they are in the store, whoever leaves and whoever comes between.

use evoke_model::Code;
use evoke_ports::Journal as _;
use evoke_ports::store::{DocumentChange, Effect, Expect};

use super::World;
use super::world::new;
use crate::records::BUCKETS;
use crate::{Conditions, NewFile, Settings, Tags};

fn public() -> Settings {
    Settings { public: true, ..Settings::default() }
}

#[tokio::test]
async fn a_caller_that_leaves_leaves_no_bucket_that_is_only_half_there() {
    let world = World::new().await;
    let (written, go_on) = world.pause();
    let storage = world.storage.clone();
    let caller = tokio::spawn(async move { storage.put_bucket("c", public()).await });
    written.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    let (bucket, is_new) = world.storage.put_bucket("c", public()).await.unwrap();
    assert!(bucket.settings.public && !is_new);

    let (written, go_on) = world.pause();
    let storage = world.storage.clone();
    let caller = tokio::spawn(async move { storage.delete_bucket("c").await });
    written.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    let (_, is_new) = world.storage.put_bucket("c", public()).await.unwrap();
    assert!(is_new);
}

#[tokio::test]
async fn a_bucket_that_is_not_what_it_is_taken_for_is_read_again() {
    let world = World::new().await;
    let removed = DocumentChange {
        collection: BUCKETS.into(),
        id: "b".into(),
        expect: Expect::Anything,
        effect: Effect::Remove,
    };
    world.journal.commit(vec![removed], Vec::new()).await.unwrap();
    let refused = world.storage.put_bucket("b", public()).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadConflict);
    assert_eq!(world.storage.bucket("b").unwrap_err().code, Code::BucketNotFound);
    assert!(world.storage.put_bucket("b", public()).await.unwrap().1);
}

#[tokio::test]
async fn uploads_to_a_bucket_that_is_gone_do_not_come_alive_in_another_one() {
    let mut world = World::new().await;
    let id = world.begin("a", &["x"]).await;
    // The bucket goes, and the upload cannot be removed.
    *world.journal.failure.lock() = Some(1);
    let refused = world.storage.delete_bucket("b").await.unwrap_err();
    assert_eq!(refused.code, Code::StoreUnavailable);
    assert!(world.storage.put_bucket("b", public()).await.unwrap().1);
    let gone = world.storage.find_upload("b", &id).await.unwrap_err();
    assert_eq!(gone.code, Code::UploadNotFound);
    world.tidy().await;
    assert_eq!(world.blobs().await, 0);

    // It goes between the look at it and the commit.
    let storage = world.storage.clone();
    world.documents.after(0, async move {
        storage.delete_bucket("b").await.unwrap();
        storage.put_bucket("b", Settings::default()).await.unwrap();
    });
    let conditions = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
    let file = NewFile { conditions, ..new("a") };
    let late = world.storage.begin_upload(file).await.unwrap_err();
    assert_eq!(late.code, Code::UploadConflict);
}

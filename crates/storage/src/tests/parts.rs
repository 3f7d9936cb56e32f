//! Uploads in parts: what they may have, and who completes them.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::Document;
use evoke_model::Code;
use evoke_ports::Journal as _;
use evoke_ports::store::{DocumentChange, Effect, Expect};
use serde_json::json;

use super::World;
use super::world::{new, part};
use crate::records::UPLOADS;
use crate::{Checksums, NewFile, Settings};

#[tokio::test]
async fn parts_are_together_no_more_than_the_file_may_be() {
    let mut world = World::new().await;
    let settings = Settings { max_file_bytes: 8, ..Settings::default() };
    world.storage.put_bucket("b", settings).await.unwrap();
    let checksums = Checksums { size: Some(6), ..Checksums::default() };
    let said = world.storage.begin_upload(NewFile { checksums, ..new("a") }).await.unwrap();
    let unsaid = world.storage.begin_upload(new("a")).await.unwrap();
    for (upload, fits, too_much) in [(said, "6", "67"), (unsaid, "678", "6789")] {
        let before = world.blobs().await;
        part(&world.storage, &upload.id, 1, "xyz").await.unwrap();
        part(&world.storage, &upload.id, 1, "12345").await.unwrap();
        let refused = part(&world.storage, &upload.id, 2, too_much).await.unwrap_err();
        assert_eq!(refused.code, Code::FileTooLarge, "{too_much}");
        part(&world.storage, &upload.id, 2, fits).await.unwrap();
        world.tidy().await;
        assert_eq!(world.blobs().await, before + 2, "what was replaced or refused is gone");
        world.complete(&upload.id).await.unwrap();
        world.tidy().await;
    }
    assert_eq!(world.get("a").await.unwrap(), "12345678");
}

#[tokio::test]
async fn no_more_uploads_are_open_than_a_bucket_may_have() {
    let world = World::new().await;
    let now = world.journal.now();
    let upload = |n: u32| DocumentChange {
        collection: UPLOADS.into(),
        id: format!("upl_{n}").into(),
        expect: Expect::Absent,
        effect: Effect::Put(Arc::new(Document {
            id: format!("upl_{n}").into(),
            revision: world.journal.fresh_id().as_u64(),
            created_at: now,
            updated_at: now,
            body: Bytes::from(json!({ "bucket": "b", "blob": "" }).to_string()),
        })),
    };
    world.journal.commit((1..10_000).map(upload).collect(), Vec::new()).await.unwrap();
    world.storage.begin_upload(new("the last")).await.unwrap();
    let refused = world.storage.begin_upload(new("one more")).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadConflict);
    world.storage.put_bucket("c", Settings::default()).await.unwrap();
    let elsewhere = NewFile { bucket: "c".to_owned(), ..new("a") };
    world.storage.begin_upload(elsewhere).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_completed_is_what_the_bucket_takes_by_then() {
    let world = World::new().await;
    let id = world.begin("a.txt", &["x"]).await;
    let allowed =
        |allowed: &str| Settings { allowed_types: vec![allowed.to_owned()], ..Settings::default() };
    world.storage.put_bucket("b", allowed("image/*")).await.unwrap();
    assert_eq!(world.complete(&id).await.unwrap_err().code, Code::FileTypeRefused);
    world.storage.put_bucket("b", allowed("text/*")).await.unwrap();
    world.complete(&id).await.unwrap();
}

#[tokio::test]
async fn a_file_is_there_even_where_a_late_part_cannot_be_removed() {
    let mut world = World::new().await;
    let id = world.begin("a", &["one ", "two"]).await;
    let (storage, journal) = (world.storage.clone(), world.journal.clone());
    let late = id.clone();
    // Behind the looks at the upload and at its parts.
    world.documents.after(2, async move {
        part(&storage, &late, 3, "late").await.unwrap();
        *journal.failure.lock() = Some(1);
    });
    let written = world.complete(&id).await.unwrap();
    assert!(written.is_new && world.documents.is_done());
    assert!(world.journal.failure.lock().is_none(), "a commit failed");
    assert_eq!(world.get("a").await.unwrap(), "one two");
    world.tidy().await;
    assert_eq!(world.blobs().await, 3);
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 1);
    assert_eq!(world.get("a").await.unwrap(), "one two");
}

#[tokio::test]
async fn of_two_who_complete_an_upload_one_does() {
    let mut world = World::new().await;
    let id = world.begin("a", &["one ", "two"]).await;
    let (first, second) = tokio::join!(world.complete(&id), world.complete(&id));
    let (done, gone) = if first.is_ok() { (first, second) } else { (second, first) };
    assert!(done.unwrap().is_new);
    assert_eq!(gone.unwrap_err().code, Code::UploadNotFound);
    assert_eq!(world.journal.told.lock().len(), 1);
    world.tidy().await;
    assert_eq!(world.storage.inner.sweep().await.unwrap(), 0);
    assert_eq!(world.get("a").await.unwrap(), "one two");
}

#[tokio::test]
async fn an_upload_is_completed_or_given_up_and_never_both() {
    let mut world = World::new().await;
    let id = world.begin("a", &["x"]).await;
    let (storage, given_up) = (world.storage.clone(), id.clone());
    // Behind the looks at the upload and at its parts.
    world.documents.after(2, async move {
        storage.abandon_upload("b", &given_up).await.unwrap();
    });
    assert_eq!(world.complete(&id).await.unwrap_err().code, Code::UploadNotFound);
    assert!(world.storage.file("b", "a").await.is_err());
    world.tidy().await;
    assert_eq!(world.blobs().await, 0);
}

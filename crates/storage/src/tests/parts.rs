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

//! Removes what nobody names: at once where it is known, and in sweeps what crashes left behind.

use std::sync::{Arc, Weak};
use std::time::Duration;

use evoke_document::{Condition, Document, Op, Query, Scalar};
use evoke_model::{Millis, Rejection};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::blobs::{BlobKey, BlobWriter};
use crate::content::Content;
use crate::draft::{Hold, unavailable};
use crate::records::{self, BLOB, CONTENT, FILES, UPLOADS, field, unreadable};
use crate::start::Inner;

/// Things that wait to be removed; more are left for a sweep.
pub(crate) const TRASH_MAX: usize = 1_024;

/// Things that are removed at once: an object store takes its time for each.
const REMOVALS_MAX: usize = 8;

/// Between two sweeps. Only what a crash, a failing disk or too much at once left behind waits that
/// long.
const SWEEP_PERIOD: Duration = Duration::from_secs(3_600);

/// How long an upload in parts may take.
pub(crate) const UPLOAD_LIFE: Millis = Millis::from_secs(24 * 3_600);

/// Something to be removed.
pub(crate) enum Trash {
    /// A blob that nobody names.
    Blob(BlobKey),
    /// A blob that was not finished, with its place.
    Writer(Box<dyn BlobWriter>, Hold),
    /// A content that a file had; another one may have it still.
    Replaced(Content),
}

/// Removes what comes, until storage is gone.
pub(crate) async fn remove(inner: Weak<Inner>, mut thrown: mpsc::Receiver<Trash>) {
    let thrown = stream::poll_fn(move |context| thrown.poll_recv(context));
    let removed = thrown.for_each_concurrent(REMOVALS_MAX, |trash| {
        let inner = inner.upgrade();
        async move {
            if let Some(inner) = inner {
                inner.remove_thrown(trash).await;
            }
        }
    });
    removed.await;
}

/// Sweeps at the start and then every hour, until storage is gone.
pub(crate) async fn sweep_now_and_then(inner: Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        match strong.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "Removed {removed} blobs that nobody names"),
            Err(error) => tracing::warn!("Storage was not swept: {}", error.message),
        }
        drop(strong);
        tokio::time::sleep(SWEEP_PERIOD).await;
    }
}

impl Inner {
    /// Removes something that was thrown away.
    pub(crate) async fn remove_thrown(&self, trash: Trash) {
        match trash {
            Trash::Blob(key) => self.remove_blob(key).await,
            Trash::Writer(mut writer, hold) => {
                writer.abort().await;
                drop(hold);
            }
            Trash::Replaced(content) => match self.is_named(&content).await {
                Ok(true) => {}
                // Who begins to read it from now on sees that no file has it.
                Ok(false) => {
                    let content = self.pins.put_off(content);
                    for key in content.iter().flat_map(Content::blobs) {
                        self.remove_blob(key).await;
                    }
                }
                Err(error) => tracing::warn!("A replaced file stays for the next sweep: {error}"),
            },
        }
    }

    async fn remove_blob(&self, key: BlobKey) {
        if let Err(error) = self.blobs.remove(key).await {
            tracing::warn!("The blob {key} stays for the next sweep: {error}");
        }
    }

    /// Whether a file has this content.
    async fn is_named(&self, content: &Content) -> Result<bool, Rejection> {
        let named = self.documents.count(FILES, vec![has(CONTENT, content.key.to_string())?]).await;
        Ok(named.map_err(|error| unreadable(&error))? > 0)
    }

    /// Removes uploads that were given up, and blobs that nobody names. Gives the number of blobs.
    pub(crate) async fn sweep(&self) -> Result<u64, Rejection> {
        self.expire_uploads().await?;
        let mut removed = 0;
        let mut keys = self.blobs.list();
        let mut blobs: Vec<BlobKey> = Vec::new();
        loop {
            let next = keys.try_next().await.map_err(|error| unavailable(&error))?;
            let content = blobs.last().map(|last| last.content);
            if content.is_some() && content != next.map(|next| next.content) {
                removed += self.sweep_content(std::mem::take(&mut blobs)).await?;
            }
            let Some(next) = next else { return Ok(removed) };
            blobs.push(next);
        }
    }

    /// Removes those of the blobs of a content that nobody names. Gives their number.
    async fn sweep_content(&self, mut blobs: Vec<BlobKey>) -> Result<u64, Rejection> {
        // In this order: what is named now was held until then.
        {
            let held = self.held.lock();
            blobs.retain(|key| !held.contains(key));
        }
        self.spare_those_of_files(&mut blobs).await?;
        // Uploads become files and never the other way round: files are asked last, so that they
        // know of what was completed between two questions. That they are asked first as well
        // answers for all but few.
        self.spare_those_of_uploads(&mut blobs).await?;
        self.spare_those_of_files(&mut blobs).await?;
        // Who began to read it while a file had it may read on.
        blobs.retain(|key| !self.pins.has(key.content));
        for key in &blobs {
            self.remove_blob(*key).await;
        }
        Ok(blobs.len() as u64)
    }

    /// Takes those of the blobs of one content away that a file has.
    async fn spare_those_of_files(&self, blobs: &mut Vec<BlobKey>) -> Result<(), Rejection> {
        #[derive(Deserialize)]
        struct Named {
            content: Content,
        }
        // Files with the same content have all of its parts: one speaks for all.
        if let Some(document) = self.one_with(FILES, CONTENT, blobs).await? {
            let named: Named = records::read(&document)?;
            blobs.retain(|key| !named.content.has(*key));
        }
        Ok(())
    }

    /// Takes those of the blobs of one content away that are parts of an upload.
    async fn spare_those_of_uploads(&self, blobs: &mut Vec<BlobKey>) -> Result<(), Rejection> {
        if let Some(upload) = self.one_with(UPLOADS, BLOB, blobs).await? {
            let parts = self.blobs_of(&upload.id).await?;
            blobs.retain(|key| !parts.contains(&key.part));
        }
        Ok(())
    }

    /// A document with the content of these blobs in a field.
    async fn one_with(
        &self,
        collection: &str,
        name: &str,
        blobs: &[BlobKey],
    ) -> Result<Option<Arc<Document>>, Rejection> {
        let Some(key) = blobs.first() else { return Ok(None) };
        let filter = vec![has(name, key.content.to_string())?];
        let query = Query { filter, limit: 1, ..Query::default() };
        let found = self.documents.find(collection, query).await;
        Ok(found.map_err(|error| unreadable(&error))?.items.into_iter().next())
    }
}

/// The field has the key of a content.
fn has(name: &str, key: String) -> Result<Condition, Rejection> {
    Ok(Condition { field: field(name)?, op: Op::Eq(Scalar::Text(key)) })
}

//! Removes what nobody names: at once where it is known, and in sweeps what crashes left behind.

use std::sync::{Arc, Weak};
use std::time::Duration;

use evoke_document::{Condition, Op, Query, Scalar};
use evoke_model::{Millis, Rejection};
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::blobs::{BlobKey, BlobWriter};
use crate::content::Content;
use crate::draft::{Hold, unavailable};
use crate::records::{self, BLOB, CONTENT, FILES, UPLOADS, field, unreadable};
use crate::start::Inner;

/// Things that wait to be removed; more are left for a sweep.
pub(crate) const TRASH_MAX: usize = 1_024;

/// Between two sweeps. Only what a crash or a failing disk left behind waits that long.
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
    while let Some(trash) = thrown.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        match trash {
            Trash::Blob(key) => inner.remove_blob(key).await,
            Trash::Writer(mut writer, hold) => {
                writer.abort().await;
                drop(hold);
            }
            Trash::Replaced(content) => match inner.is_named(&content).await {
                Ok(true) => {}
                Ok(false) => {
                    for key in content.blobs() {
                        inner.remove_blob(key).await;
                    }
                }
                Err(error) => tracing::warn!("A replaced file stays for the next sweep: {error}"),
            },
        }
    }
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
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<u64, Rejection> {
        self.expire_uploads().await?;
        let mut removed = 0;
        let mut keys = self.blobs.list();
        while let Some(key) = keys.try_next().await.map_err(|error| unavailable(&error))? {
            // In this order: what is named now was held until then.
            let is_held = self.held.lock().contains(&key);
            if is_held || self.is_blob_named(key).await? {
                continue;
            }
            self.remove_blob(key).await;
            removed += 1;
        }
        Ok(removed)
    }

    /// Whether a file or an upload has this blob.
    async fn is_blob_named(&self, key: BlobKey) -> Result<bool, Rejection> {
        #[derive(Deserialize)]
        struct Named {
            content: Content,
        }
        // Files with the same content have all of its parts: one speaks for all.
        let filter = vec![has(CONTENT, key.content.to_string())?];
        let query = Query { filter, limit: 1, ..Query::default() };
        let found = self.documents.find(FILES, query).await.map_err(|error| unreadable(&error))?;
        if let Some(document) = found.items.first() {
            let named: Named = records::read(document)?;
            return Ok(named.content.has(key));
        }
        let filter = vec![has(BLOB, key.content.to_string())?];
        let query = Query { filter, limit: 1, ..Query::default() };
        let found = self.documents.find(UPLOADS, query).await;
        match found.map_err(|error| unreadable(&error))?.items.first() {
            Some(upload) => self.has_part(&upload.id, key).await,
            None => Ok(false),
        }
    }
}

/// The field has the key of a content.
fn has(name: &str, key: String) -> Result<Condition, Rejection> {
    Ok(Condition { field: field(name)?, op: Op::Eq(Scalar::Text(key)) })
}

//! What runs behind: mail that waits, keys of others that are fetched, what has expired.

use std::sync::Arc;
use std::time::Duration;

use evoke_model::Millis;
use tokio::task::JoinSet;

use crate::foreign::{PAUSE, Published};
use crate::handle::Inner;
use crate::mail::Letters;

/// Documents that are removed in one commit.
pub(crate) const SWEPT_AT_ONCE: usize = 500;

/// How often what has expired is looked for, and whether the next signing key is due.
const SWEEP: Duration = Duration::from_secs(3600);

/// How often keys of others are fetched though none was missed: so they are known before they sign.
const REFRESH: Millis = Millis::from_secs(600);

/// How long another server may take to give its keys.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of keys that are read.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Begins what runs until the service ends.
pub(crate) fn begin(inner: &Arc<Inner>, letters: Option<Letters>) {
    if let Some(letters) = letters {
        inner.tasks.spawn(inner.clone().deliver(letters));
    }
    inner.tasks.spawn(sweeping(inner.clone()));
    if inner.foreign.iter().any(|foreign| foreign.published().is_some()) {
        inner.tasks.spawn(fetching(inner.clone()));
    }
}

async fn sweeping(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        if let Err(error) = inner.sweep().await {
            tracing::warn!("What has expired was not removed, again later: {error}");
        }
        if let Err(error) = inner.tend_keys().await {
            tracing::error!("The signing keys were not looked after, again later: {error}");
        }
    }
}

async fn fetching(inner: Arc<Inner>) {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::limited(3))
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return tracing::error!("Keys of others cannot be fetched: {error}"),
    };
    loop {
        let wanted = inner.identities.wanted.notified();
        let now = inner.now();
        // All at once: one that does not answer holds up no other, and its own time is limited.
        let mut under_way = JoinSet::new();
        for published in inner.foreign.iter().filter_map(|foreign| foreign.published()) {
            if published.is_due(now, REFRESH) {
                under_way.spawn(fetch(client.clone(), published.clone()));
            }
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            _ = under_way.join_all() => {}
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = wanted => {}
            // A key that was missed within a minute of the last time is looked for after it.
            () = tokio::time::sleep(PAUSE.duration()) => {}
        }
    }
}

/// Fetches the keys of one issuer. Those that are there stay where that fails.
async fn fetch(client: reqwest::Client, published: Arc<Published>) {
    let url = &published.url;
    match document(&client, url).await.and_then(|document| published.take(&document)) {
        Ok(count) => tracing::debug!(url, count, "Keys of another issuer were fetched"),
        Err(why) => {
            published.want();
            tracing::warn!(url, "Keys of another issuer were not fetched: {why}");
        }
    }
}

async fn document(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, String> {
    let told = |error: reqwest::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default())
    };
    let mut response =
        client.get(url).send().await.and_then(|it| it.error_for_status()).map_err(told)?;
    let mut document = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(told)? {
        if document.len() + piece.len() > DOCUMENT_BYTES_MAX {
            return Err(format!("it is larger than {DOCUMENT_BYTES_MAX} bytes"));
        }
        document.extend_from_slice(&piece);
    }
    Ok(document)
}

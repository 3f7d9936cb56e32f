//! The data services of a project, built on its engine and store.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use evoke_auth::Auth;
use evoke_auth::settings::Show;
use evoke_database::{Database, OldEvents, Parts, Unknown};
use evoke_engine::Engine;
use evoke_model::{Event, Rejection, Timestamp};
use evoke_ports::store::{EventQuery, Page};
use evoke_project::ProjectConfig;
use evoke_server::Services;
use evoke_storage::{NewBuckets, Storage};

use crate::app::{App, Mode};

/// Starts the data services.
///
/// # Errors
/// What could not be opened.
pub async fn start(
    root: &Path,
    config: &ProjectConfig,
    app: &App,
    mode: Mode,
) -> anyhow::Result<Services> {
    let database = Some(database(app, mode).await?);
    let auth = Some(auth(config, app, mode).await?);
    let storage = Some(storage(root, config, app, mode).await?);
    Ok(Services { database, storage, auth })
}

async fn storage(
    root: &Path,
    config: &ProjectConfig,
    app: &App,
    mode: Mode,
) -> anyhow::Result<Storage> {
    let options = evoke_storage::Options {
        url: config.storage.url.clone(),
        root: root.to_owned(),
        new_buckets: match mode {
            Mode::Dev => NewBuckets::OnFirstUse,
            Mode::Serve => NewBuckets::ByHand,
        },
    };
    let started = Storage::start(app.engine.journal(), app.store.documents(), options).await;
    started.context("start storage")
}

async fn auth(config: &ProjectConfig, app: &App, mode: Mode) -> anyhow::Result<Auth> {
    // Only on a laptop: what is printed by a server is kept and read by others.
    let show: Option<Show> = match mode {
        Mode::Dev => Some(Arc::new(|mail: &str| anstream::eprintln!("{mail}"))),
        Mode::Serve => None,
    };
    let parts = evoke_auth::Parts {
        settings: crate::wiring::users(config, &app.url, show),
        journal: app.engine.journal(),
        documents: app.store.documents(),
        identities: app.identities.clone(),
    };
    Auth::start(parts).await.context("start the service of users")
}

async fn database(app: &App, mode: Mode) -> anyhow::Result<Database> {
    let parts = Parts {
        journal: app.engine.journal(),
        documents: app.store.documents(),
        events: app.store.events(),
        archive: Arc::new(Archive(app.engine.clone())),
        unknown: match mode {
            Mode::Dev => Unknown::Created,
            Mode::Serve => Unknown::Refused,
        },
    };
    Database::open(parts).await.context("read the collections")
}

/// The archive of the engine, for those who follow a collection.
struct Archive(Engine);

#[async_trait]
impl OldEvents for Archive {
    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Rejection> {
        self.0.archived_events(query).await
    }

    async fn kept_since(&self, kind: &str) -> Result<Timestamp, Rejection> {
        self.0.kept_since(kind).await
    }
}

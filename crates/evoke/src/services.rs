//! The data services of a project, built on its engine and store.

use std::path::Path;

use anyhow::Context;
use evoke_database::{Database, Parts, Unknown};
use evoke_project::ProjectConfig;
use evoke_server::Services;

use crate::app::{App, Mode};

/// Starts the data services.
///
/// # Errors
/// What could not be opened.
pub async fn start(
    _root: &Path,
    _config: &ProjectConfig,
    app: &App,
    mode: Mode,
) -> anyhow::Result<Services> {
    let database = Some(database(app, mode).await?);
    Ok(Services { database, ..Services::default() })
}

async fn database(app: &App, mode: Mode) -> anyhow::Result<Database> {
    let parts = Parts {
        journal: app.engine.journal(),
        documents: app.store.documents(),
        events: app.store.events(),
        unknown: match mode {
            Mode::Dev => Unknown::Created,
            Mode::Serve => Unknown::Refused,
        },
    };
    Database::open(parts).await.context("read the collections")
}

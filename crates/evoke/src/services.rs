//! The data services of a project, built on its engine and store.

use std::path::Path;

use evoke_project::ProjectConfig;
use evoke_server::Services;

use crate::app::App;

/// Starts the data services.
///
/// # Errors
/// What could not be opened.
pub async fn start(_root: &Path, _config: &ProjectConfig, _app: &App) -> anyhow::Result<Services> {
    Ok(Services {})
}

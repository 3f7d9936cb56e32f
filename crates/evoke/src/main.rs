//! The `evoke` command.

use std::process::ExitCode;

use evoke::app::Mode;
use evoke::run::{Running, Wish};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::from(5),
    };
    match runtime.block_on(dev()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dev() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(2);
    let root = args.next().unwrap_or_else(|| ".".into()).into();
    let port = args.nth(1).and_then(|port| port.parse().ok());
    evoke::telemetry::init(&evoke_project::config::Log::default())?;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a crypto provider was installed before");
    }
    let stop = evoke::signals::stop()?;
    let wish = Wish { root, port, host: None };
    let mut running = Running::start(&wish, Mode::Dev, stop.clone()).await?;
    tracing::info!("ready {}", running.url);
    running.follow(&stop).await?;
    running.end().await;
    Ok(())
}

//! The server alone, on an engine that keeps everything in memory and runs nothing: for measuring
//! what a request costs before any work is done, and for fuzzing the API.
//!
//! `cargo run --release -p evoke-server --example bare -- 127.0.0.1:8099`
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints and may fail")]

use std::path::Path;
use std::sync::Arc;

use evoke_engine::{Engine, Parts, Registry, Settings};
use evoke_model::Millis;
use evoke_ports::SystemClock;
use evoke_server::{AuthMode, Doors, ServerOptions, serve};
use evoke_stores::memory::MemoryStore;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8099".to_owned());
    let engine = Engine::start(Parts {
        store: Arc::new(MemoryStore::new()),
        sources: evoke_sources::builtin(),
        targets: Vec::new(),
        runtimes: Vec::new(),
        clock: Arc::new(SystemClock),
        registry: Registry::new(),
        tracer: Arc::new(evoke_ports::NoTracer),
        settings: Settings {
            idempotency_window: Millis::from_secs(60),
            url: format!("http://{address}").into(),
            scratch: Path::new("/nowhere").into(),
            ..Settings::default()
        },
    })
    .await
    .expect("the engine starts");
    engine.admit();
    let address = address.parse().expect("an address");
    let doors = Doors::open(&[address]).await.expect("a free port");
    let options = ServerOptions { auth: AuthMode::Open { hosts: vec![] }, ..Default::default() };
    let stop = CancellationToken::new();
    let server = serve(engine, doors, options, stop.clone()).expect("on loopback");
    println!("listening on {:?}", server.addresses());
    tokio::signal::ctrl_c().await.expect("a signal");
    stop.cancel();
    println!("{:?}", server.finished().await);
}

//! When the server is killed, its workers go with it, even those whose loop is blocked.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Function, House, event, is_alive, options, until};

/// Set in the process that plays the server.
const ROLE: &str = "EVOKE_TEST_SERVER";

#[tokio::test(flavor = "multi_thread")]
async fn workers_die_with_the_server() {
    if std::env::var_os(ROLE).is_some() {
        return serve().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server_killed::workers_die_with_the_server"])
        .env(ROLE, &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let read = || std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
    until("the worker is blocked", || read().is_some()).await;
    let worker: i64 = read().unwrap();
    assert!(is_alive(worker));
    server.kill().unwrap();
    server.wait().unwrap();
    until("the worker is gone", || !is_alive(worker)).await;
}

async fn serve() {
    let house = House::new(options());
    let text = "import { renameSync, writeFileSync } from 'node:fs';
    export function handler() {
        writeFileSync(process.env.PID_FILE + '.draft', `${process.pid}`);
        renameSync(process.env.PID_FILE + '.draft', process.env.PID_FILE);
        for (;;);
    }";
    let file = std::env::var(ROLE).unwrap();
    let mut function = Function::node(text);
    function.environment = vec![("PID_FILE", file.leak())];
    let pool = house.open(&function).await;
    let _answer = pool.call(event(&serde_json::json!(1)).call).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
}

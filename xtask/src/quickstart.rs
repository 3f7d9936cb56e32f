//! The first five minutes of a newcomer in one command: install, build, start the example project,
//! send an event, show what became of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::run::{capture, cargo, command, run, say};
use crate::{generated, pages, setup};

const ADDRESS: &str = "127.0.0.1:8090";
const PROJECT: &str = "examples/quickstart";

/// The event that is sent first, and the data that passes the filter of its trigger.
const EVENT: [&str; 2] = ["order.created", r#"{"id":"A-1","customer":"Ada","total":150}"#];

/// The first start installs the functions' packages, so it may take a while.
const READY_MAX: Duration = Duration::from_secs(120);
const DONE_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts the example and stays: this process becomes the server, so that Ctrl-C reaches it.
pub fn stay() -> Result<()> {
    prepare()?;
    let me = std::env::current_exe().context("find this program")?;
    Command::new(me).arg("first-event").spawn().context("start the sender of the first event")?;
    Err(dev().exec()).context("start evoke dev")
}

/// Builds, then does what [`walk`] does.
pub fn once() -> Result<()> {
    prepare()?;
    walk()
}

/// Starts the example with what is built, sends the event, runs what the documentation says, and
/// stops the server.
pub fn walk() -> Result<()> {
    must_be_free()?;
    let mut server = dev().spawn().context("start evoke dev")?;
    let walked = first_event().and_then(|()| pages::walk());
    let stopped = stop(&mut server);
    walked.and(stopped)
}

fn prepare() -> Result<()> {
    setup::runtimes()?;
    run(cargo().args(["build", "--package", "evoke"]))?;
    must_be_free()
}

fn must_be_free() -> Result<()> {
    if TcpStream::connect(ADDRESS).is_ok() {
        bail!("something listens on {ADDRESS} already; stop it first");
    }
    Ok(())
}

fn evoke() -> Command {
    command(&generated::evoke().to_string_lossy())
}

fn dev() -> Command {
    let mut dev = evoke();
    dev.args(["dev", PROJECT]);
    say(&format!("$ evoke dev {PROJECT}"));
    dev
}

/// Waits for the server, sends the event, waits for its executions and shows them.
pub fn first_event() -> Result<()> {
    wait_for("the server to be ready", READY_MAX, || ready().then_some(()))?;
    say(&format!("$ evoke events send {} --data '{}'", EVENT[0], EVENT[1]));
    let [kind, data] = EVENT;
    let id = capture(evoke().args(["events", "send", kind, "--data", data, "-o", "id"]))?;
    let id = id.trim();
    say(&format!("{id}\n$ evoke executions list --event {id}"));
    wait_for("the executions to end", DONE_MAX, || all_done(id).then_some(()))?;
    say(&capture(evoke().args(["executions", "list", "--event", id, "-o", "table"]))?);
    say("The example is described in examples/quickstart/README.md. Ctrl-C ends the server.");
    Ok(())
}

/// Whether there are executions of the event and none of them is under way.
fn all_done(event: &str) -> bool {
    let list = evoke().args(["executions", "list", "--event", event, "-o", "json"]).output();
    let parsed = list.ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok());
    let rows = parsed.as_ref().and_then(|list| list.get("data").unwrap_or(list).as_array());
    rows.is_some_and(|rows| {
        let waiting = |row: &Value| matches!(row["status"].as_str(), Some("pending" | "running"));
        !rows.is_empty() && !rows.iter().any(waiting)
    })
}

/// Whether the server says that it is ready.
fn ready() -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(ADDRESS)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let request = "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn wait_for<T>(what: &str, at_most: Duration, look: impl Fn() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < at_most {
        if let Some(found) = look() {
            return Ok(found);
        }
        sleep(LOOK_EVERY);
    }
    bail!("waited {} seconds for {what}", at_most.as_secs())
}

/// Asks the server to stop and waits until it has.
fn stop(server: &mut Child) -> Result<()> {
    run(Command::new("kill").args(["-TERM", &server.id().to_string()]))?;
    let status = server.wait().context("wait for evoke dev")?;
    if !status.success() {
        bail!("evoke dev ended with {status}");
    }
    Ok(())
}

//! What the load generator itself can do: against a responder that only counts bytes, on one core
//! each. `cargo run --release -p evoke-bench --example limits`

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use evoke_bench::load::{self, LoadReport, LoadSpec, Pace, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n\
    content-length: 33\r\n\r\n{\"ids\":[\"evt_01j9z3k5m7n8pqrstv\"]}";

/// The argument that makes this program the responder: a process of its own, so that the CPU time
/// of the generator is seen alone.
const RESPOND: &str = "respond";

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(RESPOND) {
        return respond();
    }
    let mut responder =
        Command::new(std::env::current_exe()?).arg(RESPOND).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = responder.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let address: SocketAddr = line.trim().parse().map_err(io::Error::other)?;
    let outcome = measure(address);
    responder.kill()?;
    responder.wait()?;
    outcome
}

fn measure(address: SocketAddr) -> io::Result<()> {
    for (connections, pace, millis) in [
        (1, Pace::Closed, 1_000),
        (64, Pace::Closed, 3_000),
        (256, Pace::Closed, 3_000),
        (64, Pace::Open { per_second: 10_000 }, 3_000),
        (64, Pace::Open { per_second: 20_000 }, 3_000),
    ] {
        let spec = LoadSpec {
            address,
            connections,
            request: Request {
                method: "POST".into(),
                path: "/api/events".into(),
                body: format!(
                    r#"{{"type":"bench.tick","data":{{"n":"{}","text":"{}"}}}}"#,
                    load::PLACEHOLDER,
                    "x".repeat(180)
                ),
                key: None,
            },
            pace,
            requests: None,
            millis: Some(millis),
            first: 0,
        };
        let before = cpu_ms();
        let report = load::run(&spec)?;
        show(&spec, &report, cpu_ms() - before)?;
    }
    Ok(())
}

fn show(spec: &LoadSpec, report: &LoadReport, cpu_ms: u64) -> io::Result<()> {
    let per_request = cpu_ms as f64 * 1e3 / report.ok.max(1) as f64;
    writeln!(
        io::stdout(),
        "{:>4} connections {:?}: {:.0}/s, p50 {:.0} µs, p99 {:.0} µs, {per_request:.1} µs of CPU per \
         request, {} failed",
        spec.connections,
        spec.pace,
        report.per_second(),
        report.latency.p50_us,
        report.latency.p99_us,
        report.failed()
    )
}

/// CPU time of this process in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|text| text.parse().ok())
        .collect();
    fields.iter().sum::<u64>() * 10
}

/// Answers each read with one answer: every request comes in one piece.
fn respond() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream));
        }
    })
}

async fn answer(mut stream: TcpStream) {
    let mut buffer = vec![0; 4_096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

//! Many connections on one thread: each sends its next request as soon as the last was answered.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::spec::{LoadReport, LoadSpec, Tally};
use super::template::Template;
use super::{Answer, look};
use crate::process::unix_us;

/// Room for one answer; it grows for larger ones.
const ANSWER_BYTES: usize = 4 * 1024;

/// What all connections share.
struct Plan {
    address: SocketAddr,
    first: u64,
    next: Cell<u64>,
    requests: u64,
    until: Option<Instant>,
}

impl Plan {
    fn take(&self) -> Option<u64> {
        let index = self.next.get();
        if index >= self.requests || self.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        self.next.set(index + 1);
        Some(index)
    }
}

pub(super) fn run(spec: &LoadSpec) -> io::Result<LoadReport> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, drive(spec))
}

async fn drive(spec: &LoadSpec) -> io::Result<LoadReport> {
    let template = Template::new(&spec.request, &spec.address.to_string());
    let mut streams = Vec::new();
    for _ in 0..spec.connections {
        let stream = TcpStream::connect(spec.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let began_us = unix_us();
    let plan = Rc::new(Plan {
        address: spec.address,
        first: spec.first,
        next: Cell::new(0),
        requests: spec.requests.unwrap_or(u64::MAX),
        until: spec.millis.map(|millis| Instant::now() + Duration::from_millis(millis)),
    });
    let mut tasks = JoinSet::new();
    for stream in streams {
        tasks.spawn_local(connection(stream, template.clone(), Rc::clone(&plan)));
    }
    let mut tally = Tally::default();
    while let Some(done) = tasks.join_next().await {
        tally.merge(done.map_err(io::Error::other)?);
    }
    Ok(tally.report(began_us, unix_us()))
}

async fn connection(mut stream: TcpStream, mut template: Template, plan: Rc<Plan>) -> Tally {
    let mut tally = Tally::default();
    let mut buffer = vec![0; ANSWER_BYTES];
    while let Some(index) = plan.take() {
        let began = Instant::now();
        match exchange(&mut stream, template.number(plan.first, index), &mut buffer).await {
            Ok(answer) => {
                let nanos = began.elapsed().as_nanos() as u64;
                tally.answered(answer.status, nanos, &buffer[answer.body..answer.end]);
            }
            Err(error) => {
                tally.broke(&error);
                match TcpStream::connect(plan.address).await {
                    Ok(fresh) => stream = fresh,
                    Err(_) => break,
                }
            }
        }
    }
    tally
}

async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> io::Result<Answer> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some(answer) = look(&buffer[..filled]).map_err(io::Error::other)? {
            return Ok(answer);
        }
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
    }
}

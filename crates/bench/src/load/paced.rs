//! A fixed rate, whatever the answers do: one thread that every 100 µs sends what is due and takes
//! what has come. A thread for each connection would be woken twice per request and use half a core
//! at 10,000 requests per second; this uses a tenth.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::look;
use super::spec::{LoadReport, LoadSpec, Tally};
use super::template::Template;
use crate::process::unix_us;

/// Between two looks. The kernel adds up to 50 µs of its own.
const TICK: Duration = Duration::from_micros(50);
/// An answer that takes longer is counted as a broken connection.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

/// A connection, and since when its answer is awaited.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    since: Option<Instant>,
}

pub(super) fn run(spec: &LoadSpec, per_second: u32) -> io::Result<LoadReport> {
    let mut template = Template::new(&spec.request, &spec.address.to_string());
    let connect = |_| Line::connect(spec.address);
    let mut lines = (0..spec.connections).map(connect).collect::<io::Result<Vec<_>>>()?;
    let step = 1e9 / f64::from(per_second.max(1));
    let by_time = spec.millis.map_or(u64::MAX, |millis| millis * u64::from(per_second) / 1_000);
    let requests = spec.requests.unwrap_or(u64::MAX).min(by_time);
    let mut tally = Tally::default();
    let (began_us, began) = (unix_us(), Instant::now());
    let due = |index: u64| began + Duration::from_nanos((index as f64 * step) as u64);
    let (mut index, mut looked) = (0, began);
    loop {
        let now = Instant::now();
        let mut free = lines.iter_mut().filter(|line| line.since.is_none());
        while index < requests && due(index) <= now {
            let Some(line) = free.next() else { break };
            // What fell due since the last look was late for the generator's sake, what was due
            // before had to wait for a connection: that is the server's doing and counts.
            let since = if due(index) > looked { Instant::now() } else { due(index) };
            if let Err(error) = line.send(template.number(spec.first, index), since) {
                tally.broke(&error);
                *line = Line::connect(spec.address)?;
            }
            index += 1;
        }
        for line in lines.iter_mut().filter(|line| line.since.is_some()) {
            if let Err(error) = line.take(&mut tally) {
                tally.broke(&error);
                *line = Line::connect(spec.address)?;
            }
        }
        if index >= requests && lines.iter().all(|line| line.since.is_none()) {
            return Ok(tally.report(began_us, unix_us()));
        }
        looked = now;
        thread::sleep(TICK);
    }
}

impl Line {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, buffer: vec![0; 4 * 1024], filled: 0, since: None })
    }

    fn send(&mut self, mut request: &[u8], since: Instant) -> io::Result<()> {
        while !request.is_empty() {
            match self.stream.write(request) {
                Ok(written) => request = &request[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        self.since = Some(since);
        Ok(())
    }

    /// Takes what has come of an answer.
    fn take(&mut self, tally: &mut Tally) -> io::Result<()> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.wait_on(),
            Err(error) => return Err(error),
        }
        if let Some(answer) = look(&self.buffer[..self.filled]).map_err(io::Error::other)? {
            let nanos = self.since.map_or(0, |since| since.elapsed().as_nanos() as u64);
            tally.answered(answer.status, nanos, &self.buffer[answer.body..answer.end]);
            (self.since, self.filled) = (None, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        Ok(())
    }

    fn wait_on(&self) -> io::Result<()> {
        match self.since {
            Some(since) if since.elapsed() > ANSWER_WAIT_MAX => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

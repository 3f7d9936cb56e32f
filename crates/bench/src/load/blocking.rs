//! A thread for each connection: for one at a time, and for a fixed rate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::spec::{LoadReport, LoadSpec, Tally};
use super::template::Template;
use super::wire::Wire;
use crate::process::unix_us;

/// What all threads share.
struct Plan {
    address: SocketAddr,
    first: u64,
    next: AtomicU64,
    requests: u64,
    began: Instant,
    until: Option<Instant>,
    /// Nanoseconds between two requests that are due; `None` where each follows the last.
    step: Option<f64>,
}

impl Plan {
    /// The next request and the moment from which its latency counts.
    fn take(&self) -> Option<(u64, Instant)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let start = match self.step {
            Some(step) => self.began + Duration::from_nanos((index as f64 * step) as u64),
            None => Instant::now(),
        };
        let is_over = index >= self.requests || self.until.is_some_and(|until| start >= until);
        if is_over {
            return None;
        }
        let wait = start.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        // A sleep overshoots by up to 60 µs: that is the generator's fault, not the server's, so a
        // request that was not late when the sleep began counts from when it was sent.
        Some((index, if wait.is_zero() { start } else { Instant::now() }))
    }
}

/// Runs `connections` threads; `per_second` makes it an open loop.
pub(super) fn run(spec: &LoadSpec, per_second: Option<u32>) -> io::Result<LoadReport> {
    let template = Template::new(&spec.request, &spec.address.to_string());
    let mut wires = Vec::new();
    for _ in 0..spec.connections {
        wires.push(Wire::connect(spec.address)?);
    }
    let began = Instant::now();
    let plan = Arc::new(Plan {
        address: spec.address,
        first: spec.first,
        next: AtomicU64::new(0),
        requests: spec.requests.unwrap_or(u64::MAX),
        began,
        until: spec.millis.map(|millis| began + Duration::from_millis(millis)),
        step: per_second.map(|rate| 1e9 / f64::from(rate.max(1))),
    });
    let began_us = unix_us();
    let mut threads = Vec::new();
    for wire in wires {
        let plan = Arc::clone(&plan);
        let template = template.clone();
        let builder = thread::Builder::new().stack_size(256 * 1024);
        threads.push(builder.spawn(move || connection(wire, template, &plan))?);
    }
    let mut tally = Tally::default();
    for thread in threads {
        tally.merge(thread.join().map_err(|_| io::Error::other("a thread panicked"))?);
    }
    Ok(tally.report(began_us, unix_us()))
}

fn connection(mut wire: Wire, mut template: Template, plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    while let Some((index, start)) = plan.take() {
        match wire.exchange(template.number(plan.first, index)) {
            Ok(answer) => {
                let nanos = start.elapsed().as_nanos() as u64;
                tally.answered(answer.status, nanos, wire.body(answer));
            }
            Err(error) => {
                tally.broke(&error);
                match Wire::connect(plan.address) {
                    Ok(fresh) => wire = fresh,
                    Err(_) => break,
                }
            }
        }
    }
    tally
}

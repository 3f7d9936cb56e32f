//! One connection, one request at a time: a thread that blocks in `read` is woken at once.

use std::io;
use std::time::{Duration, Instant};

use super::spec::{LoadReport, LoadSpec, Tally};
use super::template::Template;
use super::wire::Wire;
use crate::process::unix_us;

pub(super) fn run(spec: &LoadSpec) -> io::Result<LoadReport> {
    let mut template = Template::new(&spec.request, &spec.address.to_string());
    let mut wire = Wire::connect(spec.address)?;
    let mut tally = Tally::default();
    let until = spec.millis.map(|millis| Instant::now() + Duration::from_millis(millis));
    let began_us = unix_us();
    for index in 0..spec.requests.unwrap_or(u64::MAX) {
        let sent = Instant::now();
        if until.is_some_and(|until| sent >= until) {
            break;
        }
        match wire.exchange(template.number(spec.first, index)) {
            Ok(answer) => {
                let nanos = sent.elapsed().as_nanos() as u64;
                tally.answered(answer.status, nanos, wire.body(answer));
            }
            Err(error) => {
                tally.broke(&error);
                match Wire::connect(spec.address) {
                    Ok(fresh) => wire = fresh,
                    Err(_) => break,
                }
            }
        }
    }
    Ok(tally.report(began_us, unix_us()))
}

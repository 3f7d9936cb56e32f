//! The load generator against a server with known manners.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use evoke_bench::load::{self, LoadSpec, PLACEHOLDER, Pace, Request};

/// Answers by what the body says; every body is told.
fn server() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            thread::spawn(move || serve(stream, &tell));
        }
    });
    (address, told)
}

fn serve(stream: TcpStream, tell: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let answer: &[u8] = match body.as_str() {
            text if text.ends_with("0000000003") => {
                b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nfull"
            }
            text if text.ends_with("0000000005") => b"",
            // In two pieces and in chunks, as a server may.
            _ => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        };
        tell.send(body).ok()?;
        if answer.is_empty() {
            return None;
        }
        let (first, second) = answer.split_at(20);
        writer.write_all(first).ok()?;
        writer.flush().ok()?;
        writer.write_all(second).ok()?;
    }
}

fn spec(address: SocketAddr, connections: u32, pace: Pace) -> LoadSpec {
    LoadSpec {
        address,
        connections,
        request: Request {
            method: "POST".into(),
            path: "/".into(),
            body: format!("number {PLACEHOLDER}"),
            key: None,
        },
        pace,
        requests: Some(20),
        millis: None,
        first: 0,
    }
}

#[test]
fn every_request_is_sent_once_and_every_answer_is_counted() {
    let paces = [(1, Pace::Closed), (4, Pace::Closed), (4, Pace::Open { per_second: 2_000 })];
    for (connections, pace) in paces {
        let (address, told) = server();
        let report = load::run(&spec(address, connections, pace)).unwrap();
        assert_eq!(report.ok, 18, "{pace:?}");
        assert_eq!(report.refused.get(&503), Some(&1));
        assert_eq!(report.broken, 1);
        assert_eq!(report.failed(), 2);
        assert!(report.first_trouble.is_some());
        assert_eq!(report.latency.count, 19);
        let mut bodies: Vec<String> = told.try_iter().collect();
        bodies.sort();
        let expected: Vec<String> = (0..20).map(|number| format!("number {number:010}")).collect();
        assert_eq!(bodies, expected);
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert!(load::run(&spec(address, 4, Pace::Closed)).is_err());
}

#[test]
fn the_generator_serves_as_a_process() {
    let (address, _told) = server();
    let generator = load::Generator {
        program: env!("CARGO_BIN_EXE_evoke-bench").into(),
        args: vec!["--load".into()],
    };
    let report = generator.run(&spec(address, 2, Pace::Closed)).unwrap();
    assert_eq!(report.ok, 18);
}

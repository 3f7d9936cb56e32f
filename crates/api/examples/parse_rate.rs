//! How long it takes to read events: `cargo run --release -p evoke-api --example parse_rate`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints and may fail")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use evoke_api::cloudevents::parse;
use evoke_model::Timestamp;
use http::{HeaderMap, HeaderValue, header};

fn main() {
    let data = concat!(
        r#"{"order_id":"ord_0001","customer":"c_4711","total":129.95,"currency":"EUR","#,
        r#""items":[{"sku":"A-1","quantity":2},{"sku":"B-7","quantity":1}]}"#,
    );
    let short = format!(r#"{{"type":"order.created","source":"/shop","data":{data}}}"#);
    let full = concat!(
        r#"{"specversion":"1.0","id":"b4c0a6f2","source":"/shop","type":"order.created","#,
        r#""time":"2026-11-21T10:00:00Z","datacontenttype":"application/json","data":"#,
    );
    let full = format!("{full}{data}}}");
    let batch = format!("[{}]", vec![short.as_str(); 100].join(","));
    measure("short form", "application/json", &short, 1);
    measure("CloudEvent", "application/cloudevents+json", &full, 1);
    measure("batch of 100 short forms", "application/json", &batch, 100);
}

fn measure(name: &str, content_type: &'static str, body: &str, events: u32) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let body = Bytes::copy_from_slice(body.as_bytes());
    // Short windows, so that one is found in which nobody else had the processor.
    let rounds = (500 / events).max(5);
    let mut nanos: Vec<f64> = (0..4_000)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                let drafts = parse(black_box(&headers), black_box(&body), Timestamp::EPOCH);
                black_box(drafts.expect("a good body"));
            }
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    let (best, median) = (nanos[0], nanos[nanos.len() / 2]);
    println!("{name:26} {:6} bytes {best:8.0} ns at best, {median:8.0} ns median", body.len());
}

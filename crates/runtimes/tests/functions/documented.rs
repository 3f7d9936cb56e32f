//! The examples of `docs/functions`, run as they stand there.

use std::path::Path;
use std::sync::Arc;

use evoke_model::{Code, Data, Event, Millis};
use evoke_ports::Reply;
use serde_json::{Value, json};

use crate::support::{Function, House, batch, data_event, event, options, until};

const RUNTIMES: [(&str, &str, &str); 4] = [
    ("nodejs18", "index.ts", "node.md"),
    ("nodejs22", "index.ts", "node.md"),
    ("bun", "index.ts", "bun.md"),
    ("python3.12", "main.py", "python.md"),
];

/// The code block of a page that has this in it.
fn example(page: &str, part: &str) -> Option<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/functions");
    let text = std::fs::read_to_string(docs.join(page)).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let code = blocks.filter_map(|block| block.split_once('\n')).map(|(_, code)| code);
    let found: Vec<&str> = code.filter(|code| code.contains(part)).collect();
    assert!(found.len() < 2, "{page} has several examples with {part}");
    found.first().map(|code| (*code).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_which_of_its_events_failed() {
    for (runtime, file, page) in RUNTIMES {
        let text = example(page, "failed").unwrap();
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, &text)).await;
        let with = |data: Value| {
            Arc::new(Event { data: Data::from_value(&data), ..data_event(&Value::Null) })
        };
        let events = vec![with(json!({"total": 1.5})), with(json!({})), with(json!({"total": 2}))];
        let Ok(Reply::Value(told)) = pool.call(batch(events).call).await else { panic!("{page}") };
        assert_eq!(told.to_value(), json!({"failed": [1]}), "{runtime}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_stops_when_it_is_cancelled() {
    for (runtime, file, page) in RUNTIMES {
        // The page on Bun says that what the one on Node says holds.
        let page = if page == "bun.md" { "node.md" } else { page };
        let text = example(page, "of event.data.items")
            .or_else(|| example(page, "in event[\"data\"][\"items\"]"))
            .unwrap();
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, &text)).await;
        let sent = event(&json!({"items": ["one", "two", "three", "four"]}));
        let (lines, cancel, call) = (sent.lines, sent.cancel, sent.call);
        let answer = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.call(call).await }
        });
        until("the first item is done", || !lines.messages().is_empty()).await;
        cancel.cancel();
        let failure = answer.await.unwrap().map(|_| ()).unwrap_err();
        assert_eq!(failure.code, Code::ExecutionCancelled, "{runtime}");
        until("the call has ended", || pool.status().calls == 0).await;
        assert_eq!(pool.status().deaths, 0, "{runtime}");
        assert!(lines.messages().len() < 4, "{runtime}");
        pool.drain(Millis::from_secs(1)).await;
    }
}

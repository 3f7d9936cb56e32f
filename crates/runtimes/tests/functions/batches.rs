//! Calls with several events, and what tells a repeated event from a new one.

use std::sync::Arc;

use evoke_model::{Code, Data, Event, EventId, Failure};
use evoke_ports::{Pool, Reply};
use serde_json::{Value, json};

use crate::support::{Function, House, batch, data_event, event_of, options};

/// The runtimes, the file of the handler, and a function that says what it got.
fn functions() -> Vec<(&'static str, &'static str, &'static str)> {
    const JAVASCRIPT: &str = "export async function handler(events, context) {
        const failed = events.filter((it) => it.data.n % 3 === 2).map((it) => it.id);
        const size = JSON.stringify(events).length;
        return { failed: failed.slice(0, 3), count: events.length, size, batch: context.batch,
            marks: [context.isReplay, context.isTestRun], replayof: events[0].replayof ?? null };
    }";
    const PYTHON: &str = "import json\ndef handler(events, context):\n    \
        failed = [it['id'] for it in events if it['data']['n'] % 3 == 2]\n    \
        return {'failed': failed[:3], 'count': len(events), 'size': len(json.dumps(events)),\n            \
        'batch': context.batch, 'marks': [context.is_replay, context.is_test_run],\n            \
        'replayof': events[0].get('replayof')}\n";
    vec![
        ("nodejs18", "index.mjs", JAVASCRIPT),
        ("nodejs20", "index.mjs", JAVASCRIPT),
        ("nodejs22", "index.mjs", JAVASCRIPT),
        ("bun", "index.mjs", JAVASCRIPT),
        ("python3.10", "main.py", PYTHON),
        ("python3.11", "main.py", PYTHON),
        ("python3.12", "main.py", PYTHON),
    ]
}

/// Events 1, 2, 3, ... with data of about so many bytes each.
fn events(count: u64, bytes: usize) -> Vec<Arc<Event>> {
    let filling = "x".repeat(bytes);
    let event = |n| Event {
        id: EventId::from_u64(n),
        data: Data::from_value(&json!({ "n": n, "filling": filling })),
        ..data_event(&Value::Null)
    };
    (1..=count).map(|n| Arc::new(event(n))).collect()
}

async fn answer(pool: &Arc<dyn Pool>, events: Vec<Arc<Event>>) -> Result<Value, Failure> {
    match pool.call(batch(events).call).await? {
        Reply::Value(data) => Ok(data.to_value()),
        Reply::Http(reply) => panic!("a response to events: {reply:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_runtime_takes_several_events_in_one_call() {
    for (runtime, file, text) in functions() {
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, text).scaled(0, 1, 1)).await;
        let told = answer(&pool, events(5, 1)).await.unwrap();
        let id = |n| EventId::from_u64(n).to_string();
        assert_eq!(told["failed"], json!([id(2), id(5)]), "{runtime}");
        assert_eq!((&told["count"], &told["batch"]), (&json!(5), &json!({"size": 5})), "{runtime}");
        assert_eq!(told["marks"], json!([false, false]), "{runtime}");
        assert_eq!(answer(&pool, events(1, 1)).await.unwrap()["batch"], json!({"size": 1}));
        // The most a batch may be: 10,000 events of 10 MB in all.
        let told = answer(&pool, events(10_000, 1_000)).await.unwrap();
        assert_eq!(told["count"], json!(10_000), "{runtime}");
        assert!(told["size"].as_u64() > Some(10_000_000), "{runtime}");
        assert_eq!((pool.status().deaths, pool.status().cold_starts), (0, 1), "{runtime}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_repeated_says_so() {
    for (runtime, file, text) in functions() {
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, text)).await;
        let repeated = |n| Event {
            replay_of: Some(EventId::from_u64(n)),
            is_test_run: n == 1,
            data: Data::from_value(&json!({ "n": n })),
            ..data_event(&Value::Null)
        };
        let told = answer(&pool, vec![Arc::new(repeated(1)), Arc::new(repeated(2))]).await.unwrap();
        assert_eq!(told["marks"], json!([true, false]), "{runtime}");
        assert_eq!(told["replayof"], json!(EventId::from_u64(1).to_string()), "{runtime}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_repeated_says_so() {
    let javascript =
        "export const handler = (event, context) => [context.isReplay, context.isTestRun];";
    let python =
        "def handler(event, context):\n    return [context.is_replay, context.is_test_run]\n";
    for (runtime, file, text) in [
        ("nodejs20", "index.mjs", javascript),
        ("bun", "index.mjs", javascript),
        ("python3.12", "main.py", python),
    ] {
        let house = House::new(options());
        let pool = house.open(&Function::new(runtime, file, text)).await;
        for (replay_of, is_test_run) in [(None, false), (Some(EventId::from_u64(5)), true)] {
            let event = Event { replay_of, is_test_run, ..data_event(&Value::Null) };
            let Ok(Reply::Value(data)) = pool.call(event_of(event).call).await else { panic!() };
            assert_eq!(data.to_value(), json!([is_test_run, is_test_run]), "{runtime}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_frame_holds_is_refused_without_harm() {
    let house = House::new(options());
    let pool =
        house.open(&Function::node("export const handler = (events) => events.length;")).await;
    let failure = answer(&pool, events(70, 1 << 20)).await.unwrap_err();
    assert_eq!(failure.code, Code::BodyTooLarge, "{failure:?}");
    assert!(failure.message.contains("make the batches"), "{}", failure.message);
    assert_eq!(answer(&pool, events(2, 1)).await, Ok(json!(2)));
    assert_eq!(pool.status().deaths, 0);
}

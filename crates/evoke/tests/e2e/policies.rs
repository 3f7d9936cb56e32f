//! Flow control, each policy with the real binary and a real function.

use std::time::{Duration, Instant};

use crate::facts::{explained, until};
use crate::ordering::{notes, noting, open};
use evoke_testkit::TestServer;
use serde_json::{Value, json};

/// Ends of the executions of the event trigger, oldest first.
async fn ends(server: &TestServer, count: usize) -> Vec<Value> {
    let mut ended = server.ended("trigger_type=event&limit=1000", count).await;
    ended.reverse();
    ended
}

fn statuses(ended: &[Value]) -> Vec<&str> {
    ended.iter().filter_map(|execution| execution["status"].as_str()).collect()
}

async fn pending(server: &TestServer) -> Vec<Value> {
    server.executions("status=pending&limit=1000").await
}

#[tokio::test]
async fn a_batch_is_one_call_and_only_what_it_names_is_tried_again() {
    let trigger = json!({
        "type": "event", "match": "item", "batch": { "size": 10, "wait": "5s" },
        "retry": { "attempts": 3, "initial": "1ms", "jitter": false },
    });
    let code = "let calls = 0;\nexport const handler = (events, context) => {\n  calls += 1;\n  \
         note(events.map((event) => event.data.n).join(','));\n  \
         if (calls > 1) return null;\n  \
         const bad = events.filter((event) => event.data.n % 5 === 0);\n  \
         return { failed: bad.map((event) => ({ id: event.id, error: 'not this one' })) };\n};\n";
    let server = noting(trigger, code).await;
    let events: Vec<_> = (0..10).map(|n| json!({ "type": "item", "data": { "n": n } })).collect();
    server.post("/api/events", json!(events)).await.expect(202);
    let ended = ends(&server, 10).await;
    assert!(statuses(&ended).iter().all(|status| *status == "success"), "{ended:#?}");
    let attempts: Vec<_> = ended.iter().map(|end| end["attempts"].as_u64()).collect();
    assert_eq!(attempts.iter().filter(|n| **n == Some(2)).count(), 2, "{attempts:?}");
    assert_eq!(notes(&server), ["0,1,2,3,4,5,6,7,8,9", "0,5"]);
    let again = server.execution(ended[5]["id"].as_str().expect("an id")).await;
    let path = format!("/api/executions/{}/attempts", again["id"].as_str().expect("an id"));
    let attempts = server.get(&path).await.expect(200).json();
    assert_eq!(attempts["data"][0]["error"]["code"], "FN_012", "{attempts}");
    assert_eq!(attempts["data"][0]["error"]["message"], "not this one", "{attempts}");
}

#[tokio::test]
async fn a_debounced_trigger_runs_the_last_and_says_what_became_of_the_others() {
    let trigger = json!({
        "type": "event", "match": "typed",
        "debounce": { "wait": "700ms", "key": "event.data.doc" },
    });
    let code = "export const handler = (event) => note(event.data.doc + event.data.n);\n";
    let server = noting(trigger, code).await;
    for n in 0..5 {
        for doc in ["a", "b"] {
            server.emit("typed", json!({ "doc": doc, "n": n })).await;
        }
    }
    let waiting = pending(&server).await;
    let why = explained(&server, waiting[0]["id"].as_str().expect("an id")).await;
    assert_eq!(why["detail"]["why"], "debounced", "{why}");
    let ended = ends(&server, 10).await;
    let skipped: Vec<_> = ended.iter().filter(|end| end["status"] == "cancelled").collect();
    assert_eq!(skipped.len(), 8, "{ended:#?}");
    assert!(skipped.iter().all(|end| end["error"]["code"] == "EX_004"), "{skipped:#?}");
    let mut seen = notes(&server);
    seen.sort();
    assert_eq!(seen, ["a4", "b4"]);
}

#[tokio::test]
async fn a_debounced_trigger_may_get_all() {
    let trigger = json!({
        "type": "event", "match": "typed", "debounce": { "wait": "400ms", "mode": "all" },
    });
    let code = "export const handler = (events) => note(events.map((e) => e.data.n).join(''));\n";
    let server = noting(trigger, code).await;
    for n in 0..5 {
        server.emit("typed", json!({ "n": n })).await;
    }
    ends(&server, 5).await;
    assert_eq!(notes(&server), ["01234"]);
}

#[tokio::test]
async fn what_a_rate_has_spent_stays_spent_when_the_server_is_killed() {
    let trigger = json!({
        "type": "event", "match": "call",
        "rate": { "limit": 3, "per": "1h", "key": "event.data.k" },
    });
    let code = "export const handler = (event) => note(event.data.k + event.data.n);\n";
    let mut server = noting(trigger, code).await;
    for n in 0..3 {
        server.emit("call", json!({ "k": "a", "n": n })).await;
    }
    ends(&server, 3).await;
    server.kill();
    server.restart().await;
    let id = server.emit("call", json!({ "k": "a", "n": 3 })).await;
    server.emit("call", json!({ "k": "b", "n": 0 })).await;
    // The other key runs; that it did is on record a moment after its note.
    ends(&server, 4).await;
    let waiting = pending(&server).await;
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    assert_eq!(waiting[0]["event_id"], id.as_str());
    let why = explained(&server, waiting[0]["id"].as_str().expect("an id")).await;
    assert_eq!(why["detail"]["why"], "rate", "{why}");
    assert_eq!(why["detail"]["key"], "a", "{why}");
    let notes = notes(&server);
    assert_eq!((notes.len(), notes[3].as_str()), (4, "b0"), "{notes:?}");
}

#[tokio::test]
async fn one_too_many_is_skipped_or_takes_the_place_of_the_one_that_runs() {
    for (overflow, expected) in [
        ("skip", vec!["success", "cancelled", "cancelled"]),
        ("cancel", vec!["cancelled", "cancelled", "success"]),
    ] {
        let trigger = json!({
            "type": "event", "match": "work", "concurrency": { "limit": 1, "overflow": overflow },
        });
        let code = "export const handler = async (event, context) => {\n  \
             note('began ' + event.data.n);\n  \
             while (!is('gate') && !context.signal.aborted) {\n    \
             await new Promise((done) => setTimeout(done, 5));\n  }\n};\n";
        let server = noting(trigger, code).await;
        for n in 0..3 {
            server.emit("work", json!({ "n": n })).await;
            let settled = if overflow == "skip" { n } else { 0 };
            let began = format!("began {}", if overflow == "skip" { 0 } else { n });
            until("it began or was skipped", async || {
                let began = notes(&server).contains(&began);
                let skipped = server.executions("status=cancelled").await.len() >= settled;
                (began && skipped).then_some(())
            })
            .await;
        }
        open(&server, "gate");
        let ended = ends(&server, 3).await;
        assert_eq!(statuses(&ended), expected, "{overflow}: {ended:#?}");
        let cancelled = ended.iter().find(|end| end["status"] == "cancelled").expect("one");
        assert_eq!(cancelled["error"]["code"], "EX_004", "{cancelled}");
    }
}

#[tokio::test]
async fn a_trigger_takes_an_event_once_for_each_of_its_keys() {
    let trigger = json!({
        "type": "event", "match": "paid", "idempotency": { "key": "event.data.order", "ttl": "1h" },
    });
    let code = "export const handler = (event) => note(event.data.order);\n";
    let mut server = noting(trigger, code).await;
    let events = json!([
        { "type": "paid", "data": { "order": "x" } },
        { "type": "paid", "data": { "order": "x" } },
        { "type": "paid", "data": { "order": "y" } },
    ]);
    server.post("/api/events", events).await.expect(202);
    let ended = ends(&server, 3).await;
    assert_eq!(statuses(&ended), ["success", "cancelled", "success"], "{ended:#?}");
    server.kill();
    server.restart().await;
    server.emit("paid", json!({ "order": "y" })).await;
    let ended = ends(&server, 4).await;
    assert_eq!(ended[3]["status"], "cancelled", "{ended:#?}");
    assert_eq!(ended[3]["error"]["code"], "EX_004");
    let mut seen = notes(&server);
    seen.sort();
    assert_eq!(seen, ["x", "y"]);
}

#[tokio::test]
async fn a_transform_makes_what_the_function_gets_and_one_that_fails_a_dead_letter() {
    let trigger = json!({
        "type": "event", "match": "order",
        "transform": "{'id': event.data.id, 'names': event.data.items.map(i, i.name)}",
    });
    let code = "export const handler = (event) => event.data;\n";
    let server = noting(trigger, code).await;
    let data = json!({ "id": 7, "items": [{ "name": "a", "price": 1 }, { "name": "b" }] });
    server.emit("order", data.clone()).await;
    server.emit("order", json!({ "id": 8 })).await;
    let ended = ends(&server, 2).await;
    assert_eq!(statuses(&ended), ["success", "failed"], "{ended:#?}");
    let good = server.execution(ended[0]["id"].as_str().expect("an id")).await;
    assert_eq!(good["output"], json!({ "id": 7, "names": ["a", "b"] }));
    assert_eq!(good["input"], data, "the log keeps the event as it came");
    assert_eq!(ended[1]["error"]["code"], "TR_004", "{ended:#?}");
    assert_eq!(ended[1]["attempts"], 1);
}

#[tokio::test]
async fn a_higher_priority_goes_first_and_a_lower_one_goes_in_the_end() {
    let trigger = json!({
        "type": "event", "match": "job", "concurrency": { "limit": 1 },
        "priority": "event.data.p",
    });
    let code = "export const handler = async (event) => {\n  note(String(event.data.p));\n  \
         await until('gate');\n};\n";
    let server = noting(trigger, code).await;
    server.emit("job", json!({ "p": 0 })).await;
    until("the first one runs", async || (notes(&server).len() == 1).then_some(())).await;
    for p in [1, 300, 200, 300, -5] {
        server.emit("job", json!({ "p": p })).await;
    }
    open(&server, "gate");
    ends(&server, 6).await;
    assert_eq!(notes(&server), ["0", "300", "300", "200", "1", "-5"]);
}

#[tokio::test]
async fn a_dead_letter_is_told_of_as_an_event() {
    let trigger = json!({
        "type": "event", "match": "go", "retry": { "attempts": 1 },
        "dead_letter": { "publish": "went.wrong" },
    });
    let code = "export const handler = (event) => { throw new Error('no'); };\n";
    let server = noting(trigger, code).await;
    server.emit("go", json!({ "n": 1 })).await;
    let ended = ends(&server, 1).await;
    let events = server.get("/api/events?type=went.wrong").await.expect(200).json();
    let event = &events["data"][0];
    assert_eq!(event["data"]["execution_id"], ended[0]["id"], "{events}");
    assert_eq!(event["data"]["data"], json!({ "n": 1 }), "{events}");
    assert_eq!(event["cause_id"], ended[0]["id"], "{events}");
}

#[tokio::test]
async fn a_rate_of_a_route_refuses_what_is_too_much() {
    let trigger = json!({ "type": "http", "path": "/r", "rate": { "limit": 2, "per": "1h" } });
    let code = "export const handler = () => new Response('ok');\n";
    let server = noting(trigger, code).await;
    for _ in 0..2 {
        server.get("/r").await.expect(200);
    }
    let refused = server.get("/r").await.expect(429);
    assert_eq!(refused.code(), "FN_007");
    assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
}

#[tokio::test]
async fn a_long_queue_of_one_trigger_holds_up_no_other() {
    // A tenth of a million keeps the test short; what counts is that the window is far exceeded.
    let slow = json!({ "runtime": "node", "triggers": [
        { "type": "event", "match": "flood", "concurrency": { "limit": 1 } },
        { "type": "event", "match": "single" },
    ]});
    let code = "export const handler = async (event) => {\n  \
         if (event.type === 'flood') await new Promise((done) => setTimeout(done, 20));\n};\n";
    let files =
        [("functions/f/function.json", &*slow.to_string()), ("functions/f/index.mjs", code)];
    let server = crate::support::dev(&files).await;
    let flood: Vec<_> = (0..5_000).map(|_| json!({ "type": "flood", "data": null })).collect();
    for _ in 0..20 {
        server.post("/api/events", json!(flood)).await.expect(202);
    }
    let began = Instant::now();
    let id = server.emit("single", json!({})).await;
    let path = format!("event={id}");
    server.ended(&path, 1).await;
    // Not a measurement: the hundred thousand alone would take more than half an hour.
    assert!(began.elapsed() < Duration::from_secs(20));
    server.metric("evoke_executions_pending", |value| value > 90_000.0).await;
}

/// A policy in the words of the API, by name.
fn all_policies() -> Vec<(&'static str, Value)> {
    vec![
        ("filter", json!({ "filter": "event.data.n != 3" })),
        ("idempotency", json!({ "idempotency": { "key": "string(event.data.n / 2)" } })),
        ("debounce", json!({ "debounce": { "wait": "50ms", "key": "event.data.k" } })),
        ("all", json!({ "debounce": { "wait": "50ms", "mode": "all" } })),
        ("order_by", json!({ "order_by": "event.data.k" })),
        ("batch", json!({ "batch": { "size": 3, "wait": "20ms" } })),
        ("queue", json!({ "concurrency": { "limit": 1, "key": "event.data.k" } })),
        ("skip", json!({ "concurrency": { "limit": 2, "overflow": "skip" } })),
        ("cancel", json!({ "concurrency": { "limit": 2, "overflow": "cancel" } })),
        ("rate", json!({ "rate": { "limit": 100, "per": "1s", "burst": 2 } })),
        ("priority", json!({ "priority": "event.data.n" })),
        ("transform", json!({ "transform": "{'n': event.data.n}" })),
        ("retry", json!({ "retry": { "attempts": 3, "initial": "1ms" } })),
        ("timeout", json!({ "timeout": "5s" })),
    ]
}

#[tokio::test]
async fn every_pair_of_policies_comes_to_an_end_in_a_real_function() {
    // One worker, for it remembers what it has seen.
    let scaling = json!({ "maxInstances": 1 });
    let manifest = json!({ "runtime": "node", "scaling": scaling }).to_string();
    let code = "const seen = new Set();\nexport const handler = (input) => {\n  \
         const failed = [];\n  \
         for (const event of Array.isArray(input) ? input : [input]) {\n    \
         if (event.data.n === 1 && event.type.includes('retry') && !seen.has(event.id)) {\n      \
         seen.add(event.id);\n      if (!Array.isArray(input)) throw new Error('once more');\n      \
         failed.push(event.id);\n    }\n  }\n  return { failed };\n};\n";
    let files = [("functions/f/function.json", &*manifest), ("functions/f/index.mjs", code)];
    let server = crate::support::dev(&files).await;
    let policies = all_policies();
    let mut wanted = Vec::new();
    let mut events = Vec::new();
    for (place, (first, one)) in policies.iter().enumerate() {
        for (second, other) in &policies[place + 1..] {
            let (Value::Object(mut policy), Value::Object(more)) = (one.clone(), other.clone())
            else {
                continue;
            };
            // Two forms of one policy are no pair.
            if more.keys().any(|key| policy.contains_key(key)) {
                continue;
            }
            policy.extend(more);
            let breaks_order = ["skip", "cancel", "debounce"];
            let both = [first, second];
            let is_refused =
                both.contains(&&"order_by") && both.iter().any(|name| breaks_order.contains(name));
            let name = format!("{first}-{second}");
            let body = json!({
                "name": name, "type": "event", "config": { "match": format!("pair.{name}") },
                "policy": policy, "target": { "type": "function", "config": { "name": "f" } },
            });
            let answer = server.post("/api/triggers", body).await;
            if is_refused {
                assert_eq!(answer.expect(400).code(), "TR_002", "{name}");
                continue;
            }
            answer.expect(201);
            for n in 0..6 {
                let data = json!({ "n": n, "k": (["a", "b"][n % 2]) });
                events.push(json!({ "type": format!("pair.{name}"), "data": data }));
            }
            let is_filtered = both.contains(&&"filter");
            wanted.push((name, if is_filtered { 5 } else { 6 }));
        }
    }
    server.post("/api/events", json!(events)).await.expect(202);
    for (name, count) in wanted {
        let ended = server.ended(&format!("trigger={name}&limit=20"), count).await;
        assert_eq!(ended.len(), count, "{name}");
        let drops = ["skip", "cancel", "debounce", "idempotency"];
        for end in &ended {
            let is_dropped = end["status"] == "cancelled" && end["error"]["code"] == "EX_004";
            let may_drop = drops.iter().any(|policy| name.split('-').any(|part| part == *policy));
            assert!(end["status"] == "success" || (is_dropped && may_drop), "{name}: {end}");
        }
    }
}

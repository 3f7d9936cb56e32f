//! Dead letters, replays, what events led to, who did what, and what becomes of the record.

use evoke_model::Timestamp;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::wire::{Answer, read_all};
use crate::world::{World, keyed};

impl World {
    async fn emit(&self, kind: &str, data: Value) -> String {
        let answer = self.post("/api/events", &json!({ "type": kind, "data": data })).await;
        answer.json()["ids"][0].as_str().expect("an id").to_owned()
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.wire.send(method, path, &[], body.to_string().as_bytes()).await
    }

    async fn count(&self, path: &str) -> usize {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page.json()["data"].as_array().expect("a list").len()
    }

    /// Waits until a list has so many items.
    async fn until(&self, path: &str, count: usize) -> Value {
        for _ in 0..1_000 {
            if self.count(path).await == count {
                return self.get(path).await.json()["data"].clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path} never has {count}: {:?}", self.get(path).await);
    }

    /// Follows an operation to its end, and gives it as it ended.
    async fn done(&self, operation: &Value) -> Value {
        let path = format!("/api/operations/{}/progress", id(operation));
        let mut stream = self.wire.connect().await;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let text = String::from_utf8_lossy(&read_all(&mut stream).await).into_owned();
        assert!(text.contains("event: progress"), "{text}");
        let last = text.lines().rfind(|line| line.starts_with("data: ")).expect("a message");
        serde_json::from_str(&last["data: ".len()..]).expect("json")
    }
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap_or_else(|| panic!("an id: {of}"))
}

#[tokio::test]
async fn dead_letters_are_grouped_shown_edited_and_run_again() {
    let world = World::new().await;
    world.on("picky", "order.*").await;
    world.on("fails", "t").await;
    for n in 0..3 {
        world.emit("order.paid", json!({ "n": n })).await;
    }
    world.emit("t", json!({})).await;
    world.until("/api/dead-letters", 4).await;
    let groups = world.get("/api/dead-letters/groups").await.json();
    let first = &groups["data"][0];
    assert_eq!((&first["count"], &first["function"]), (&json!(3), &json!("picky")), "{groups}");
    assert_eq!(first["error"], json!({ "code": "FN_004", "message": "that is not ok" }));
    let at = |name: &str| {
        let at: Timestamp = first[name].as_str().expect("a time").parse().expect("a time");
        at
    };
    assert!(at("first_at") <= at("last_at"), "{first}");
    let cause = first["cause"].as_str().expect("a cause");
    assert_eq!(cause.len(), 16);
    assert_eq!(world.count("/api/dead-letters/groups?trigger=fails%20by%20event").await, 1);
    assert_eq!(world.count(&format!("/api/dead-letters?cause={cause}")).await, 3);
    assert_eq!(world.count(&format!("/api/executions?cause={cause}&status=failed")).await, 3);
    assert_eq!(world.count("/api/dead-letters?function=fails").await, 1);

    let letter = format!("/api/dead-letters/{}", first["sample_id"].as_str().expect("an id"));
    let shown = world.get(&letter).await.json();
    assert_eq!((&shown["cause"], &shown["input"]), (&json!(cause), &json!({ "n": 2 })), "{shown}");
    assert_eq!(shown["history"][0]["status"], "failed", "{shown}");
    assert_eq!(shown["is_edited"], false);
    let edited = world.call("PATCH", &letter, &json!({ "data": { "ok": true } })).await.json();
    assert_eq!((&edited["is_edited"], &edited["input"]), (&json!(true), &json!({ "ok": true })));
    let event = format!("/api/events/{}", shown["event_id"].as_str().expect("an id"));
    assert_eq!(
        world.get(&event).await.json()["data"],
        json!({ "n": 2 }),
        "the event stays as it was"
    );

    let all = json!({ "cause": cause, "function": "picky" });
    let mut dry = all.clone();
    dry["dry_run"] = json!(true);
    let counted = world.post("/api/dead-letters/redrive", &dry).await;
    assert_eq!((counted.status, counted.json()), (200, json!({ "count": 3 })));
    let started = world.post("/api/dead-letters/redrive", &all).await;
    assert_eq!(started.status, 202, "{started:?}");
    let operation = started.json();
    let place = format!("/api/operations/{}", id(&operation));
    assert_eq!(started.header("location"), Some(place.as_str()));
    assert_eq!((&operation["kind"], &operation["actor"]), (&json!("redrive"), &json!("local")));
    let ended = world.done(&operation).await;
    assert_eq!(ended["status"], "done", "{ended}");
    let progress = &ended["progress"];
    assert_eq!((&progress["taken"], &progress["succeeded"]), (&json!(3), &json!(1)), "{ended}");
    assert_eq!(world.count(&format!("/api/dead-letters?cause={cause}")).await, 2);
    let mended = world.get(&letter).await;
    assert_eq!((mended.status, mended.code().as_str()), (409, "EX_005"));
    let again = world.call("PATCH", &letter, &json!({ "data": 1 })).await;
    assert_eq!((again.status, again.code().as_str()), (409, "EX_005"));

    let to = json!({ "function": "picky", "to": { "function": "fails" }, "stop_after": 1 });
    let elsewhere = world.post("/api/dead-letters/redrive", &to).await.json();
    world.done(&elsewhere).await;
    let moved = world.until("/api/dead-letters?trigger=picky%20by%20event", 2).await;
    assert_eq!(moved[0]["redirect"], json!({ "function": "fails" }), "{moved}");
    assert_eq!(world.get("/api/operations").await.json()["data"][0]["id"], elsewhere["id"]);
}

#[tokio::test]
async fn nobody_purges_by_leaving_something_out() {
    let world = World::new().await;
    world.on("fails", "t").await;
    for n in 0..3 {
        world.emit("t", json!({ "n": n })).await;
    }
    let letters = world.until("/api/dead-letters", 3).await;
    let purge = async |query: &str| world.call("DELETE", query, &Value::Null).await;
    let refused = purge("/api/dead-letters").await;
    assert_eq!((refused.status, refused.fields()), (400, vec!["all".to_owned()]));
    let refused = purge("/api/dead-letters?all=true&function=fails").await;
    assert_eq!(refused.fields(), ["all"]);
    let refused = purge("/api/dead-letters?ids=exe_1&cause=7&casue=1").await;
    assert_eq!(refused.fields(), ["cause", "ids", "casue"]);
    let one = purge(&format!("/api/dead-letters?ids={}", id(&letters[0]))).await;
    assert_eq!((one.status, one.json()), (200, json!({ "count": 1 })));
    let one = purge("/api/dead-letters?filter=event.data.n%20%3D%3D%200").await;
    assert_eq!(one.json(), json!({ "count": 1 }));
    assert_eq!(purge("/api/dead-letters?all=true").await.json(), json!({ "count": 1 }));
    assert_eq!(world.count("/api/dead-letters").await, 0);
    assert_eq!(world.count("/api/executions?status=failed").await, 3, "the record keeps them");
    let trail = world.get("/api/audit?action=dead_letter.*").await.json();
    assert_eq!(trail["data"].as_array().map(Vec::len), Some(3), "{trail}");
    assert_eq!(trail["data"][0]["action"], "dead_letter.purge");
    assert_eq!(trail["data"][0]["detail"]["count"], 1, "{trail}");
    assert_eq!(world.count("/api/audit?action=trigger.*").await, 0);
}

#[tokio::test]
async fn events_are_replayed_to_all_to_one_trigger_or_to_a_function() {
    let world = World::new().await;
    world.on("echo", "order.*").await;
    world.on("nothing", "order.paid").await;
    world.on("text", "never").await;
    world.emit("order.paid", json!({ "n": 1 })).await;
    let first = world.emit("order.sent", json!({ "n": 2 })).await;
    world.until("/api/executions?status=success", 3).await;
    let wanted = json!({ "type": "order.*", "dry_run": true });
    let counted = world.post("/api/events/replay", &wanted).await;
    assert_eq!(counted.status, 200, "{counted:?}");
    let counted = counted.json();
    assert_eq!((&counted["events"], &counted["last"]), (&json!(2), &json!(first)), "{counted}");
    let most = &counted["executions"][0];
    assert_eq!((&most["trigger_name"], &most["count"]), (&json!("echo by event"), &json!(2)));
    let operation = world.post("/api/events/replay", &json!({ "type": "order.*" })).await;
    assert_eq!(operation.status, 202, "{operation:?}");
    let ended = world.done(&operation.json()).await;
    assert_eq!((&ended["kind"], &ended["status"]), (&json!("replay"), &json!("done")), "{ended}");
    assert_eq!(ended["progress"]["executions"], 3, "{ended}");
    assert_eq!(world.count("/api/executions?is_replay=true").await, 3);
    assert_eq!(world.count("/api/executions?is_replay=false").await, 3);
    let newest = &world.get("/api/events").await.json()["data"][0];
    assert_eq!(newest["replay_of"], json!(first), "{newest}");

    for (to, taken) in
        [(json!({ "trigger": "nothing by event" }), 1), (json!({ "function": "text" }), 2)]
    {
        let body = json!({ "type": "order.*", "to": to });
        let ended = world.done(&world.post("/api/events/replay", &body).await.json()).await;
        assert_eq!(ended["progress"]["executions"], taken, "{to}: {ended}");
    }
    for (body, status, code) in [
        (json!({ "to": { "trigger": "nothng by event" } }), 404, "TR_001"),
        (json!({ "to": { "function": "txt" } }), 404, "FN_001"),
        (json!({ "to": { "function": "text", "version": 99 } }), 400, "API_001"),
        (json!({ "filter": "event.data.n >" }), 400, "API_001"),
        (json!({ "tpye": "x", "rate": { "limit": 0, "per": "x" } }), 400, "API_001"),
    ] {
        let refused = world.post("/api/events/replay", &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{body}");
    }
}

#[tokio::test]
async fn an_operation_is_cancelled_once() {
    let world = World::new().await;
    world.on("echo", "t").await;
    for _ in 0..3 {
        world.emit("t", json!({})).await;
    }
    world.until("/api/executions?status=success", 3).await;
    let slow = json!({ "type": "t", "rate": { "limit": 1, "per": "1h" } });
    let operation = world.post("/api/events/replay", &slow).await.json();
    let path = format!("/api/operations/{}", id(&operation));
    let cancelled = world.call("POST", &format!("{path}/cancel"), &json!({})).await.json();
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
    assert_eq!(world.done(&operation).await["status"], "cancelled");
    let again = world.call("POST", &format!("{path}/cancel"), &json!({})).await;
    assert_eq!((again.status, again.code().as_str()), (409, "OP_002"));
    for path in ["/api/operations/opr_0000000000000", "/api/operations/x/progress"] {
        assert_eq!(world.get(path).await.code(), "OP_001", "{path}");
    }
}

#[tokio::test]
async fn a_tree_shows_what_an_event_led_to() {
    let world = World::new().await;
    world.on("echo", "t").await;
    world.on("fails", "t").await;
    let event = world.emit("t", json!({ "n": 1 })).await;
    world.ended("echo").await;
    world.ended("fails").await;
    let tree = world.get(&format!("/api/events/{event}/tree")).await.json();
    assert_eq!(tree["truncated"], false);
    assert_eq!(tree["root"]["event"]["id"], json!(event));
    assert!(tree["root"]["event"].get("data").is_none(), "{tree}");
    let executions = tree["root"]["executions"].as_array().expect("a list");
    let ran = |name: &str| {
        let one = executions.iter().find(|one| one["execution"]["function"] == name);
        one.unwrap_or_else(|| panic!("{name}: {tree}"))["execution"]["status"].clone()
    };
    assert_eq!((ran("echo"), ran("fails")), (json!("success"), json!("failed")));
    assert_eq!(world.get("/api/events/nobody/tree").await.code(), "EV_002");
}

#[tokio::test]
async fn the_trail_names_the_key_that_asked() {
    let world = World::with(keyed()).await;
    let (_, secret) = world.engine.create_key("mona".into()).await.expect("a key");
    let headers = [("x-api-key", secret.as_str())];
    world.on("echo", "t").await;
    let sent = world.wire.send("POST", "/api/events/replay", &headers, b"{}").await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let trail = world.wire.send("GET", "/api/audit?action=event.replay", &headers, b"").await;
    let entry = &trail.json()["data"][0];
    assert_eq!((&entry["actor"], &entry["subject"]), (&json!("mona"), &sent.json()["id"]));
    assert!(entry["time"].is_string(), "{entry}");
    let path = "/api/triggers/echo%20by%20event/disable";
    let disabled = world.wire.send("POST", path, &headers, b"").await.json();
    assert_eq!((&disabled["enabled"], &disabled["updated_by"]), (&json!(false), &json!("mona")));
    let path = format!("/api/audit?subject={}", id(&disabled));
    let trail = world.wire.send("GET", &path, &headers, b"").await.json();
    let entry = &trail["data"][0];
    assert_eq!((&entry["actor"], &entry["action"]), (&json!("mona"), &json!("trigger.disable")));
    assert_eq!(world.get("/api/audit").await.status, 401);
    let refused = world.wire.send("POST", "/api/events/replay", &[], b"{}").await;
    assert_eq!(refused.status, 401, "a replay is not an event that is sent");
}

#[tokio::test]
async fn retention_is_shown_and_run_and_the_archive_is_a_tier_of_its_own() {
    let world = World::new().await;
    world.on("echo", "t").await;
    world.emit("t", json!({})).await;
    world.ended("echo").await;
    for list in ["/api/events", "/api/executions"] {
        assert_eq!(world.count(&format!("{list}?tier=active")).await, 1);
        assert_eq!(world.count(&format!("{list}?tier=archived")).await, 0);
        assert_eq!(world.get(&format!("{list}?tier=old")).await.fields(), ["tier"]);
        let feed = world.get(&format!("{list}?tier=archived&follow=true")).await;
        assert_eq!(feed.fields(), ["follow"]);
    }
    let run = world.call("POST", "/api/retention/run", &json!({})).await;
    assert_eq!(run.status, 200, "{run:?}");
    assert_eq!(run.json()["archived_events"], 0);
    let shown = world.get("/api/retention").await.json();
    assert_eq!(shown["policy"]["events"], "7d", "{shown}");
    assert_eq!(shown["archive"]["segments"], 0, "{shown}");
    assert_eq!(shown["last_run"]["at"], run.json()["at"], "{shown}");
}

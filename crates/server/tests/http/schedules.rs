use evoke_model::Timestamp;
use evoke_ports::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::wire::Answer;
use crate::world::{World, trigger};

/// So far away that nothing fires while a test runs.
const RARELY: &str = "0 0 1 1 *";

fn body() -> Value {
    json!({
        "name": "nightly", "type": "cron", "expression": RARELY, "timezone": "Europe/Berlin",
        "function": "echo", "config": { "skip_if_running": true, "input": { "days": 1 } },
    })
}

async fn world() -> World {
    let world = World::new().await;
    world.deploy("echo", Vec::new()).await;
    world
}

impl World {
    async fn act(&self, path: &str) -> Answer {
        self.wire.send("POST", path, &[], b"").await
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("a time: {value}"))
}

#[tokio::test]
async fn a_schedule_lives_and_fires_and_goes() {
    let world = world().await;
    let made = world.post("/api/schedules", &body()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    for (name, value) in [
        ("type", json!("cron")),
        ("expression", json!(RARELY)),
        ("timezone", json!("Europe/Berlin")),
        ("function", json!("echo")),
        ("status", json!("active")),
        ("last_run", Value::Null),
        ("last_status", Value::Null),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert!(time(&made["next_run"]) > SystemClock.now());
    let path = format!("/api/schedules/{}", made["id"].as_str().expect("an id"));
    assert_eq!(world.get(&path).await.json(), made);
    assert_eq!(world.get("/api/schedules/nightly").await.json(), made);

    let fired = world.post(&format!("{path}/trigger"), &json!({ "input": { "days": 9 } })).await;
    assert_eq!(fired.status, 202, "{fired:?}");
    let execution = world.ended("echo").await;
    assert_eq!(execution["id"], fired.json()["execution_id"]);
    assert_eq!(execution["event_id"], fired.json()["event_id"]);
    let id = execution["id"].as_str().expect("an id");
    let input = world.get(&format!("/api/executions/{id}")).await.json()["input"].clone();
    assert_eq!(input["input"], json!({ "days": 9 }), "{input}");

    let paused = world.act(&format!("{path}/pause")).await.json();
    assert_eq!((&paused["status"], &paused["next_run"]), (&json!("paused"), &Value::Null));
    let refused = world.act(&format!("{path}/trigger")).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "TR_003"));
    let resumed = world.act(&format!("{path}/resume")).await.json();
    assert_eq!(resumed["status"], "active");

    let patch = json!({ "type": "interval", "expression": "90m", "timezone": null }).to_string();
    let changed = world.wire.send("PATCH", &path, &[], patch.as_bytes()).await.json();
    assert_eq!(
        (&changed["type"], &changed["expression"]),
        (&json!("interval"), &json!("90m")),
        "{changed}"
    );
    assert_eq!(changed["timezone"], "UTC");
    assert_eq!(changed["config"], made["config"]);
    assert_eq!(world.wire.send("DELETE", &path, &[], b"").await.status, 204);
    assert_eq!(world.get(&path).await.code(), "TR_001");
}

#[tokio::test]
async fn a_trigger_says_where_its_schedule_stands() {
    let world = world().await;
    world.deploy("other", vec![trigger("other", "event", json!({ "match": "t" }))]).await;
    let body = json!({
        "name": "hourly", "type": "schedule", "config": { "cron": RARELY },
        "target": { "type": "function", "name": "echo" },
    });
    let made = world.post("/api/triggers", &body).await.json();
    assert_eq!(made["status"], "active", "{made}");
    assert_eq!((&made["last_run"], &made["last_status"]), (&Value::Null, &Value::Null));
    assert!(made.as_object().is_some_and(|made| made.contains_key("last_status")), "{made}");
    let page = world.get("/api/triggers").await.json();
    for shown in page["data"].as_array().expect("a list") {
        let has = shown.as_object().is_some_and(|fields| fields.contains_key("next_run"));
        assert_eq!(has, shown["type"] == "schedule", "{shown}");
    }
    let fired = world.act("/api/triggers/hourly/fire").await;
    assert_eq!(fired.status, 202, "{fired:?}");
    assert_eq!(world.ended("echo").await["id"], fired.json()["execution_id"]);
    let refused = world.act("/api/triggers/other%20by%20event/fire").await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "TR_003"), "{refused:?}");
    let wrong = world.post("/api/triggers/hourly/fire", &json!({ "inptu": 1 })).await;
    assert_eq!((wrong.status, wrong.fields()), (400, vec!["inptu".to_owned()]));
}

#[tokio::test]
async fn lists_can_be_narrowed_and_paged() {
    let world = world().await;
    world.deploy("other", Vec::new()).await;
    for (name, function) in [("a", "echo"), ("b", "echo"), ("c", "other")] {
        let mut body = body();
        (body["name"], body["function"]) = (json!(name), json!(function));
        assert_eq!(world.post("/api/schedules", &body).await.status, 201);
    }
    world.act("/api/schedules/b/pause").await;
    let names = async |query: &str| {
        let page = world.get(&format!("/api/schedules?{query}")).await.json();
        let items = page["data"].as_array().expect("a list").clone();
        items.iter().map(|item| item["name"].as_str().unwrap_or_default()).collect::<String>()
    };
    assert_eq!(names("").await, "abc");
    assert_eq!(names("function=echo").await, "ab");
    assert_eq!(names("status=paused").await, "b");
    assert_eq!(names("status=ended").await, "");
    assert_eq!(names("limit=2&cursor=1").await, "bc");
    assert_eq!(world.get("/api/schedules?status=of").await.fields(), ["status"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_words_of_the_body() {
    let world = world().await;
    let refused = async |change: Value| {
        let mut body = body();
        for (name, value) in change.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let answer = world.post("/api/schedules", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "TR_002"), "{answer:?}");
        answer.fields()
    };
    for (change, fields) in [
        (json!({ "expression": "61 * * * *" }), vec!["expression"]),
        (json!({ "timezone": "Europe/Berln", "jiter": "1m" }), vec!["jiter"]),
        (json!({ "timezone": "Europe/Berln" }), vec!["timezone"]),
        (json!({ "type": "one_time", "expression": "2020-01-01T00:00:00Z" }), vec!["expression"]),
        (json!({ "end": "2020-01-01" }), vec!["end"]),
        (json!({ "missed": { "policy": "all", "max": 0 } }), vec!["missed.max"]),
        (json!({ "config": { "max_overlap": 0 } }), vec!["config.max_overlap"]),
        (json!({ "policy": { "timeout": "x" } }), vec!["policy.timeout"]),
    ] {
        assert_eq!(refused(change.clone()).await, fields, "{change}");
    }
    let plain = json!({ "name": "a", "at": "2020-01-01T00:00:00Z", "function": "echo" });
    assert_eq!(world.post("/api/schedules", &plain).await.fields(), ["at"]);
    let answer = world.get("/api/schedules/nightli").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "TR_001"));
    assert_eq!(world.post("/api/schedules", &body()).await.status, 201);
    assert!(world.get("/api/schedules/nightli").await.text().contains("nightly"));
    assert_eq!(world.post("/api/schedules", &body()).await.code(), "TR_003");
}

#[tokio::test]
async fn what_a_manifest_declares_ends_quietly() {
    let world = World::new().await;
    let over = json!({ "at": "2020-01-01T00:00:00Z" });
    world.deploy("echo", vec![trigger("echo", "schedule", over)]).await;
    let page = world.get("/api/schedules?status=ended").await.json();
    assert_eq!(page["data"][0]["expression"], "2020-01-01T00:00:00Z", "{page}");
    assert_eq!(page["data"][0]["owner"]["by"], "manifest");
    let path = format!("/api/schedules/{}", page["data"][0]["id"].as_str().expect("an id"));
    let answer = world.wire.send("PATCH", &path, &[], b"{\"enabled\": false}").await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "TR_003"));
    assert_eq!(world.act(&format!("{path}/pause")).await.json()["status"], "paused");
}

#[tokio::test]
async fn the_future_is_told_and_the_past_filled() {
    let world = world().await;
    let mut daily = body();
    daily["expression"] = json!("0 6 * * *");
    daily["config"] = json!({});
    world.post("/api/schedules", &daily).await;
    let path = "/api/schedules/nightly";
    // Berlin goes back to winter time on the 25th of October.
    let query = "after=2026-10-23T12:00:00Z&limit=3";
    let upcoming = world.get(&format!("{path}/upcoming?{query}")).await.json();
    let expected = json!(["2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z", "2026-10-26T05:00:00Z"]);
    assert_eq!(upcoming, json!({ "data": expected, "next_cursor": null }));
    let next = world.get(&format!("{path}/upcoming?limit=1")).await.json()["data"][0].clone();
    assert_eq!(next, world.get(path).await.json()["next_run"]);
    assert_eq!(world.get(&format!("{path}/upcoming?limit=1001")).await.status, 400);

    let mut span = json!({
        "from": "2026-10-24T00:00:00Z", "to": "2026-10-27T00:00:00Z", "dry_run": true
    });
    let counted = world.post(&format!("{path}/backfill"), &span).await;
    assert_eq!(counted.status, 200, "{counted:?}");
    let filled = json!({
        "count": 3, "first": "2026-10-24T04:00:00Z", "last": "2026-10-26T05:00:00Z"
    });
    assert_eq!(counted.json(), filled);
    span["dry_run"] = json!(false);
    let answer = world.post(&format!("{path}/backfill"), &span).await;
    assert_eq!((answer.status, answer.json()), (202, filled));
    for _ in 0..3 {
        world.ended("echo").await;
    }
    let wrong = world.post(&format!("{path}/backfill"), &json!({ "from": "x", "til": 1 })).await;
    assert_eq!((wrong.status, wrong.fields().len()), (400, 3), "{wrong:?}");
    let back = json!({ "from": "2026-10-27T00:00:00Z", "to": "2026-10-24T00:00:00Z" });
    let back = world.post(&format!("{path}/backfill"), &back).await;
    assert_eq!((back.status, back.fields()), (400, vec!["to".to_owned()]));
}

use evoke_ports::{Source, Timing};
use serde_json::{Value, json};

use super::ScheduleSource;

fn checked(config: Value) -> Value {
    ScheduleSource::new().check(&config).unwrap()
}

#[test]
fn each_way_to_say_it_has_one_canonical_form() {
    let every = json!({ "every": "5m", "timezone": "UTC" });
    for (every_name, zone) in [("every", "timezone"), ("interval", "tz"), ("every", "zone")] {
        assert_eq!(checked(json!({ every_name: "5m", zone: "UTC" })), every);
    }
    let at = checked(json!({ "run_at": "2026-12-01T09:00:00Z" }));
    assert_eq!(at, json!({ "at": "2026-12-01T09:00:00Z" }));
    let missed = checked(json!({ "cron": "@daily", "missed": "all" }));
    assert_eq!(missed, json!({ "cron": "@daily", "missed": { "policy": "all" } }));
}

#[test]
fn mistakes_are_told_with_their_field_all_at_once() {
    for (config, fields) in [
        (json!({}), vec!["cron"]),
        (json!({ "cron": "* * * * *", "every": "5m" }), vec!["cron"]),
        (json!({ "cron": 5 }), vec!["cron"]),
        (json!({ "corn": "* * * * *", "every": 5 }), vec!["corn", "every"]),
        (json!({ "cron": "61 * * * *", "timezone": "Europe/Berln" }), vec!["timezone", "cron"]),
        (
            json!({ "every": "1s", "missed": { "policy": "some", "max": 0 } }),
            vec!["missed.max", "missed"],
        ),
        (
            json!({ "every": "1s", "missed": { "max": "x", "til": 1 } }),
            vec!["missed.til", "missed.policy", "missed.max"],
        ),
        (json!({ "every": "1s", "missed": 4 }), vec!["missed", "missed.policy"]),
    ] {
        let problems = ScheduleSource::new().check(&config).unwrap_err();
        let told: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(told, fields, "{config}: {problems:?}");
    }
}

#[test]
fn a_checked_one_has_its_timetable_and_its_input() {
    let config = checked(json!({ "cron": "@hourly", "input": { "a": 1 } }));
    let timing = ScheduleSource::new().timing(&config);
    let Some(Timing::Schedule(recurring)) = timing else { panic!("{timing:?}") };
    assert_eq!(recurring.input, json!({ "a": 1 }));
    let sample = ScheduleSource::new().sample("tick", &config).unwrap();
    assert_eq!((sample.kind.as_str(), &sample.data["input"]["a"]), ("schedule.tick", &json!(1)));
}

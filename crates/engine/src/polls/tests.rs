use bytes::Bytes;
use evoke_model::trigger::Owner;
use evoke_model::{Data, EventId, Millis, Policy, Target};
use evoke_ports::{Poll, Repeats, Reply};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::canonical::{canonical, hash};
use super::place::{FIRST, Open, Tally};
use super::*;

const VECTORS: &str = include_str!("../../../../docs/vectors/poll-context.json");

#[test]
fn contexts_hash_as_published() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() >= 18);
    for vector in &vectors {
        for context in vector["contexts"].as_array().unwrap() {
            let json = context.as_str().unwrap();
            assert_eq!(canonical(json).as_deref(), Ok(vector["canonical"].as_str().unwrap()));
            assert_eq!(hash(json).as_deref(), Ok(vector["sha256"].as_str().unwrap()), "{json}");
        }
    }
}

/// Appendix B of RFC 8785: the bits of a double, and its text.
#[test]
fn numbers_are_printed_as_the_rfc_prints_them() {
    for (bits, expected) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let text = format!("{:.17e}", f64::from_bits(bits));
        assert_eq!(canonical(&text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_has_no_canonical_form_says_why() {
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    for (json, expected) in [
        (r#"{"a":1,"b":{"x":1,"x":2}}"#, "the key \"x\" comes twice"),
        (r#"{"a":1,"\u0061":2}"#, "the key \"a\" comes twice"),
        ("[1e400]", "1e400 is too large for a number"),
        (r#"["\ud800"]"#, "surrogate"),
        (&deep, "nested more than 64 levels deep"),
    ] {
        let wrong = canonical(json).unwrap_err();
        assert!(wrong.contains(expected), "{json}: {wrong}");
    }
}

fn read(json: &str) -> Result<Answer, String> {
    answer::read(&Reply::Value(Data::Json(Bytes::copy_from_slice(json.as_bytes()))))
}

#[test]
fn answers_that_say_no() {
    let no = |state: Option<Value>, reason: Option<&str>| {
        Ok(Answer { fire: None, state, reason: reason.map(str::to_owned) })
    };
    assert_eq!(answer::read(&Reply::Value(Data::None)), no(None, None));
    for (json, expected) in [
        ("null", no(None, None)),
        (r#"{"fire":false}"#, no(None, None)),
        (r#"{"fire":false,"reason":"empty"}"#, no(None, Some("empty"))),
        (r#"{"fire":false,"context":{"depth":3},"state":{"n":1}}"#, no(Some(json!({"n":1})), None)),
        (r#"{"fire":false,"state":null,"reason":null}"#, no(Some(Value::Null), None)),
    ] {
        assert_eq!(read(json), expected, "{json}");
    }
}

#[test]
fn answers_that_fire() {
    for (json, context, state) in [
        (r#"{"fire":true}"#, "{}", None),
        (r#"{"fire":true,"context":null}"#, "{}", None),
        (r#"{"fire":true,"context":{"b":1.0,"a":2},"state":7}"#, r#"{"b":1.0,"a":2}"#, Some(7)),
    ] {
        let answer = read(json).unwrap();
        let fire = answer.fire.unwrap();
        assert_eq!((fire.json.as_ref(), fire.hash), (context.as_bytes(), hash(context).unwrap()));
        assert_eq!(answer.state, state.map(Value::from), "{json}");
    }
}

#[test]
fn anything_else_says_what_came() {
    let long = format!("\"{}\"", "x".repeat(500));
    let large = format!(r#"{{"fire":true,"context":{{"x":"{}"}}}}"#, "x".repeat(1 << 20));
    let much = format!(r#"{{"fire":false,"state":"{}"}}"#, "x".repeat(1 << 16));
    for (json, expected) in [
        ("true", "expected {fire: true|false, ...}, got true"),
        ("[]", "expected {fire: true|false, ...}, got []"),
        ("{}", "expected {fire: true|false, ...}, got {}"),
        (r#"{"fire":"yes"}"#, r#"expected {fire: true|false, ...}, got "yes" in `fire`"#),
        (r#"{"fire":[{}]}"#, "expected {fire: true|false, ...}, got [{}] in `fire`"),
        (r#"{"fire":true,"contxt":{}}"#, "an unknown field \"contxt\" (did you mean \"context\"?)"),
        (r#"{"fire":true,"context":[1]}"#, "`context`: expected an object, got [1]"),
        (r#"{"fire":true,"context":{"a":1,"a":2}}"#, "`context`: the key \"a\" comes twice"),
        (r#"{"fire":false,"reason":3}"#, "`reason`: expected a text, got 3"),
        (&long, "x..."),
        (&large, "`context` has 1048584 bytes, it may have 1048576"),
        (&much, "`state` has 65538 bytes, it may have 65536"),
    ] {
        let wrong = read(json).unwrap_err();
        assert!(wrong.contains(expected), "{wrong}");
        assert!(wrong.len() < 250, "{wrong}");
    }
    let text = answer::read(&Reply::Value(Data::Text(Bytes::from_static(b"no")))).unwrap_err();
    assert_eq!(text, "expected {fire: true|false, ...}, got the text \"no\"");
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn trigger(id: u64) -> Trigger {
    Trigger {
        id: TriggerId::from_u64(id),
        name: "watch".into(),
        kind: "poll".into(),
        config: Value::Null,
        target: Target::function("f"),
        policy: Policy::default(),
        enabled: true,
        owner: Owner::Api,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        updated_by: None,
        deleted_at: None,
    }
}

fn poll(function: &str, every: u64) -> Arc<Poll> {
    Arc::new(Poll {
        function: function.to_owned(),
        every: Millis::new(every),
        timeout: Millis::from_secs(10),
        repeats: Repeats::Skip,
    })
}

/// A host with one poll, put to work at this instant.
fn host(every: u64, now: Timestamp) -> Polls {
    let polls = Polls::default();
    put(&polls, (&trigger(1), poll("f", every)), now);
    polls
}

fn put(polls: &Polls, (trigger, poll): (&Trigger, Arc<Poll>), now: Timestamp) {
    let standing = polls.place(&Arc::new(trigger.clone()), poll, now);
    polls.take(standing);
}

fn answered(polls: &Polls, id: u64) {
    polls.change(TriggerId::from_u64(id), |standing| standing.is_asked = false);
}

fn tally(polls: &Polls) -> Tally {
    polls.find(TriggerId::from_u64(1)).unwrap().place.tally
}

#[test]
fn a_hundred_questions_stay_on_their_grid_however_late_each_is_begun() {
    let polls = host(2_000, at(500));
    let mut now = at(500);
    for n in 0..100_i64 {
        let (none, next) = polls.due(now);
        assert!(none.is_empty());
        let due = at(500 + 1_000 + n * 2_000);
        assert_eq!(next, Some(due));
        // Each is begun a little later than the one before, up to almost a whole interval.
        now = due.plus(Millis::new(19 * n as u64));
        let (questions, next) = polls.due(now);
        assert_eq!(questions.iter().map(|one| one.scheduled).collect::<Vec<_>>(), [due]);
        assert_eq!(next, Some(due.plus(Millis::from_secs(2))));
        answered(&polls, 1);
    }
    assert_eq!((tally(&polls).polls, tally(&polls).last_poll), (100, Some(now)));
}

#[test]
fn a_question_under_way_is_not_asked_again_and_delays_no_other() {
    let polls = host(1_000, at(0));
    put(&polls, (&trigger(2), poll("g", 1_000)), at(0));
    let ids = |questions: Vec<Question>| {
        questions.iter().map(|one| one.trigger.id.as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(ids(polls.due(at(1_000)).0), [1, 2]);
    answered(&polls, 2);
    assert_eq!(ids(polls.due(at(2_000)).0), [2]);
    answered(&polls, 2);
    assert_eq!(ids(polls.due(at(3_000)).0), [2]);
    answered(&polls, 1);
    answered(&polls, 2);
    assert_eq!(ids(polls.due(at(4_000)).0), [1, 2]);
    let tally = tally(&polls);
    assert_eq!((tally.polls, tally.skips.get(&SkipReason::Busy)), (2, Some(&2)));
    let skip = tally.last_skip.unwrap();
    assert_eq!((skip.at, skip.reason), (at(3_000), SkipReason::Busy));
}

#[test]
fn a_clock_that_is_set_moves_the_grid_by_whole_intervals() {
    let polls = host(60_000, at(0));
    assert_eq!(polls.due(at(1_000)).0.len(), 1);
    answered(&polls, 1);
    // An hour ahead: what lies between is not asked for.
    let (questions, next) = polls.due(at(3_600_000));
    assert_eq!(questions[0].scheduled, at(3_541_000));
    assert_eq!((questions.len(), next), (1, Some(at(3_601_000))));
    answered(&polls, 1);
    // And back: nobody waits an hour for the next question.
    let (questions, next) = polls.due(at(30_000));
    assert_eq!((questions.len(), next), (0, Some(at(61_000))));
    assert_eq!(polls.due(at(61_000)).0.len(), 1);
    answered(&polls, 1);
    // A little back: the instant that was asked for is not asked for again.
    assert_eq!(polls.due(at(60_990)).1, Some(at(121_000)));
    assert_eq!(polls.due(at(61_000)).0.len(), 0);
}

/// A poll of which everything is known.
fn place() -> Place {
    let skip = Skip { at: at(4_000), reason: SkipReason::No, message: Some("empty".into()) };
    Place {
        next: Some(at(9_000)),
        function: "f".into(),
        every: Millis::from_secs(2),
        state: json!({ "seen": ["a"] }),
        open: vec![Open { hash: "44136f".into(), event: EventId::from_u64(7) }],
        tally: Tally {
            last_poll: Some(at(5_000)),
            last_fired: Some(at(5_000)),
            polls: 3,
            fired: 1,
            skips: [(SkipReason::No, 1), (SkipReason::SameContext, 1)].into(),
            last_skip: Some(skip),
        },
    }
}

#[test]
fn what_a_change_of_the_trigger_leaves_of_its_place() {
    let now = at(8_500);
    let off = Trigger { enabled: false, ..trigger(1) };
    let after = |trigger: &Trigger, poll: Arc<Poll>| {
        let place = Place::after(Some(place()), (trigger, &poll), now);
        (place.next, place.state.is_null(), place.open.len(), place.tally.polls)
    };
    let first = Some(now.plus(FIRST));
    assert_eq!(after(&trigger(1), poll("f", 2_000)), (Some(at(9_000)), false, 1, 3), "nothing");
    assert_eq!(after(&trigger(1), poll("f", 5_000)), (first, false, 1, 3), "another interval");
    assert_eq!(after(&trigger(1), poll("g", 2_000)), (Some(at(9_000)), true, 1, 3), "whom it asks");
    assert_eq!(after(&off, poll("f", 2_000)), (None, false, 1, 3), "off");
    let paused = Place { next: None, ..place() };
    let again = Place::after(Some(paused), (&trigger(1), &poll("f", 2_000)), now);
    assert_eq!((again.next, again.state), (first, json!({ "seen": ["a"] })), "on again");
    let ahead = Place { next: Some(at(9_000 + 3_600_000)), ..place() };
    let back = Place::after(Some(ahead), (&trigger(1), &poll("f", 2_000)), now);
    assert_eq!(back.next, Some(at(9_000)), "a clock that was set back while it was off");
    let new = Place::after(None, (&trigger(1), &poll("f", 2_000)), now);
    assert_eq!((new.next, new.state), (first, Value::Null));
}

#[test]
fn what_goes_on_while_a_trigger_is_written_is_not_undone() {
    let polls = host(1_000, at(0));
    let standing = polls.place(&Arc::new(trigger(1)), poll("f", 1_000), at(900));
    assert_eq!(polls.due(at(1_000)).0.len(), 1);
    polls.take(standing);
    let live = polls.find(TriggerId::from_u64(1)).unwrap();
    assert_eq!(
        (live.is_asked, live.place.next, live.place.tally.polls),
        (true, Some(at(2_000)), 1)
    );
    assert_eq!(polls.due(at(1_999)).0.len(), 0, "it is not asked twice for one instant");
}

#[test]
fn a_cursor_of_this_release_is_read_by_every_later_one() {
    let stored = json!({
        "function": "f",
        "every": "2s",
        "state": { "seen": ["a"] },
        "open": [{ "hash": "44136f", "event": EventId::from_u64(7) }],
        "tally": {
            "last_poll": "1970-01-01T00:00:05Z",
            "last_fired": "1970-01-01T00:00:05Z",
            "polls": 3,
            "fired": 1,
            "skips": { "no": 1, "same_context": 1 },
            "last_skip": { "at": "1970-01-01T00:00:04Z", "reason": "no", "message": "empty" },
        },
    });
    let trigger = TriggerId::from_u64(1);
    let cursor = crate::timed::cursor(trigger, Some(at(9_000)), &place());
    assert_eq!(cursor.state, stored);
    assert_eq!(Place::read(&cursor), Some(place()));
    let least = json!({ "function": "f", "every": "2s" });
    assert!(Place::read(&Cursor { trigger, next: None, state: least }).is_some());
    let other = json!({ "timetable": "0 0 * * *", "anchor": "1970-01-01T00:00:00Z" });
    assert_eq!(Place::read(&Cursor { trigger, next: None, state: other }), None);
}

//! Waiting for a quiet time.

use evoke_model::Millis;
use evoke_model::policy::{Debounce, DebounceMode};

use super::bed::*;
use super::*;

fn lane(mode: DebounceMode, max_wait: Option<u64>) -> Bed {
    let debounce =
        quiet(10, mode).map(|quiet| Debounce { max_wait: max_wait.map(Millis::new), ..quiet });
    Bed::new(LanePolicy { debounce, ..none() })
}

#[test]
fn the_last_one_goes_once_it_is_quiet_and_keys_do_not_wait_for_one_another() {
    let mut bed = lane(DebounceMode::Last, None);
    let (a, b, c, other) = (made(0, 1), made(6, 2), made(12, 3), made(3, 4));
    bed.offer(&[a], "quiet:k");
    assert_eq!(bed.lane.next_due(), Some(at(10)));
    bed.offer(&[other], "quiet:l");
    bed.offer(&[b, c], "quiet:k");
    assert_eq!(bed.dropped(), [(a, Some(b)), (b, Some(c))]);
    let until = at(22);
    let waits = Verdict::Debounced { until, key: Some("k".into()), last: id(c) };
    assert_eq!(bed.why(c, 12), Some(waits));
    assert_eq!(bed.start(13), [other]);
    assert!(bed.start(21).is_empty());
    assert_eq!(bed.lane.next_due(), Some(until));
    assert_eq!(bed.start(22), [c]);
    // The next one begins anew.
    bed.offer(&[made(22, 5)], "quiet:k");
    assert!(bed.start(31).is_empty());
    assert_eq!(bed.start(32), [made(22, 5)]);
}

#[test]
fn it_does_not_wait_for_longer_than_it_may() {
    let mut bed = lane(DebounceMode::All, Some(25));
    let events: Vec<_> = (0..5).map(|place| made(place * 8, place)).collect();
    bed.offer(&events[..4], "");
    assert!(bed.start(24).is_empty());
    assert_eq!(bed.calls(25), [events[..4].to_vec()]);
    bed.offer(&events[4..], "");
    assert!(bed.start(41).is_empty());
    assert_eq!(bed.start(42), events[4..]);
}

/// After a restart all are offered again, late and now and then out of order.
#[test]
fn the_groups_are_the_same_whenever_they_are_offered() {
    let (a, b, c) = (made(0, 1), made(8, 2), made(30, 3));
    for order in [[a, b, c], [b, a, c]] {
        let mut bed = lane(DebounceMode::Last, None);
        for event in order {
            assert_eq!(bed.lane.offer(entry(event, ""), at(35)), Offered::Taken);
        }
        assert_eq!(bed.start(39), [b], "{order:?}");
        assert_eq!(bed.start(40), [c], "{order:?}");
        assert_eq!(bed.dropped(), [(a, Some(b))], "{order:?}");
    }
}

/// One that comes after a newer group has begun belongs to none: its quiet time is over.
#[test]
fn a_latecomer_goes_alone() {
    let mut bed = lane(DebounceMode::Last, None);
    let (a, b) = (made(0, 1), made(30, 2));
    for event in [b, a] {
        assert_eq!(bed.lane.offer(entry(event, ""), at(35)), Offered::Taken);
    }
    assert_eq!((bed.start(35), bed.start(40)), (vec![a], vec![b]));
}

#[test]
fn what_has_not_come_yet_keeps_nobody_waiting() {
    let mut bed = lane(DebounceMode::Last, None);
    let (later, now) = (made(0, 1), made(1, 2));
    bed.put(Entry { due: at(500), ..entry(later, "") });
    bed.offer(&[now], "");
    assert_eq!(bed.why(later, 1), Some(Verdict::NotDue { at: at(500) }));
    assert_eq!(bed.start(11), [now]);
    assert!(bed.start(509).is_empty());
    assert_eq!(bed.start(510), [later]);
}

#[test]
fn one_that_waits_may_be_cancelled_and_is_known() {
    let mut bed = lane(DebounceMode::All, None);
    bed.offer(&[1, 2], "");
    assert_eq!(bed.lane.offer(entry(2, ""), at(0)), Offered::Known);
    assert_eq!(bed.lane.cancel(id(1)), Some(1));
    assert_eq!(bed.start(10), [2]);
}

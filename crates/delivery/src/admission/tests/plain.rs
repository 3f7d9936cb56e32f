//! Without a policy, and what every lane has: capacity, limits, pauses.

use evoke_model::policy::Overflow;

use super::bed::*;
use super::*;

#[test]
fn a_plain_lane_is_first_in_first_out_once_due() {
    let mut bed = Bed::new(none());
    for (event, due) in [(1, 0), (2, 50), (3, 0), (4, 20)] {
        bed.put(Entry { due: at(due), ..entry(event, "") });
    }
    assert_eq!(bed.lane.next_due(), Some(at(20)));
    assert_eq!(bed.start(0), [1, 3]);
    assert!(bed.start(19).is_empty());
    assert_eq!(bed.start(50), [4, 2]);
    assert_eq!((bed.lane.len(), bed.lane.running(), bed.lane.next_due()), (0, 4, None));
}

#[test]
fn capacity_and_the_limit_hold_back() {
    let mut bed = Bed::new(LanePolicy { concurrency: limit(2, Overflow::Queue), ..none() });
    bed.offer(&[1, 2, 3, 4], "");
    assert_eq!(bed.lane.next(at(0), 0), None);
    assert_eq!(bed.start(0), [1, 2]);
    let full = Verdict::ConcurrencyFull { limit: 2, key: None, running: 2 };
    assert_eq!(bed.why(3, 0), Some(full));
    assert_eq!(bed.lane.head(at(0)), None);
    bed.finish(&[1]);
    let why = |bed: &Bed, capacity| bed.lane.explain(id(3), at(0), capacity);
    assert_eq!(why(&bed, 0), Some(Verdict::NoCapacity { running: 1 }));
    assert_eq!(why(&bed, 1), Some(Verdict::Ready));
    assert_eq!(bed.why(4, 0), Some(Verdict::Outranked { position: 1 }));
    assert_eq!(bed.start(0), [3]);
}

#[test]
fn the_limit_of_one_key_is_not_that_of_another() {
    let mut bed = Bed::new(LanePolicy { concurrency: limit_by_key(1, Overflow::Queue), ..none() });
    for (event, keys) in [(1, "place:a"), (2, "place:a"), (3, "place:b"), (4, "place:a"), (5, "")] {
        bed.offer(&[event], keys);
    }
    assert_eq!(bed.start(0), [1, 3, 5]);
    let full = Verdict::ConcurrencyFull { limit: 1, key: Some("a".into()), running: 1 };
    assert_eq!(bed.why(2, 0), Some(full));
    bed.finish(&[1]);
    assert_eq!(bed.start(0), [2]);
    assert_eq!(bed.lane.cancel(id(4)), Some(4));
    bed.finish(&[2]);
    bed.offer(&[6], "place:a");
    assert_eq!(bed.start(0), [6]);
}

#[test]
fn skip_drops_whoever_finds_no_place_even_where_the_target_has_no_room() {
    let mut bed = Bed::new(LanePolicy { concurrency: limit_by_key(1, Overflow::Skip), ..none() });
    bed.offer(&[1, 2], "place:a");
    bed.offer(&[3], "place:b");
    assert_eq!(bed.start(0), [1, 3]);
    let key = Some("a".into());
    let why: Vec<_> = bed.lane.take_dropped().into_iter().map(|(_, why)| why).collect();
    assert_eq!(why, [Dropped::Overflow { limit: 1, key }]);
    bed.offer(&[4], "place:a");
    bed.offer(&[5], "place:c");
    assert_eq!(bed.lane.next(at(0), 0), None);
    assert_eq!(bed.dropped(), [(4, None)]);
    assert_eq!(bed.start(0), [5]);
}

#[test]
fn cancel_makes_room_for_the_newest() {
    let mut bed = Bed::new(LanePolicy { concurrency: limit(2, Overflow::Cancel), ..none() });
    bed.offer(&[1, 2], "");
    assert_eq!(bed.start(0), [1, 2]);
    bed.offer(&[3], "");
    assert!(bed.start(0).is_empty());
    assert_eq!(bed.cancels(), [1]);
    // Again, without room in the target: the oldest that is not being cancelled yet.
    bed.offer(&[4], "");
    assert_eq!(bed.lane.next(at(0), 0), None);
    assert_eq!(bed.cancels(), [2]);
    // Both are being cancelled: one that waits has to give way.
    bed.offer(&[5], "");
    assert!(bed.start(0).is_empty());
    assert_eq!((bed.cancels(), bed.dropped()), (vec![], vec![(3, Some(5))]));
    bed.finish(&[2]);
    assert_eq!(bed.start(0), [4]);
    bed.finish(&[1]);
    assert_eq!(bed.start(0), [5]);
}

#[test]
fn a_paused_lane_stands_still_until_its_time() {
    let mut bed = Bed::new(none());
    bed.offer(&[1], "");
    bed.lane.pause(Some(at(10)), "endpoint down");
    assert!(bed.start(9).is_empty());
    assert_eq!(bed.lane.next_due(), Some(at(10)));
    let paused = Verdict::Paused { until: Some(at(10)), why: "endpoint down".into() };
    assert_eq!(bed.why(1, 9), Some(paused));
    assert_eq!(bed.start(10), [1]);
    bed.offer(&[2], "");
    bed.lane.pause(None, "disabled");
    assert_eq!((bed.start(1_000), bed.lane.next_due()), (vec![], None));
    bed.lane.resume();
    assert_eq!(bed.start(1_000), [2]);
}

//! Who goes first.

use super::bed::*;
use super::*;

fn with(event: u64, priority: i32, due: i64) -> Entry<u64> {
    Entry { priority, due: at(due), ..entry(event, "") }
}

#[test]
fn a_point_is_a_head_start_of_a_second() {
    for (entries, order) in [
        (&[(1, 0, 0), (2, 0, 0), (3, 0, 0)][..], &[1, 2, 3][..]),
        (&[(1, 0, 0), (2, 5, 0), (3, 9, 0)], &[3, 2, 1]),
        (&[(1, -1, 0), (2, 0, 0)], &[2, 1]),
        // Who has waited for longer than the difference goes first.
        (&[(1, 0, 0), (2, 3, 2_999)], &[2, 1]),
        (&[(1, 0, 0), (2, 3, 3_000)], &[1, 2]),
        // A priority is cut.
        (&[(1, 1_000, 0), (2, i32::MAX, 1)], &[1, 2]),
    ] {
        let mut bed = Bed::new(none());
        for (event, priority, due) in entries {
            bed.lane.offer(with(*event, *priority, *due), at(5_000));
        }
        assert_eq!(bed.start(5_000), order, "{entries:?}");
    }
}

#[test]
fn the_head_is_what_would_go_first() {
    let mut bed = Bed::new(none());
    assert_eq!(bed.lane.head(at(0)), None);
    bed.put(with(1, 2, 30));
    assert_eq!(bed.lane.head(at(29)), None);
    // Nobody has moved it on from its timer yet.
    assert_eq!(bed.lane.head(at(30)), Some(Head { priority: 2, due: at(30) }));
    bed.put(with(2, 0, 0));
    assert_eq!(bed.lane.head(at(30)), Some(Head { priority: 0, due: at(0) }));
    assert!(bed.lane.next(at(30), 0).is_none());
    assert_eq!(bed.lane.head(at(30)), Some(Head { priority: 2, due: at(30) }));
    bed.lane.pause(None, "test");
    assert_eq!(bed.lane.head(at(30)), None);
}

#[test]
fn once_all_are_gone_a_lane_is_first_in_first_out_again() {
    let mut bed = Bed::new(none());
    bed.put(with(1, 0, 0));
    bed.put(with(2, 1, 0));
    assert_eq!(bed.start(0), [2, 1]);
    for event in [5, 4, 3] {
        bed.put(with(event, 0, 0));
    }
    assert_eq!(bed.start(0), [5, 4, 3]);
}

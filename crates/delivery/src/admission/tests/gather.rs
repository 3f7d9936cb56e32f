//! Several executions in one call.

use evoke_model::policy::Batch;

use super::bed::*;
use super::*;

fn lane(batch: Option<Batch>) -> Bed {
    Bed::new(LanePolicy { batch, ..none() })
}

#[test]
fn a_call_goes_when_it_is_full_or_was_waited_for_long_enough() {
    let mut bed = lane(batch(3, 50));
    bed.offer(&[made(0, 1), made(10, 2)], "");
    let gathering = Verdict::Gathering { until: at(50), have: 2, size: 3 };
    assert_eq!(bed.why(made(0, 1), 10), Some(gathering));
    assert_eq!((bed.start(49), bed.lane.next_due()), (vec![], Some(at(50))));
    assert_eq!(bed.calls(50), [[made(0, 1), made(10, 2)]]);
    bed.offer(&[made(60, 3), made(61, 4), made(62, 5), made(63, 6)], "");
    assert_eq!(bed.calls(63), [[made(60, 3), made(61, 4), made(62, 5)]]);
    // The one that is left came at 63.
    assert!(bed.start(112).is_empty());
    assert_eq!(bed.calls(113), [[made(63, 6)]]);
    assert_eq!(bed.lane.running(), 3);
}

#[test]
fn without_a_wait_goes_what_is_there() {
    let mut bed = lane(batch(3, 0));
    bed.offer(&[1, 2, 3, 4], "");
    assert_eq!(bed.calls(0), [vec![1, 2, 3], vec![4]]);
}

#[test]
fn bytes_bound_a_call_and_a_larger_one_goes_alone() {
    let mut bed = lane(batch_of_bytes(10, 100));
    for (event, bytes) in [(1, 60), (2, 40), (3, 1), (4, 500), (5, 10)] {
        bed.put(Entry { bytes, ..entry(event, "") });
    }
    assert_eq!(bed.calls(0), [vec![1, 2], vec![3], vec![4]]);
    assert_eq!(bed.calls(50), [[5]]);
}

#[test]
fn only_those_with_the_same_key_share_a_call() {
    let by_key = batch(2, 50).map(|batch| Batch { key: Some("k".into()), ..batch });
    let mut bed = lane(by_key);
    bed.offer(&[1, 4], "batch:a");
    bed.offer(&[2, 3], "batch:b");
    bed.offer(&[5], "");
    assert_eq!(bed.calls(0), [[1, 4], [2, 3]]);
    assert_eq!(bed.calls(50), [[5]]);
}

#[test]
fn a_call_is_over_when_each_of_its_executions_is() {
    let mut bed = lane(batch(3, 0));
    bed.offer(&[1, 2, 3], "");
    assert_eq!(bed.calls(0), [[1, 2, 3]]);
    bed.finish(&[1, 3]);
    assert_eq!(bed.lane.running(), 1);
    bed.retry(2, 5, 0);
    assert_eq!((bed.lane.running(), bed.lane.len()), (0, 1));
    bed.offer(&[made(5, 4)], "");
    assert_eq!(bed.calls(5), [[2, made(5, 4)]], "the oldest first, together with others");
}

#[test]
fn one_that_is_cancelled_does_not_count() {
    let mut bed = lane(batch(2, 50));
    bed.offer(&[made(0, 1), made(10, 2)], "");
    let mut bed_of_one = lane(batch(2, 50));
    bed_of_one.offer(&[made(0, 1)], "");
    assert_eq!(bed_of_one.lane.cancel(id(made(0, 1))), Some(made(0, 1)));
    bed_of_one.offer(&[made(10, 2)], "");
    assert!(bed_of_one.start(59).is_empty());
    assert_eq!(bed_of_one.start(60), [made(10, 2)]);
    assert_eq!(bed.calls(10), [[made(0, 1), made(10, 2)]]);
}

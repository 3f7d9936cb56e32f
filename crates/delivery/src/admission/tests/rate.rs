//! So many calls per time.

use evoke_model::policy::Rate;

use super::bed::*;
use super::*;

#[test]
fn who_is_out_of_tokens_waits_and_keys_do_not_block_one_another() {
    let mut bed = Bed::new(LanePolicy { rate: one_in(100, 2), ..none() });
    bed.offer(&[1, 2, 3, 4], "rate:a");
    bed.offer(&[5], "rate:b");
    bed.offer(&[6], "");
    assert_eq!(bed.start(0), [1, 2, 5, 6]);
    let key = || Some("a".into());
    let first = Verdict::RateLimited { until: at(100), key: key(), position: 0 };
    let second = Verdict::RateLimited { until: at(200), key: key(), position: 1 };
    assert_eq!((bed.why(3, 0), bed.why(4, 0)), (Some(first), Some(second)));
    assert_eq!(bed.lane.next_due(), Some(at(100)));
    assert!(bed.start(99).is_empty());
    assert_eq!(bed.start(100), [3]);
    assert_eq!(bed.lane.cancel(id(4)), Some(4));
    assert!(bed.start(1_000).is_empty());
    // After a pause the bucket is full, and no fuller.
    bed.offer(&[7, 8, 9], "rate:a");
    assert_eq!(bed.start(1_000), [7, 8]);
}

#[test]
fn without_a_key_all_share_a_bucket() {
    let rate = one_in(100, 1).map(|rate| Rate { key: None, ..rate });
    let mut bed = Bed::new(LanePolicy { rate, ..none() });
    bed.offer(&[1], "rate:a");
    bed.offer(&[2], "rate:b");
    assert_eq!(bed.start(0), [1]);
    let limited = Verdict::RateLimited { until: at(100), key: None, position: 0 };
    assert_eq!(bed.why(2, 0), Some(limited));
    assert_eq!(bed.start(100), [2]);
}

#[test]
fn what_was_spent_is_told_once_and_holds_after_a_restart() {
    let policy = LanePolicy { rate: one_in(100, 2), ..none() };
    let mut bed = Bed::new(policy.clone());
    bed.offer(&[1, 2], "rate:a");
    bed.offer(&[3], "");
    assert_eq!(bed.start(0), [1, 2, 3]);
    let spent = [("a".into(), at(200)), ("".into(), at(100))];
    assert_eq!(bed.lane.take_spent(), spent);
    assert_eq!(bed.lane.take_spent(), []);
    let mut again = Bed::new(policy);
    again.lane.restore_spent(bed.lane.spent());
    again.offer(&[4], "rate:a");
    again.offer(&[5, 6], "");
    assert_eq!(again.start(50), [5]);
    assert_eq!(again.start(100), [4, 6]);
}

#[test]
fn full_buckets_are_forgotten() {
    let mut bed = Bed::new(LanePolicy { rate: one_in(1, 1), ..none() });
    for event in 0..10_000 {
        let now = event as i64 * 10;
        let entry = entry(made(event * 10, 1), &format!("rate:{event}"));
        let (id, keys) = (entry.id, entry.keys.clone());
        bed.lane.offer(entry, at(now));
        assert!(bed.lane.next(at(now), 1).is_some());
        bed.lane.finish(id, &keys);
        assert_eq!(bed.lane.take_spent().len(), 1);
    }
    assert!(bed.lane.spent().len() < 1_000, "{} are kept", bed.lane.spent().len());
}

//! First in, first out per key.

use super::bed::*;
use super::*;

fn ordered() -> Bed {
    Bed::new(LanePolicy { ordered: true, ..none() })
}

fn of_a(event: u64) -> Entry<u64> {
    entry(event, "order:a")
}

#[test]
fn a_head_that_waits_for_its_retry_blocks_its_own_key_only() {
    let mut bed = ordered();
    bed.offer(&[1, 2, 4], "order:a");
    bed.offer(&[3], "order:b");
    assert_eq!(bed.start(0), [1, 3]);
    bed.retry(1, 100, 0);
    assert!(bed.start(50).is_empty());
    assert_eq!(bed.why(1, 50), Some(Verdict::NotDue { at: at(100) }));
    let behind = Verdict::BehindKey { key: "a".into(), position: 2, of: 3 };
    assert_eq!(bed.why(4, 50), Some(behind));
    assert_eq!(bed.lane.next_due(), Some(at(100)));
    assert_eq!(bed.start(100), [1]);
    bed.finish(&[1]);
    assert_eq!(bed.start(100), [2]);
}

/// After a restart the head of a key, which waits for its retry, is read after those behind it.
#[test]
fn the_order_is_that_of_acceptance_whatever_the_order_of_offers() {
    let mut bed = ordered();
    for (event, due) in [(2, 0), (3, 0), (1, 90)] {
        bed.put(Entry { due: at(due), ..of_a(event) });
    }
    assert!(bed.start(0).is_empty());
    assert_eq!(bed.start(90), [1]);
    assert_eq!(bed.lane.offer(of_a(3), at(0)), Offered::Known);
}

#[test]
fn a_cancelled_head_lets_the_next_one_go() {
    let mut bed = ordered();
    bed.put(Entry { due: at(1_000_000), ..of_a(1) });
    bed.put(of_a(2));
    assert!(bed.start(0).is_empty());
    assert_eq!(bed.lane.cancel(id(1)), Some(1));
    assert_eq!(bed.start(0), [2]);
    assert_eq!(bed.lane.cancel(id(9)), None);
}

#[test]
fn a_key_keeps_a_window_and_tells_when_it_runs_low() {
    let mut bed = ordered();
    bed.offer(&[1, 2, 3, 4], "order:a");
    assert_eq!(bed.lane.offer(of_a(5), at(0)), Offered::KeyFull);
    assert!(bed.lane.key_overflowed("a"));
    for event in 1..=3 {
        assert_eq!(bed.start(0), [event]);
        bed.finish(&[event]);
        // One of four left: a quarter of the window.
        assert_eq!(bed.lane.take_hungry_keys().len(), usize::from(event == 3));
    }
    // While the store is read, another one comes that the reader may have missed.
    assert_eq!(bed.lane.offer(of_a(6), at(0)), Offered::KeyFull);
    bed.lane.refill("a", vec![of_a(4), of_a(5)], Rest::None);
    assert_eq!(bed.lane.len(), 2);
    assert!(bed.lane.key_overflowed("a"));
    assert_eq!(bed.start(0), [4]);
    bed.finish(&[4]);
    assert_eq!(bed.lane.take_hungry_keys(), ["a".into()]);
    bed.lane.refill("a", vec![of_a(6)], Rest::None);
    assert!(!bed.lane.key_overflowed("a"));
    for event in [5, 6] {
        assert_eq!(bed.start(0), [event]);
        bed.finish(&[event]);
    }
    assert_eq!(bed.lane.offer(of_a(7), at(0)), Offered::Taken);
}

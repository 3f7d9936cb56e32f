//! Each pair of policies.

use evoke_model::policy::{DebounceMode, Overflow};

use super::bed::*;
use super::*;

const LAST: DebounceMode = DebounceMode::Last;
const ALL: DebounceMode = DebounceMode::All;

mod debounce {
    use super::*;

    #[test]
    fn and_order_the_order_is_kept_among_those_that_came_through() {
        let mut bed = Bed::new(LanePolicy { debounce: quiet(10, LAST), ordered: true, ..none() });
        let (a, b, c) = (made(0, 1), made(1, 2), made(2, 3));
        bed.offer(&[a], "order:o quiet:a");
        bed.offer(&[b], "order:o quiet:b");
        bed.offer(&[c], "order:o quiet:a");
        assert_eq!(bed.dropped(), [(a, Some(c))]);
        assert_eq!(bed.start(12), [b]);
        let behind = Verdict::BehindKey { key: "o".into(), position: 1, of: 2 };
        assert_eq!(bed.why(c, 12), Some(behind));
        bed.finish(&[b]);
        assert_eq!(bed.start(12), [c]);
    }

    #[test]
    fn and_batch_the_group_is_split_by_size() {
        let policy = LanePolicy { debounce: quiet(10, ALL), batch: batch(2, 0), ..none() };
        let mut bed = Bed::new(policy);
        bed.offer(&[1, 2, 3], "quiet:a");
        bed.offer(&[4], "quiet:b");
        assert_eq!(bed.calls(10), [vec![1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn and_batch_the_last_ones_of_several_keys_share_a_call() {
        let policy = LanePolicy { debounce: quiet(10, LAST), batch: batch(5, 0), ..none() };
        let mut bed = Bed::new(policy);
        bed.offer(&[1, 2], "quiet:a");
        bed.offer(&[3], "quiet:b");
        assert_eq!(bed.calls(10), [[2, 3]]);
    }

    #[test]
    fn and_concurrency_who_waits_for_a_place_is_not_replaced_any_more() {
        let policy = LanePolicy {
            debounce: quiet(10, LAST),
            concurrency: limit(1, Overflow::Queue),
            ..none()
        };
        let mut bed = Bed::new(policy);
        let (a, b, c) = (made(0, 1), made(20, 2), made(40, 3));
        bed.offer(&[a], "");
        assert_eq!(bed.start(10), [a]);
        bed.offer(&[b], "");
        assert!(bed.start(30).is_empty());
        bed.offer(&[c], "");
        assert!(bed.start(50).is_empty());
        bed.finish(&[a]);
        assert_eq!(bed.start(50), [b]);
        bed.finish(&[b]);
        assert_eq!((bed.start(50), bed.dropped()), (vec![c], vec![]));
    }

    #[test]
    fn and_rate_a_group_takes_one_token_when_it_goes() {
        let policy = LanePolicy { debounce: quiet(10, ALL), rate: one_in(100, 1), ..none() };
        let mut bed = Bed::new(policy);
        bed.offer(&[1, 2], "rate:a quiet:a");
        assert_eq!((bed.calls(9), bed.lane.take_spent()), (vec![], vec![]));
        assert_eq!(bed.calls(10), [[1, 2]]);
        bed.offer(&[made(10, 3)], "rate:a quiet:a");
        assert_eq!((bed.start(109), bed.start(110)), (vec![], vec![made(10, 3)]));
    }

    #[test]
    fn and_priority_it_does_not_shorten_the_quiet_time() {
        let mut bed = Bed::new(LanePolicy { debounce: quiet(10, LAST), ..none() });
        bed.offer(&[1], "quiet:a");
        bed.put(Entry { priority: 100, ..entry(2, "quiet:b") });
        assert!(bed.start(9).is_empty());
        assert_eq!(bed.start(10), [2, 1]);
    }

    #[test]
    fn and_retry_which_is_not_debounced() {
        let mut bed = Bed::new(LanePolicy { debounce: quiet(10, LAST), ..none() });
        bed.offer(&[1], "");
        assert_eq!(bed.start(10), [1]);
        bed.offer(&[made(12, 2)], "");
        bed.retry(1, 15, 12);
        assert_eq!((bed.start(15), bed.start(22)), (vec![1], vec![made(12, 2)]));
        assert_eq!(bed.dropped(), []);
        // After a restart neither.
        bed.put(Entry { attempts: 1, ..entry(3, "") });
        assert_eq!(bed.start(22), [3]);
    }
}

mod order {
    use super::*;

    #[test]
    fn and_batch_a_key_may_be_in_a_call_several_times_and_nowhere_else() {
        let mut bed = Bed::new(LanePolicy { ordered: true, batch: batch(3, 0), ..none() });
        bed.offer(&[1, 3, 5, 6], "order:a");
        bed.offer(&[2], "order:b");
        bed.offer(&[4], "");
        // 1, 2, 3 fill a call; 5 has to wait for it although there is room beside 4.
        assert_eq!(bed.calls(0), [vec![1, 2, 3], vec![4]]);
        bed.finish(&[2, 3]);
        assert!(bed.start(0).is_empty());
        bed.finish(&[1]);
        assert_eq!(bed.calls(0), [[5, 6]]);
    }

    #[test]
    fn and_batch_those_that_failed_go_back_to_the_head_in_order() {
        let mut bed = Bed::new(LanePolicy { ordered: true, batch: batch(2, 0), ..none() });
        bed.offer(&[1, 2, 3], "order:a");
        assert_eq!(bed.calls(0), [[1, 2]]);
        bed.retry(2, 5, 0);
        assert!(bed.start(9).is_empty());
        bed.retry(1, 20, 9);
        assert!(bed.start(19).is_empty(), "2 is due, but behind 1");
        assert_eq!(bed.calls(20), [[1, 2]]);
        bed.finish(&[1, 2]);
        assert_eq!(bed.calls(20), [[3]]);
    }

    #[test]
    fn and_concurrency_a_key_without_a_place_holds_no_other_key_up() {
        let concurrency = limit_by_key(1, Overflow::Queue);
        let mut bed = Bed::new(LanePolicy { ordered: true, concurrency, ..none() });
        bed.offer(&[1], "order:a place:x");
        bed.offer(&[2], "order:b place:x");
        bed.offer(&[3], "order:b place:y");
        bed.offer(&[4], "order:c place:y");
        assert_eq!(bed.start(0), [1, 4]);
        assert_eq!(bed.lane.cancel(id(2)), Some(2));
        bed.finish(&[4]);
        assert_eq!(bed.start(0), [3]);
    }

    #[test]
    fn and_skip_the_next_of_the_key_takes_the_turn() {
        let concurrency = limit_by_key(1, Overflow::Skip);
        let mut bed = Bed::new(LanePolicy { ordered: true, concurrency, ..none() });
        bed.offer(&[1], "order:a place:x");
        bed.offer(&[2], "order:b place:x");
        bed.offer(&[3], "order:b place:y");
        assert_eq!(bed.start(0), [1, 3]);
        assert_eq!(bed.dropped(), [(2, None)]);
    }

    #[test]
    fn and_cancel_its_own_key_is_not_cancelled_for_those_behind() {
        let concurrency = limit(1, Overflow::Cancel);
        let mut bed = Bed::new(LanePolicy { ordered: true, concurrency, ..none() });
        bed.offer(&[1, 2], "order:a");
        assert_eq!((bed.start(0), bed.cancels()), (vec![1], vec![]));
        bed.offer(&[3], "order:b");
        assert_eq!((bed.start(0), bed.cancels()), (vec![], vec![1]));
        bed.finish(&[1]);
        // 2 is in turn now, and older than 3.
        assert_eq!((bed.start(0), bed.cancels()), (vec![2], vec![2]));
        bed.finish(&[2]);
        assert_eq!((bed.start(0), bed.dropped()), (vec![3], vec![]));
    }

    #[test]
    fn and_rate_a_head_without_a_token_blocks_its_own_key_only() {
        let mut bed = Bed::new(LanePolicy { ordered: true, rate: one_in(100, 1), ..none() });
        bed.offer(&[1], "order:a rate:x");
        bed.offer(&[2], "order:b rate:x");
        bed.offer(&[3], "order:b rate:y");
        bed.offer(&[4], "order:c rate:y");
        assert_eq!(bed.start(0), [1, 4]);
        assert_eq!(bed.start(100), [2]);
        bed.finish(&[2]);
        assert_eq!(bed.start(100), [3]);
    }

    #[test]
    fn and_priority_keys_are_ranked_by_their_head_and_never_within() {
        let mut bed = Bed::new(LanePolicy { ordered: true, ..none() });
        bed.put(entry(1, "order:a"));
        bed.put(Entry { priority: 9, ..entry(2, "order:a") });
        bed.put(Entry { priority: 5, ..entry(3, "order:b") });
        assert_eq!(bed.start(0), [3, 1]);
        bed.finish(&[1]);
        assert_eq!(bed.start(0), [2]);
    }
}

mod batch {
    use super::*;

    #[test]
    fn and_concurrency_a_call_takes_one_place_and_fills_up_while_it_waits() {
        let concurrency = limit(1, Overflow::Queue);
        let mut bed = Bed::new(LanePolicy { batch: batch(3, 0), concurrency, ..none() });
        bed.offer(&[1, 2], "");
        assert_eq!(bed.calls(0), [[1, 2]]);
        bed.offer(&[3], "");
        assert!(bed.calls(0).is_empty());
        bed.offer(&[4, 5, 6], "");
        bed.finish(&[1]);
        assert!(bed.calls(0).is_empty());
        bed.finish(&[2]);
        assert_eq!(bed.calls(0), [[3, 4, 5]]);
    }

    #[test]
    fn and_concurrency_only_those_with_the_same_place_share_a_call() {
        let concurrency = limit_by_key(1, Overflow::Queue);
        let mut bed = Bed::new(LanePolicy { batch: batch(3, 0), concurrency, ..none() });
        bed.offer(&[1, 3], "place:a");
        bed.offer(&[2, 4], "place:b");
        assert_eq!(bed.calls(0), [[1, 3], [2, 4]]);
    }

    #[test]
    fn and_skip_the_whole_call_is_dropped_when_it_would_go() {
        let concurrency = limit(1, Overflow::Skip);
        let mut bed = Bed::new(LanePolicy { batch: batch(2, 50), concurrency, ..none() });
        bed.offer(&[1, 2, 3], "");
        assert_eq!(bed.calls(0), [[1, 2]]);
        assert_eq!(bed.dropped(), [], "3 still waits for others");
        bed.offer(&[4], "");
        assert!(bed.calls(0).is_empty());
        assert_eq!(bed.dropped(), [(3, None), (4, None)]);
    }

    #[test]
    fn and_cancel_all_of_the_call_are_cancelled() {
        let concurrency = limit(1, Overflow::Cancel);
        let mut bed = Bed::new(LanePolicy { batch: batch(2, 50), concurrency, ..none() });
        bed.offer(&[1, 2], "");
        assert_eq!(bed.calls(0), [[1, 2]]);
        bed.offer(&[3], "");
        assert_eq!((bed.start(0), bed.cancels()), (vec![], vec![]));
        bed.offer(&[4], "");
        assert_eq!((bed.start(0), bed.cancels()), (vec![], vec![1, 2]));
        bed.offer(&[5, 6], "");
        assert!(bed.start(0).is_empty());
        assert_eq!(bed.dropped(), [(3, Some(6)), (4, Some(6))]);
        bed.finish(&[1, 2]);
        assert_eq!(bed.calls(0), [[5, 6]]);
    }

    #[test]
    fn and_rate_a_call_takes_one_token() {
        let mut bed = Bed::new(LanePolicy { batch: batch(3, 0), rate: one_in(100, 1), ..none() });
        bed.offer(&[1, 2, 3, 4], "rate:a");
        bed.offer(&[5], "rate:b");
        assert_eq!(bed.calls(0), [vec![1, 2, 3], vec![5]]);
        bed.offer(&[6], "rate:a");
        assert_eq!(bed.calls(100), [[4, 6]]);
    }

    #[test]
    fn and_priority_decides_who_goes_along() {
        let mut bed = Bed::new(LanePolicy { batch: batch(2, 0), ..none() });
        bed.offer(&[1, 2], "");
        bed.put(Entry { priority: 5, ..entry(3, "") });
        assert_eq!(bed.calls(0), [vec![1, 3], vec![2]]);
    }
}

mod concurrency {
    use super::*;

    fn with_rate(overflow: Overflow) -> Bed {
        let concurrency = limit_by_key(1, overflow);
        Bed::new(LanePolicy { concurrency, rate: one_in(100, 1), ..none() })
    }

    #[test]
    fn and_rate_a_place_that_is_not_used_for_want_of_a_token_goes_to_another() {
        let mut bed = with_rate(Overflow::Queue);
        bed.offer(&[1], "place:p rate:a");
        bed.offer(&[2], "place:p rate:a");
        bed.offer(&[3], "place:p rate:b");
        assert_eq!(bed.start(0), [1]);
        bed.finish(&[1]);
        assert_eq!(bed.start(0), [3]);
        assert!(bed.start(100).is_empty());
        bed.finish(&[3]);
        assert_eq!(bed.start(100), [2]);
    }

    #[test]
    fn and_rate_a_token_that_is_not_used_for_want_of_a_place_goes_to_another() {
        let mut bed = with_rate(Overflow::Queue);
        bed.offer(&[1], "place:p rate:x");
        bed.offer(&[2], "place:p rate:a");
        bed.offer(&[3], "place:q rate:a");
        assert_eq!(bed.start(0), [1, 3]);
        bed.offer(&[4], "place:r rate:a");
        assert_eq!(bed.start(100), [4], "2 has the token's turn, but no place");
        bed.finish(&[1]);
        assert_eq!((bed.start(199), bed.start(200)), (vec![], vec![2]));
    }

    #[test]
    fn and_rate_nobody_is_skipped_for_want_of_a_token() {
        let mut bed = with_rate(Overflow::Skip);
        bed.offer(&[1], "place:p rate:a");
        bed.offer(&[2], "place:q rate:a");
        bed.offer(&[3], "place:p rate:b");
        assert_eq!(bed.start(0), [1]);
        assert_eq!(bed.dropped(), [(3, None)]);
        assert_eq!(bed.start(100), [2]);
    }

    #[test]
    fn and_rate_nobody_is_cancelled_for_one_without_a_token() {
        let mut bed = with_rate(Overflow::Cancel);
        bed.offer(&[1, 2], "place:p rate:a");
        assert_eq!((bed.start(0), bed.cancels()), (vec![1], vec![]));
        assert_eq!((bed.start(100), bed.cancels()), (vec![], vec![1]));
        bed.finish(&[1]);
        assert_eq!(bed.start(100), [2]);
    }

    #[test]
    fn and_priority_places_go_to_the_first() {
        let concurrency = limit_by_key(1, Overflow::Queue);
        let mut bed = Bed::new(LanePolicy { concurrency, ..none() });
        bed.offer(&[1, 2], "place:p");
        assert_eq!(bed.start(0), [1]);
        bed.put(Entry { priority: 1, ..entry(3, "place:p") });
        bed.finish(&[1]);
        assert_eq!(bed.start(0), [3]);
    }

    #[test]
    fn and_retry_which_waits_for_a_place_like_all() {
        let concurrency = limit(1, Overflow::Queue);
        let mut bed = Bed::new(LanePolicy { concurrency, ..none() });
        bed.offer(&[1, 2], "");
        assert_eq!(bed.start(0), [1]);
        bed.retry(1, 10, 0);
        assert_eq!((bed.start(0), bed.start(10)), (vec![2], vec![]));
        bed.finish(&[2]);
        assert_eq!(bed.start(10), [1]);
    }

    #[test]
    fn and_retry_which_is_skipped_like_all() {
        let mut bed = Bed::new(LanePolicy { concurrency: limit(1, Overflow::Skip), ..none() });
        bed.offer(&[1], "");
        assert_eq!(bed.start(0), [1]);
        bed.retry(1, 10, 0);
        bed.offer(&[2], "");
        assert_eq!((bed.start(0), bed.start(10)), (vec![2], vec![]));
        assert_eq!(bed.dropped(), [(1, None)]);
    }

    #[test]
    fn and_retry_which_does_not_cancel_a_newer_one() {
        let mut bed = Bed::new(LanePolicy { concurrency: limit(1, Overflow::Cancel), ..none() });
        bed.offer(&[1], "");
        assert_eq!(bed.start(0), [1]);
        bed.retry(1, 10, 0);
        bed.offer(&[2], "");
        assert_eq!((bed.start(0), bed.start(10)), (vec![2], vec![]));
        assert_eq!((bed.cancels(), bed.dropped()), (vec![], vec![(1, Some(2))]));
    }
}

mod rate {
    use super::*;

    #[test]
    fn and_priority_tokens_go_to_the_first() {
        let mut bed = Bed::new(LanePolicy { rate: one_in(100, 1), ..none() });
        bed.offer(&[1, 2], "rate:a");
        assert_eq!(bed.start(0), [1]);
        bed.put(Entry { priority: 1, ..entry(3, "rate:a") });
        assert_eq!((bed.start(100), bed.start(200)), (vec![3], vec![2]));
    }

    #[test]
    fn and_retry_which_takes_a_token_again() {
        let mut bed = Bed::new(LanePolicy { rate: one_in(100, 1), ..none() });
        bed.offer(&[1], "rate:a");
        assert_eq!(bed.start(0), [1]);
        bed.retry(1, 10, 0);
        assert_eq!((bed.start(99), bed.start(100)), (vec![], vec![1]));
    }
}

#[test]
fn priority_and_retry_the_waiting_counts_from_the_new_due_time() {
    let mut bed = Bed::new(none());
    bed.put(Entry { priority: 1, ..entry(1, "") });
    assert_eq!(bed.start(0), [1]);
    bed.retry(1, 2_000, 0);
    bed.lane.offer(Entry { due: at(500), ..entry(2, "") }, at(2_000));
    bed.lane.offer(Entry { due: at(1_500), ..entry(3, "") }, at(2_000));
    assert_eq!(bed.start(2_000), [2, 1, 3]);
}

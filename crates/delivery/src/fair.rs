//! Who goes next where several lanes share a target.
//!
//! Each waits with a claim that grows with time: how long ago it was served, in seconds, plus its
//! priority. The greatest claim goes first. Lanes of one priority therefore take turns, whatever
//! they hold; one of higher priority goes before others, but only until these have waited for the
//! difference in seconds: nobody starves.

use evoke_model::Timestamp;
use evoke_model::policy::Priority;

/// A lane that has something to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The priority of what it would start, cut to [`Priority::MAX`] either way.
    pub priority: i32,
    /// When one of it was started last, or when it began to wait if that is later.
    pub served: Timestamp,
}

/// Where a lane stands among others: the least goes first. It does not change while time passes,
/// since the claims of all grow alike; only what it would start, and being served, change it.
pub fn rank(lane: Waiting) -> i64 {
    lane.served.as_micros().saturating_sub(head_start(lane.priority))
}

/// What a priority is worth, in microseconds of waiting: a second a point.
pub(crate) fn head_start(priority: i32) -> i64 {
    i64::from(priority.clamp(-Priority::MAX, Priority::MAX)) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// The place of the one that goes next; the first of several with the same rank.
    fn pick(waiting: &[Waiting]) -> Option<usize> {
        (0..waiting.len()).min_by_key(|place| rank(waiting[*place]))
    }

    fn waiting(lanes: &[(i32, i64)]) -> Vec<Waiting> {
        lanes
            .iter()
            .map(|(priority, served)| Waiting { priority: *priority, served: at(*served) })
            .collect()
    }

    #[test]
    fn the_greatest_claim_goes_first() {
        for (lanes, picked) in [
            (&[][..], None),
            (&[(0, 10)], Some(0)),
            (&[(0, 10), (0, 5)], Some(1)),
            (&[(0, 10), (0, 10)], Some(0)),
            (&[(0, 10), (1, 10)], Some(1)),
            // Waiting for a second and a bit outweighs one point.
            (&[(0, 0), (1, 1_001)], Some(0)),
            (&[(0, 0), (1, 999)], Some(1)),
            (&[(-1, 0), (0, 1_001)], Some(0)),
            // Priorities are cut.
            (&[(i32::MAX, 2_000), (1_000, 1_999)], Some(1)),
        ] {
            assert_eq!(pick(&waiting(lanes)), picked, "{lanes:?}");
        }
    }

    #[test]
    fn equal_ones_take_turns() {
        let mut lanes = waiting(&[(3, 0), (3, 0), (3, 0)]);
        let turns: Vec<_> = (1..=9)
            .filter_map(|now| {
                let picked = pick(&lanes)?;
                lanes[picked].served = at(now);
                Some(picked)
            })
            .collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    proptest! {
        /// However many calls the others have to make, one every `step`: a lane whose priority is
        /// lower by `d` is served again after `d` seconds and a turn of each other one at the
        /// latest.
        #[test]
        fn nobody_starves(
            priorities in proptest::collection::vec(-20_i32..20, 2..6),
            step in 1_i64..2_000,
        ) {
            let lanes: Vec<_> = priorities.iter().map(|priority| (*priority, 0)).collect();
            let mut lanes = waiting(&lanes);
            let highest = priorities.iter().copied().max().unwrap_or(0);
            for turn in 1..400 {
                let now = at(turn * step);
                let picked = pick(&lanes).expect("some wait");
                lanes[picked].served = now;
                for lane in &lanes {
                    let waited = now.since(lane.served).as_millis() as i64;
                    let bound = i64::from(highest - lane.priority) * 1_000;
                    prop_assert!(waited <= bound + step * (priorities.len() as i64 + 1));
                }
            }
        }
    }
}

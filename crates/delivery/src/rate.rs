//! So many per time: a token bucket, kept as one instant for each key.
//!
//! This is the generic cell rate algorithm, GCRA
//! (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>): the state is the *theoretical
//! arrival time*, the instant at which the bucket is full again. It says everything: an instant in
//! the past is a full bucket and need not be kept, and an instant is easily made durable.

use evoke_model::Timestamp;
use evoke_model::policy::Rate;

/// Tokens come back at this distance, and the bucket holds so many of them.
///
/// A token stands for `per / limit`, which seldom is a whole number of microseconds. It is rounded
/// up: never more go than allowed, and what is lost is less than one microsecond a token. Rates of
/// more than a million a second are therefore cut to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// The time of one token, in microseconds.
    interval: i64,
    /// The time of all tokens of the bucket but one, in microseconds: so far the state may be ahead
    /// of the clock.
    ahead: i64,
}

impl Gcra {
    /// The bucket of a rate. A limit, a time or a burst of zero counts as one.
    pub fn new(rate: &Rate) -> Self {
        let limit = u128::from(rate.limit.max(1));
        let burst = u128::from(rate.burst.unwrap_or(rate.limit).max(1));
        let per = u128::from(rate.per.as_u64().max(1)) * 1_000;
        Self {
            interval: cut(per.div_ceil(limit)),
            ahead: cut(per.div_ceil(limit).saturating_mul(burst - 1)),
        }
    }

    /// Takes a token at `now` from a bucket that is full again at `tat`.
    ///
    /// # Errors
    ///
    /// There is none; the error is when one is back.
    pub fn check(&self, tat: Timestamp, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let free_at = tat.as_micros().saturating_sub(self.ahead);
        if free_at > now.as_micros() {
            return Err(Timestamp::from_micros(free_at));
        }
        Ok(self.after(tat, now, 1))
    }

    /// The state once `tokens` more were taken, whether they may be or not.
    pub fn after(&self, tat: Timestamp, now: Timestamp, tokens: u64) -> Timestamp {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        let spent = self.interval.saturating_mul(tokens);
        Timestamp::from_micros(tat.max(now).as_micros().saturating_add(spent))
    }
}

fn cut(micros: u128) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Millis;
    use proptest::prelude::*;

    fn rate(limit: u32, per: u64, burst: Option<u32>) -> Rate {
        Rate { limit, per: Millis::new(per), key: None, burst }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    /// When so many calls go that are all made at once.
    fn goes(gcra: Gcra, calls: usize) -> Vec<i64> {
        let (mut tat, mut now) = (Timestamp::EPOCH, at(0));
        let mut times = Vec::new();
        while times.len() < calls {
            match gcra.check(tat, now) {
                Ok(next) => {
                    tat = next;
                    times.push(now.as_micros());
                }
                Err(when) => now = when,
            }
        }
        times
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_by_one() {
        let thirds = [0, 333_334, 666_668, 1_000_002];
        for (rate, times) in [
            (rate(2, 1_000, None), [0, 0, 500_000, 1_000_000]),
            (rate(2, 1_000, Some(1)), [0, 500_000, 1_000_000, 1_500_000]),
            (rate(1, 1_000, Some(3)), [0, 0, 0, 1_000_000]),
            (rate(3, 1_000, Some(1)), thirds),
            // Nonsense counts as one.
            (rate(0, 0, Some(0)), [0, 1_000, 2_000, 3_000]),
            (rate(u32::MAX, 1, Some(1)), [0, 1, 2, 3]),
        ] {
            assert_eq!(goes(Gcra::new(&rate), 4), times, "{rate:?}");
        }
    }

    #[test]
    fn after_a_pause_the_bucket_is_full_but_not_more() {
        let gcra = Gcra::new(&rate(2, 1_000, None));
        let now = at(60_000_000);
        let one = gcra.check(at(1_000_000), now).expect("full");
        let two = gcra.check(one, now).expect("one left");
        assert_eq!(gcra.check(two, now), Err(at(60_500_000)));
        assert_eq!(gcra.after(at(0), now, 2), two);
    }

    #[test]
    fn the_ends_of_time_and_of_numbers_do_no_harm() {
        let gcra = Gcra::new(&rate(1, u64::MAX, Some(u32::MAX)));
        let full = gcra.check(at(i64::MIN), at(i64::MAX)).expect("full");
        assert_eq!(full, at(i64::MAX));
        assert_eq!(gcra.after(at(0), at(0), u64::MAX), at(i64::MAX));
    }

    proptest! {
        #[test]
        fn no_interval_holds_more_than_the_bucket_and_what_came_back(
            limit in 1_u32..50,
            per in 1_u64..100,
            burst in proptest::option::of(1_u32..20),
            waits in proptest::collection::vec(0_i64..30_000, 1..80),
        ) {
            let rate = rate(limit, per, burst);
            let gcra = Gcra::new(&rate);
            let (mut tat, mut now) = (Timestamp::EPOCH, 0);
            let mut times: Vec<i64> = Vec::new();
            for wait in waits {
                now += wait;
                match gcra.check(tat, at(now)) {
                    Ok(next) => {
                        tat = next;
                        times.push(now);
                    }
                    // The instant it names is the first at which it goes.
                    Err(when) => {
                        prop_assert!(gcra.check(tat, when).is_ok());
                        prop_assert!(gcra.check(tat, at(when.as_micros() - 1)).is_err());
                    }
                }
            }
            let burst = i64::from(burst.unwrap_or(limit));
            for (place, begun) in times.iter().enumerate() {
                for (count, end) in (1..).zip(&times[place..]) {
                    let back = (end - begun) * i64::from(limit) / (per as i64 * 1_000);
                    prop_assert!(count <= burst + back, "{count} from {begun} to {end}");
                }
            }
        }
    }
}

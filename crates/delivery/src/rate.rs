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
/// A token stands for `per / limit`, which seldom is a whole number of microseconds. The distance
/// is kept in nanoseconds, rounded up, and each instant is rounded up to the microsecond: never
/// more go than allowed, and what is lost is less than one microsecond a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// The time of one token, in microseconds.
    interval: i64,
    /// The time of all tokens of the bucket but one, in microseconds: so far may the state be ahead.
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

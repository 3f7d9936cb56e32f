//! The pace of an operation: a token bucket that gives several tokens at once.

use evoke_delivery::Gcra;
use evoke_model::policy::Rate;
use evoke_model::{Problem, Timestamp};

/// How fast an operation may go.
pub(super) struct Pace {
    bucket: Gcra,
    /// When the bucket is full again.
    full_at: Timestamp,
}

impl Pace {
    pub(super) fn new(rate: &Rate) -> Self {
        Self { bucket: Gcra::new(rate), full_at: Timestamp::EPOCH }
    }

    /// Takes up to `most` tokens; says when there is one again where there is none.
    pub(super) fn take(&mut self, most: usize, now: Timestamp) -> Result<usize, Timestamp> {
        let mut taken = 0;
        while taken < most {
            match self.bucket.check(self.full_at, now) {
                Ok(full_at) => self.full_at = full_at,
                Err(at) if taken == 0 => return Err(at),
                Err(_) => break,
            }
            taken += 1;
        }
        Ok(taken)
    }
}

/// So many in a second.
pub(super) fn per_second(limit: u32) -> Rate {
    Rate { limit, per: evoke_model::Millis::from_secs(1), key: None, burst: None }
}

/// What is wrong with the rate of an operation.
pub(super) fn check(rate: Option<&Rate>) -> Vec<Problem> {
    let Some(rate) = rate else { return Vec::new() };
    let wrong = [
        ("rate.limit", rate.limit == 0, "must be at least 1"),
        ("rate.per", rate.per.as_u64() == 0, "must be at least 1ms"),
        ("rate.burst", rate.burst == Some(0), "must be at least 1"),
        ("rate.key", rate.key.is_some(), "the rate of an operation has no key"),
    ];
    let found = wrong.into_iter().filter(|(_, is_wrong, _)| *is_wrong);
    found.map(|(field, _, message)| Problem::new(field, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Millis;

    #[test]
    fn no_more_is_given_than_the_rate_allows_in_any_second() {
        let mut pace = Pace::new(&per_second(50));
        let start = Timestamp::from_millis(1_800_000_000_000);
        let mut given = Vec::new();
        let mut now = start;
        while now < start.plus(Millis::from_secs(10)) {
            match pace.take(100, now) {
                Ok(count) => given.push((now, count)),
                Err(at) => {
                    assert!(at > now, "it says when to come back");
                    now = at;
                }
            }
        }
        let total: usize = given.iter().map(|(_, count)| count).sum();
        assert_eq!(given.first().map(|(_, count)| *count), Some(50), "a full bucket at first");
        assert!((540..=550).contains(&total), "{total} in ten seconds");
    }

    #[test]
    fn a_burst_of_one_spreads_evenly() {
        let mut pace = Pace::new(&Rate { burst: Some(1), ..per_second(10) });
        let now = Timestamp::from_millis(1_800_000_000_000);
        assert_eq!(pace.take(100, now), Ok(1));
        assert_eq!(pace.take(100, now), Err(now.plus(Millis::new(100))));
        assert_eq!(pace.take(100, now.plus(Millis::new(100))), Ok(1));
    }

    #[test]
    fn a_rate_that_gives_nothing_is_refused() {
        let rate = |limit, per| Rate { limit, per: Millis::new(per), key: None, burst: None };
        for (rate, fields) in [
            (rate(1, 1), vec![]),
            (rate(0, 1), vec!["rate.limit"]),
            (rate(0, 0), vec!["rate.limit", "rate.per"]),
            (Rate { key: Some("event.id".into()), ..rate(1, 1) }, vec!["rate.key"]),
        ] {
            let found: Vec<_> = check(Some(&rate)).into_iter().map(|one| one.field).collect();
            assert_eq!(found, fields, "{rate:?}");
        }
        assert_eq!(check(None), []);
    }
}

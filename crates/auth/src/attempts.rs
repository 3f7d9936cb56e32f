//! How often somebody tried and failed, so that passwords cannot be tried out. What is counted is
//! kept in memory; what follows for an account is in `locks`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use evoke_model::{Millis, Timestamp};

/// Failures older than this do not count.
const WINDOW: Millis = Millis::from_secs(15 * 60);

/// Keys that are remembered. Each failure costs a hash, of which a machine makes some hundred a
/// second: a window's worth of them has room.
const KEYS_MAX: usize = 100_000;

/// Why nobody may try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// Too many failed; until then.
    Until(Timestamp),
    /// Too many are trying at this moment.
    Busy,
}

/// What came of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    /// There may be more.
    Counted,
    /// It was the last there may be.
    Last,
}

/// Attempts by key.
#[derive(Debug)]
pub(crate) struct Attempts<K> {
    limit: u32,
    by_key: HashMap<K, Tried>,
}

#[derive(Debug)]
struct Tried {
    failures: u32,
    pending: u32,
    since: Timestamp,
}

impl<K: Hash + Eq + Clone> Attempts<K> {
    /// So many failures in a quarter of an hour.
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, by_key: HashMap::new() }
    }

    /// Begins an attempt. Those under way count as failed until they end, so that many at once are
    /// not more than many one by one.
    ///
    /// # Errors
    /// Why there may be none.
    pub(crate) fn begin(&mut self, key: &K, now: Timestamp) -> Result<(), Stop> {
        self.forget(now);
        let tried = self.by_key.entry(key.clone());
        let tried = tried.or_insert(Tried { failures: 0, pending: 0, since: now });
        if now >= tried.since.plus(WINDOW) {
            (tried.failures, tried.since) = (0, now);
        }
        if tried.failures >= self.limit {
            return Err(Stop::Until(tried.since.plus(WINDOW)));
        }
        if tried.failures + tried.pending >= self.limit {
            return Err(Stop::Busy);
        }
        tried.pending += 1;
        Ok(())
    }

    /// An attempt failed.
    pub(crate) fn failed(&mut self, key: &K) -> Failed {
        let Some(tried) = self.by_key.get_mut(key) else { return Failed::Counted };
        tried.pending = tried.pending.saturating_sub(1);
        tried.failures += 1;
        if tried.failures == self.limit { Failed::Last } else { Failed::Counted }
    }

    /// An attempt ended without saying anything about the password.
    pub(crate) fn ended(&mut self, key: &K) {
        if let Some(tried) = self.by_key.get_mut(key) {
            tried.pending = tried.pending.saturating_sub(1);
            if tried.pending + tried.failures == 0 {
                self.by_key.remove(key);
            }
        }
    }

    /// Forgets the failures of a key.
    pub(crate) fn clear<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(tried) = self.by_key.get_mut(key) {
            tried.failures = 0;
        }
    }

    fn forget(&mut self, now: Timestamp) {
        if self.by_key.len() < KEYS_MAX {
            return;
        }
        self.by_key.retain(|_, tried| tried.pending > 0 || now < tried.since.plus(WINDOW));
        if self.by_key.len() >= KEYS_MAX {
            self.by_key.retain(|_, tried| tried.pending > 0 || tried.failures >= self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn after_the_last_failure_nobody_may_try_until_the_window_is_over() {
        let mut attempts = Attempts::new(3);
        let later = |secs| NOW.plus(Millis::from_secs(secs));
        for (at, expected) in [(0, Failed::Counted), (1, Failed::Counted), (2, Failed::Last)] {
            assert_eq!(attempts.begin(&"a", later(at)), Ok(()));
            assert_eq!(attempts.failed(&"a"), expected);
        }
        assert_eq!(attempts.begin(&"a", later(3)), Err(Stop::Until(NOW.plus(WINDOW))));
        assert_eq!(attempts.begin(&"b", later(3)), Ok(()));
        assert_eq!(attempts.begin(&"a", NOW.plus(WINDOW)), Ok(()));
    }

    #[test]
    fn many_at_once_are_not_more_than_many_one_by_one() {
        let mut attempts = Attempts::new(2);
        assert_eq!(attempts.begin(&1, NOW), Ok(()));
        assert_eq!(attempts.begin(&1, NOW), Ok(()));
        assert_eq!(attempts.begin(&1, NOW), Err(Stop::Busy));
        attempts.ended(&1);
        assert_eq!(attempts.begin(&1, NOW), Ok(()));
        assert_eq!(attempts.failed(&1), Failed::Counted);
        assert_eq!(attempts.failed(&1), Failed::Last);
    }

    #[test]
    fn who_gets_in_begins_anew_and_leaves_nothing_behind() {
        let mut attempts = Attempts::new(2);
        for _ in 0..5 {
            assert_eq!(attempts.begin(&1, NOW), Ok(()));
            attempts.failed(&1);
            assert_eq!(attempts.begin(&1, NOW), Ok(()));
            attempts.clear(&1);
            attempts.ended(&1);
        }
        assert!(attempts.by_key.is_empty());
    }
}

//! For how long nobody may try a password of an address: longer each time. The same holds for
//! addresses without an account, so that a lock does not tell which there are; theirs are kept
//! nowhere else.

use std::collections::HashMap;

use evoke_model::{Millis, Timestamp};

use crate::user::Lock;

/// The longest an address is locked.
const LOCK_MAX: Millis = Millis::from_secs(3600);

/// Addresses that are remembered. Each lock costs as many hashes as there may be wrong passwords.
const KEYS_MAX: usize = 100_000;

/// Locks by address.
#[derive(Debug)]
pub(crate) struct Locks {
    first: Millis,
    by_key: HashMap<String, Lock>,
}

impl Locks {
    /// Locks for so long the first time.
    pub(crate) fn new(first: Millis) -> Self {
        Self { first, by_key: HashMap::new() }
    }

    /// The lock of an address, which may be over.
    pub(crate) fn get(&self, key: &str) -> Option<Lock> {
        self.by_key.get(key).copied()
    }

    /// Locks an address for longer than the last time; `kept` is the last one its account knows of.
    pub(crate) fn add(&mut self, key: &str, kept: Option<Lock>, now: Timestamp) -> Lock {
        self.make_room();
        let before = [kept, self.get(key)].into_iter().flatten().map(|lock| lock.times).max();
        let times = before.unwrap_or(0);
        let until = now.plus(lock_time(self.first, times));
        let lock = Lock { until, times: times.saturating_add(1) };
        self.by_key.insert(key.to_owned(), lock);
        lock
    }

    /// Forgets all locks of an address.
    pub(crate) fn clear(&mut self, key: &str) {
        self.by_key.remove(key);
    }

    /// Forgets the half that were over first, where there is no room.
    fn make_room(&mut self) {
        if self.by_key.len() < KEYS_MAX {
            return;
        }
        let mut ends: Vec<Timestamp> = self.by_key.values().map(|lock| lock.until).collect();
        let middle = ends.len() / 2;
        let (_, middle, _) = ends.select_nth_unstable(middle);
        let middle = *middle;
        self.by_key.retain(|_, lock| lock.until > middle);
    }
}

/// How long an address is locked that was locked so many times before.
fn lock_time(first: Millis, times: u32) -> Millis {
    let factor = 2_u64.saturating_pow(times.min(16));
    Millis::new(first.as_u64().saturating_mul(factor).min(LOCK_MAX.as_u64().max(first.as_u64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn each_lock_is_twice_as_long_up_to_an_hour() {
        let minute = Millis::from_secs(60);
        let times = [0, 1, 2, 5, 6, 60].map(|times| lock_time(minute, times).as_u64() / 60_000);
        assert_eq!(times, [1, 2, 4, 32, 60, 60]);
    }

    #[test]
    fn what_the_account_knows_counts_as_well() {
        let minutes = |minutes: u64| NOW.plus(Millis::from_secs(60 * minutes));
        let mut locks = Locks::new(Millis::from_secs(60));
        assert_eq!(locks.add("a", None, NOW), Lock { until: minutes(1), times: 1 });
        assert_eq!(locks.add("a", None, NOW), Lock { until: minutes(2), times: 2 });
        let kept = Some(Lock { until: NOW, times: 4 });
        assert_eq!(locks.add("a", kept, NOW), Lock { until: minutes(16), times: 5 });
        assert_eq!(locks.add("b", None, NOW), Lock { until: minutes(1), times: 1 });
        locks.clear("a");
        assert_eq!((locks.get("a"), locks.get("b").is_some()), (None, true));
    }

    #[test]
    fn those_that_were_over_first_give_way() {
        let mut locks = Locks::new(Millis::from_secs(60));
        for number in 0..=KEYS_MAX as u64 {
            locks.add(&number.to_string(), None, NOW.plus(Millis::new(number)));
        }
        assert!(locks.by_key.len() <= KEYS_MAX);
        assert!(locks.get("0").is_none() && locks.get(&KEYS_MAX.to_string()).is_some());
    }
}

//! Rates of triggers whose callers wait: one too many is refused at once, so nothing waits and
//! nothing is written.

use ahash::AHashMap;
use evoke_delivery::Gcra;
use evoke_model::policy::Rate;
use evoke_model::{Timestamp, TriggerId};
use parking_lot::Mutex;

/// Buckets kept before those that are full again are looked for.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of rates, by trigger and key. In memory only: who waits for an answer does not wait
/// for the disk.
#[derive(Default)]
pub(crate) struct Gates {
    buckets: Mutex<AHashMap<(TriggerId, Box<str>), Timestamp>>,
}

impl Gates {
    /// Takes a token.
    ///
    /// # Errors
    /// When there is one again.
    pub(crate) fn pass(
        &self,
        trigger: TriggerId,
        key: Option<Box<str>>,
        rate: &Rate,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let bucket = buckets.entry((trigger, key.unwrap_or_default())).or_default();
        *bucket = Gcra::new(rate).check(*bucket, now)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::Millis;

    #[test]
    fn each_key_has_its_own_bucket() {
        let gates = Gates::default();
        let per = Millis::from_secs(1);
        let rate = Rate { limit: 2, per, key: None, burst: None };
        let at = Timestamp::from_millis(10_000_000);
        let pass =
            |key: &str, now| gates.pass(TriggerId::from_u64(1), Some(key.into()), &rate, now);
        assert_eq!(pass("a", at), Ok(()));
        assert_eq!(pass("a", at), Ok(()));
        assert_eq!(pass("a", at), Err(at.plus(Millis::new(500))));
        assert_eq!(pass("b", at), Ok(()));
        assert_eq!(pass("a", at.plus(Millis::new(500))), Ok(()));
    }
}

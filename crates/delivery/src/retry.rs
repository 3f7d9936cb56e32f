//! What comes after an attempt: done, another one later, or a dead letter.

use evoke_model::execution::{Outcome, RetryHint, State};
use evoke_model::policy::{Backoff, Retry};
use evoke_model::{Millis, Timestamp};

/// A side that asks for more patience than this is not waited for any longer: the execution would
/// be forgotten by everybody who could act on it.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(24 * 3_600);

/// An execution whose worker went down under it so often is no bystander any more; from then on
/// such ends count as attempts.
pub const ELSEWHERE_MAX: u32 = 10;

/// How often an execution was tried, the attempt that has just ended included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// Attempts that count, 1 or more.
    pub attempts: u32,
    /// Attempts that did not count because the worker went down under a call it was not the cause
    /// of. Pass [`ELSEWHERE_MAX`] where that is not known.
    pub elsewhere: u32,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is over: it worked or was cancelled.
    Done(State),
    /// Another attempt.
    Retry {
        /// When.
        due: Timestamp,
        /// Whether the attempt that has ended counts.
        attempt: Counted,
    },
    /// It is over: a dead letter in this state.
    Dead(State),
}

/// Whether an attempt counts against the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It does.
    Yes,
    /// It does not: nothing of it was the execution's fault.
    No,
}

/// Decides. `chance` is a random number from 0 up to and not including 1, for the jitter.
pub fn decide(
    outcome: &Outcome,
    policy: &Retry,
    tries: Tries,
    now: Timestamp,
    chance: f64,
) -> Next {
    let (failure, dead) = match outcome {
        Outcome::Success(_) => return Next::Done(State::Success),
        Outcome::Cancelled => return Next::Done(State::Cancelled),
        Outcome::Failure(failure) => (failure, Next::Dead(State::Failed)),
        Outcome::TimedOut(failure) => (failure, Next::Dead(State::TimedOut)),
    };
    let floor = match failure.retry {
        RetryHint::Never => return dead,
        RetryHint::Elsewhere if tries.elsewhere <= ELSEWHERE_MAX => {
            return Next::Retry { due: now, attempt: Counted::No };
        }
        RetryHint::Policy | RetryHint::Elsewhere => Millis::ZERO,
        RetryHint::After(wait) => wait.min(RETRY_AFTER_MAX),
    };
    if tries.attempts >= policy.attempts.clamp(1, Retry::ATTEMPTS_MAX) {
        return dead;
    }
    let wait = backoff(policy, tries.attempts, chance).max(floor);
    Next::Retry { due: now.plus(wait), attempt: Counted::Yes }
}

/// How long to wait after the attempt with this number. With jitter the wait is chosen evenly
/// between zero and its bound, which spreads callers that failed together
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
pub fn backoff(policy: &Retry, attempt: u32, chance: f64) -> Millis {
    let initial = policy.initial.as_u64();
    let bound = match policy.backoff {
        Backoff::Fixed => initial,
        Backoff::Linear => initial.saturating_mul(u64::from(attempt)),
        Backoff::Exponential => {
            let doublings = attempt.saturating_sub(1).min(63);
            initial.saturating_mul(1_u64 << doublings)
        }
    };
    let bound = bound.min(policy.max.as_u64());
    let wait = if policy.jitter { (bound as f64 * chance.clamp(0.0, 1.0)) as u64 } else { bound };
    Millis::new(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::problem::Code;
    use evoke_model::{Data, Failure};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const FIRST: Tries = Tries { attempts: 1, elsewhere: 0 };

    fn failed(retry: RetryHint) -> Outcome {
        Outcome::Failure(Failure { retry, ..Failure::new(Code::FunctionError, "boom") })
    }

    fn policy(backoff: Backoff) -> Retry {
        Retry { backoff, jitter: false, ..Retry::default() }
    }

    fn in_millis(millis: u64) -> Next {
        Next::Retry { due: NOW.plus(Millis::new(millis)), attempt: Counted::Yes }
    }

    #[test]
    fn what_is_over_is_over() {
        let policy = Retry::default();
        let decide = |outcome| decide(&outcome, &policy, FIRST, NOW, 0.5);
        assert_eq!(decide(Outcome::Success(Data::None)), Next::Done(State::Success));
        assert_eq!(decide(Outcome::Cancelled), Next::Done(State::Cancelled));
        assert_eq!(decide(failed(RetryHint::Never)), Next::Dead(State::Failed));
    }

    #[test]
    fn waits_grow_as_the_policy_says() {
        for (backoff, waits) in [
            (Backoff::Exponential, [1_000, 2_000, 4_000, 8_000]),
            (Backoff::Linear, [1_000, 2_000, 3_000, 4_000]),
            (Backoff::Fixed, [1_000; 4]),
        ] {
            for (attempts, wait) in (1..).zip(waits) {
                let tries = Tries { attempts, elsewhere: 0 };
                let next = decide(&failed(RetryHint::Policy), &policy(backoff), tries, NOW, 0.9);
                assert_eq!(next, in_millis(wait), "{backoff:?} after {attempts}");
            }
        }
        let long = super::backoff(&policy(Backoff::Exponential), 90, 0.0);
        assert_eq!(long, Retry::default().max);
    }

    #[test]
    fn the_last_attempt_makes_a_dead_letter_of_its_own_kind() {
        let last = Tries { attempts: 5, elsewhere: 0 };
        let timed_out = Outcome::TimedOut(Failure::new(Code::FunctionTimeout, "30s"));
        let policy = Retry::default();
        assert_eq!(decide(&timed_out, &policy, last, NOW, 0.5), Next::Dead(State::TimedOut));
        let once = Retry { attempts: 1, ..policy };
        let next = decide(&failed(RetryHint::Policy), &once, FIRST, NOW, 0.5);
        assert_eq!(next, Next::Dead(State::Failed));
    }

    #[test]
    fn the_other_side_may_ask_for_more_time_but_not_for_less_or_for_ever() {
        let ask = |millis, chance| {
            let hint = RetryHint::After(Millis::new(millis));
            decide(&failed(hint), &Retry::default(), FIRST, NOW, chance)
        };
        assert_eq!(ask(7_000, 0.5), in_millis(7_000));
        assert_eq!(ask(10, 0.5), in_millis(500));
        assert_eq!(ask(u64::MAX, 0.5), in_millis(RETRY_AFTER_MAX.as_u64()));
    }

    #[test]
    fn a_bystander_runs_again_at_once_until_it_is_no_bystander() {
        let after = |elsewhere| {
            let tries = Tries { attempts: 5, elsewhere };
            decide(&failed(RetryHint::Elsewhere), &Retry::default(), tries, NOW, 0.5)
        };
        let again = Next::Retry { due: NOW, attempt: Counted::No };
        assert_eq!(after(1), again);
        assert_eq!(after(ELSEWHERE_MAX), again);
        assert_eq!(after(ELSEWHERE_MAX + 1), Next::Dead(State::Failed));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bound(
            attempt in 1_u32..200,
            chance in 0.0_f64..1.0,
            initial in 0_u64..1 << 40,
            max in 0_u64..1 << 40,
        ) {
            let policy = Retry {
                initial: Millis::new(initial), max: Millis::new(max), ..Retry::default()
            };
            let bound = backoff(&Retry { jitter: false, ..policy.clone() }, attempt, chance);
            prop_assert!(backoff(&policy, attempt, chance) <= bound);
            prop_assert!(bound.as_u64() <= max);
        }
    }
}

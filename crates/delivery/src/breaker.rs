//! An endpoint that is down is left alone for a while, so that the executions that wait for it do
//! not use up their attempts on it.

use evoke_model::execution::Outcome;
use evoke_model::problem::Code;
use evoke_model::{Millis, Timestamp};

/// So many failures in a row open the breaker. One alone may be a connection that was closed while
/// idle.
const FAILURES_MAX: u32 = 5;

/// The first wait; it doubles with each probe that fails.
const WAIT_FIRST: Millis = Millis::new(100);

/// The longest wait: an endpoint that is back is noticed within this time.
const WAIT_MAX: Millis = Millis::from_secs(30);

/// What an attempt says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It answered, whatever it said.
    Up,
    /// Nobody answered.
    Down,
    /// The attempt says nothing about the endpoint.
    Unknown,
}

impl Signal {
    /// What the end of an attempt says. A target that answers with an error is up, and the concern
    /// of the retry policy.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Success(_) => Self::Up,
            Outcome::Cancelled => Self::Unknown,
            Outcome::Failure(failure) | Outcome::TimedOut(failure) => match failure.code {
                Code::TargetUnreachable | Code::TargetTimeout => Self::Down,
                // Refused before anything was sent.
                Code::TargetRefused => Self::Unknown,
                _ => Self::Up,
            },
        }
    }
}

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Any number.
    Go,
    /// This one, and no other until it has ended.
    Probe,
    /// Not before this time; `None` means until the probe under way has ended.
    Wait {
        /// When to ask again.
        until: Option<Timestamp>,
    },
}

/// The breaker of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Timestamp,
        wait: Millis,
    },
    Probing {
        wait: Millis,
    },
}

impl Breaker {
    /// A closed one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for an attempt. A [`Permit::Probe`] must be answered with [`Breaker::record`].
    pub fn permit(&mut self, now: Timestamp) -> Permit {
        match self.state {
            State::Closed => Permit::Go,
            State::Open { until, wait } if until <= now => {
                self.state = State::Probing { wait };
                Permit::Probe
            }
            State::Open { until, .. } => Permit::Wait { until: Some(until) },
            State::Probing { .. } => Permit::Wait { until: None },
        }
    }

    /// Takes the end of an attempt.
    pub fn record(&mut self, signal: Signal, now: Timestamp) {
        match (signal, self.state) {
            (Signal::Up, _) => *self = Self::default(),
            (Signal::Down, State::Closed) => {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    self.open(WAIT_FIRST, now);
                }
            }
            (Signal::Down, State::Probing { wait }) => {
                let doubled = Millis::new(wait.as_u64().saturating_mul(2));
                self.open(doubled.min(WAIT_MAX), now);
            }
            // A cancelled probe says nothing: the next one may go at once.
            (Signal::Unknown, State::Probing { wait }) => {
                self.state = State::Open { until: now, wait };
            }
            // Attempts that began before the breaker opened.
            (Signal::Down, State::Open { .. }) | (Signal::Unknown, _) => {}
        }
    }

    /// Until when nothing is tried, while it is open.
    pub fn open_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed | State::Probing { .. } => None,
        }
    }

    fn open(&mut self, wait: Millis, now: Timestamp) {
        self.state = State::Open { until: now.plus(wait), wait };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{Data, Failure};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.permit(at(0)), Permit::Go);
            breaker.record(Signal::Down, at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_only_for_failures_in_a_row() {
        let mut breaker = Breaker::new();
        for _ in 0..20 {
            for _ in 1..FAILURES_MAX {
                breaker.record(Signal::Down, at(0));
            }
            breaker.record(Signal::Up, at(0));
        }
        assert_eq!(breaker.permit(at(0)), Permit::Go);
        assert_eq!(opened().permit(at(0)), Permit::Wait { until: Some(at(100)) });
    }

    #[test]
    fn one_probe_goes_and_the_wait_doubles_up_to_its_bound() {
        let mut breaker = opened();
        let mut now = 0;
        for wait in [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            assert_eq!(breaker.open_until(), Some(at(now + wait)));
            now += wait;
            assert_eq!(breaker.permit(at(now)), Permit::Probe);
            assert_eq!(breaker.permit(at(now)), Permit::Wait { until: None });
            breaker.record(Signal::Down, at(now));
        }
    }

    #[test]
    fn a_good_probe_closes_it_and_a_cancelled_one_is_repeated() {
        let mut breaker = opened();
        assert_eq!(breaker.permit(at(100)), Permit::Probe);
        breaker.record(Signal::Unknown, at(150));
        assert_eq!(breaker.permit(at(150)), Permit::Probe);
        breaker.record(Signal::Up, at(160));
        assert_eq!(breaker.permit(at(160)), Permit::Go);
    }

    #[test]
    fn an_answer_is_an_answer() {
        let failed = |code| Outcome::Failure(Failure::new(code, "x"));
        for (outcome, signal) in [
            (Outcome::Success(Data::None), Signal::Up),
            (failed(Code::TargetFailed), Signal::Up),
            (failed(Code::FunctionError), Signal::Up),
            (failed(Code::TargetUnreachable), Signal::Down),
            (failed(Code::TargetTimeout), Signal::Down),
            (failed(Code::TargetRefused), Signal::Unknown),
            (Outcome::Cancelled, Signal::Unknown),
        ] {
            assert_eq!(Signal::of(&outcome), signal, "{outcome:?}");
        }
    }
}

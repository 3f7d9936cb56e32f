//! How the workers of a pool do, seen between two looks: the share of time their main threads ran
//! or wanted to, and how many calls ended.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::memory::procfs;
use super::scale::Pace;

/// Two looks closer together than this say little.
const WINDOW_MIN: Duration = Duration::from_millis(10);
/// A look that long ago says nothing of now.
const WINDOW_MAX: Duration = Duration::from_millis(500);

/// Remembers the last look.
#[derive(Debug, Default)]
pub struct Meter {
    last: Option<Look>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    finished: u64,
    run_times: HashMap<i32, Duration>,
}

impl Meter {
    /// Looks at these processes, of a pool that has finished so many calls. `None` until there is a
    /// second look to compare with.
    pub fn pace(&mut self, processes: &[i32], finished: u64) -> Option<Pace> {
        let read = |process: &i32| procfs::run_time(*process).map(|time| (*process, time));
        let run_times = processes.iter().filter_map(read).collect();
        self.compare(Look { at: Instant::now(), finished, run_times })
    }

    fn compare(&mut self, look: Look) -> Option<Pace> {
        let Some(last) = &self.last else {
            self.last = Some(look);
            return None;
        };
        let window = look.at.saturating_duration_since(last.at);
        if window < WINDOW_MIN {
            return None;
        }
        let seconds = window.as_secs_f64();
        let shares: Vec<f64> = look
            .run_times
            .iter()
            .filter_map(|(process, time)| {
                let ran = time.saturating_sub(*last.run_times.get(process)?);
                Some((ran.as_secs_f64() / seconds).min(1.0))
            })
            .collect();
        // Where the kernel does not tell, only the queue counts.
        let busy = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let calls_per_second = look.finished.saturating_sub(last.finished) as f64 / seconds;
        self.last = Some(look);
        (window <= WINDOW_MAX).then_some(Pace { busy, calls_per_second })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_needs_two_looks_that_belong_together() {
        let start = Instant::now();
        let look = |at_ms: u64, ran_ms: u64, finished: u64| Look {
            at: start + Duration::from_millis(at_ms),
            finished,
            run_times: HashMap::from([(1, Duration::from_millis(ran_ms))]),
        };
        let pace = |busy, calls_per_second| Some(Pace { busy, calls_per_second });
        let mut meter = Meter::default();
        assert_eq!(meter.compare(look(0, 0, 0)), None, "the first look");
        assert_eq!(meter.compare(look(1, 1, 0)), None, "too close");
        assert_eq!(meter.compare(look(20, 10, 100)), pace(0.5, 5_000.0));
        assert_eq!(meter.compare(look(2_000, 1_000, 100)), None, "too long ago");
        assert_eq!(meter.compare(look(2_020, 1_020, 100)), pace(1.0, 0.0));
    }
}

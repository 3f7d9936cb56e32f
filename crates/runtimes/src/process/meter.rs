//! How busy workers are: the share of time their main threads ran on a processor between two looks.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::memory::procfs;

/// Two looks closer together than this say little.
const WINDOW_MIN: Duration = Duration::from_millis(3);
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
    run_times: HashMap<i32, Duration>,
}

impl Meter {
    /// Looks at these processes. `None` until there is a second look to compare with.
    pub fn busy(&mut self, processes: &[i32]) -> Option<f64> {
        let read = |process: &i32| procfs::run_time(*process).map(|time| (*process, time));
        self.compare(Look {
            at: Instant::now(),
            run_times: processes.iter().filter_map(read).collect(),
        })
    }

    fn compare(&mut self, look: Look) -> Option<f64> {
        let Some(last) = &self.last else {
            self.last = Some(look);
            return None;
        };
        let window = look.at.saturating_duration_since(last.at);
        if window < WINDOW_MIN {
            return None;
        }
        let shares: Vec<f64> = look
            .run_times
            .iter()
            .filter_map(|(process, time)| {
                let ran = time.saturating_sub(*last.run_times.get(process)?);
                Some((ran.as_secs_f64() / window.as_secs_f64()).min(1.0))
            })
            .collect();
        self.last = Some(look);
        let known = window <= WINDOW_MAX && !shares.is_empty();
        known.then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_two_looks_that_belong_together() {
        let start = Instant::now();
        let look = |at_ms: u64, ran_ms: u64| Look {
            at: start + Duration::from_millis(at_ms),
            run_times: HashMap::from([(1, Duration::from_millis(ran_ms))]),
        };
        let mut meter = Meter::default();
        assert_eq!(meter.compare(look(0, 0)), None, "the first look");
        assert_eq!(meter.compare(look(1, 1)), None, "too close");
        assert_eq!(meter.compare(look(10, 5)), Some(0.5));
        assert_eq!(meter.compare(look(2_000, 1_000)), None, "too long ago");
        assert_eq!(meter.compare(look(2_010, 1_010)), Some(1.0));
    }
}

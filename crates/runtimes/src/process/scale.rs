//! How many workers to start: a pure decision. More workers help calls that wait for something;
//! they hurt where the processors are the limit, and help nobody who would be served before they
//! are there.

use std::time::Duration;

/// A queue whose head waits less than this is the ordinary to and fro of short calls.
pub const PATIENCE: Duration = Duration::from_millis(5);
/// A queue that will be empty sooner than another worker could be there needs none.
const START_TIME: Duration = Duration::from_millis(50);
/// A worker that runs for more than this share of the time is limited by its processor.
const BUSY_SHARE: f64 = 0.8;

/// How the workers of a pool do lately.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pace {
    /// Share of the time the live workers were running on a processor, or ready to.
    pub busy: f64,
    /// Calls that ended in a second.
    pub calls_per_second: f64,
}

/// What the decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Workers that take calls.
    pub live: usize,
    /// Workers that are being started.
    pub starting: usize,
    /// Workers to keep when nothing is called.
    pub min: usize,
    /// Workers at most.
    pub max: usize,
    /// Calls one worker takes at once.
    pub concurrency: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub head_waited: Duration,
    /// How the workers do; `None` when that is not known yet.
    pub pace: Option<Pace>,
    /// Processors of the machine.
    pub processors: usize,
}

/// How many workers to start now.
pub fn workers_to_start(view: &View) -> usize {
    let all = view.live + view.starting;
    let missing = view.min.saturating_sub(all);
    let wanted = if view.waiting == 0 { 0 } else { wanted(view, all) };
    // Starting is work for a processor too: more at once only makes each of them later.
    let at_once = view.processors.max(1).saturating_sub(view.starting);
    missing.max(wanted).min(view.max.saturating_sub(all)).min(at_once)
}

fn wanted(view: &View, all: usize) -> usize {
    if all == 0 {
        return 1;
    }
    if view.head_waited < PATIENCE {
        return 0;
    }
    let Some(pace) = view.pace else { return 0 };
    if (view.waiting as f64) < pace.calls_per_second * START_TIME.as_secs_f64() {
        return 0;
    }
    let by_queue = view.waiting.div_ceil(view.concurrency.max(1)).saturating_sub(view.starting);
    if pace.busy < BUSY_SHARE {
        return by_queue;
    }
    usize::from(all < view.processors).min(by_queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Pace = Pace { busy: 0.1, calls_per_second: 10.0 };
    const BUSY: Pace = Pace { busy: 0.99, calls_per_second: 500.0 };
    const QUICK: Pace = Pace { busy: 0.99, calls_per_second: 75_000.0 };
    const CALM: View = View {
        live: 1,
        starting: 0,
        min: 0,
        max: 100,
        concurrency: 10,
        waiting: 0,
        head_waited: Duration::ZERO,
        pace: Some(IDLE),
        processors: 2,
    };
    const LONG: Duration = Duration::from_millis(100);
    const SHORT: Duration = Duration::from_micros(400);

    #[test]
    fn workers_are_started_where_they_help() {
        let table = [
            ("nothing waits", CALM, 0),
            ("the first starts at once", View { live: 0, waiting: 1, ..CALM }, 1),
            ("one is on its way", View { live: 0, starting: 1, waiting: 5, ..CALM }, 0),
            ("a burst of short calls", View { waiting: 54, head_waited: SHORT, ..CALM }, 0),
            ("calls that sleep", View { waiting: 54, head_waited: LONG, ..CALM }, 2),
            ("a few more that sleep", View { waiting: 3, head_waited: LONG, ..CALM }, 1),
            ("unknown load", View { waiting: 54, head_waited: LONG, pace: None, ..CALM }, 0),
            (
                "calls that compute",
                View { waiting: 54, head_waited: LONG, pace: Some(BUSY), ..CALM },
                1,
            ),
            (
                "no processor left",
                View { live: 2, waiting: 54, head_waited: LONG, pace: Some(BUSY), ..CALM },
                0,
            ),
            (
                "a queue that is soon empty",
                View { waiting: 990, head_waited: LONG, pace: Some(QUICK), ..CALM },
                0,
            ),
            ("at the limit", View { max: 1, waiting: 54, head_waited: LONG, ..CALM }, 0),
            ("below the minimum", View { live: 0, min: 3, ..CALM }, 2),
        ];
        for (name, view, expected) in table {
            assert_eq!(workers_to_start(&view), expected, "{name}");
        }
    }
}

//! How many workers to start: a pure decision. More workers help calls that wait for something; they
//! hurt where the processors are the limit, so a busy worker counts for more than a long queue.

use std::time::Duration;

/// A queue whose head waits less than this is the ordinary to and fro of short calls.
pub const PATIENCE: Duration = Duration::from_millis(5);
/// Where the workers use their processors up, another one must promise more than that.
const PATIENCE_BUSY: Duration = Duration::from_millis(50);
/// A worker that runs for more than this share of the time is limited by its processor.
const BUSY_SHARE: f64 = 0.8;

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
    /// Share of the time the live workers were running on a processor lately; `None` when that is
    /// not known yet.
    pub busy: Option<f64>,
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
    let by_queue = view.waiting.div_ceil(view.concurrency.max(1)).saturating_sub(view.starting);
    match view.busy {
        None => 0,
        Some(share) if share >= BUSY_SHARE => {
            let useful = all < view.processors && view.head_waited >= PATIENCE_BUSY;
            usize::from(useful).min(by_queue)
        }
        Some(_) => by_queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: View = View {
        live: 1,
        starting: 0,
        min: 0,
        max: 100,
        concurrency: 10,
        waiting: 0,
        head_waited: Duration::ZERO,
        busy: Some(0.1),
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
            ("unknown load", View { waiting: 54, head_waited: LONG, busy: None, ..CALM }, 0),
            (
                "calls that compute",
                View { waiting: 54, head_waited: LONG, busy: Some(0.99), ..CALM },
                1,
            ),
            (
                "no processor left",
                View { live: 2, waiting: 54, head_waited: LONG, busy: Some(0.99), ..CALM },
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

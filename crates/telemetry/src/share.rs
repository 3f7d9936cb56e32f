//! Which traces are wanted when only a share of them is.

/// The bits of a trace id that are random (W3C Trace Context level 2).
const RANDOM_BITS: u32 = 56;

/// A share of all traces. The decision depends on the trace's id only, so every process with the
/// same share keeps the same traces, and a smaller share keeps a part of what a larger one keeps.
/// It is OpenTelemetry's rule for consistent sampling: the last 56 bits of the id, as a number,
/// against a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Ids whose random part is below this are left out.
    threshold: u64,
}

impl Share {
    /// Every trace.
    pub const ALL: Self = Self { threshold: 0 };

    /// The share `of`, from 0 (none) to 1 (all). `None` outside of that.
    #[must_use]
    pub fn new(of: f64) -> Option<Self> {
        let whole = (1u64 << RANDOM_BITS) as f64;
        (0.0..=1.0).contains(&of).then(|| Self { threshold: ((1.0 - of) * whole).round() as u64 })
    }

    /// Whether the trace belongs to the share.
    #[must_use]
    pub const fn takes(self, trace: u128) -> bool {
        let random = trace as u64 & ((1 << RANDOM_BITS) - 1);
        random >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces() -> Vec<u128> {
        let mut rng = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| rng.u128(1..)).take(10_000).collect()
    }

    fn taken(share: f64) -> Vec<u128> {
        let share = Share::new(share).unwrap();
        traces().into_iter().filter(|trace| share.takes(*trace)).collect()
    }

    #[test]
    fn a_share_is_about_as_large_as_it_says() {
        for (share, expected) in [(0.0, 0), (0.001, 10), (0.1, 1_000), (0.5, 5_000), (1.0, 10_000)]
        {
            let found = taken(share).len();
            assert!(found.abs_diff(expected) <= 200, "{share}: {found}");
        }
        assert_eq!((taken(0.0).len(), taken(1.0).len()), (0, 10_000));
    }

    #[test]
    fn a_smaller_share_is_a_part_of_a_larger_one() {
        let larger = taken(0.5);
        assert!(taken(0.1).iter().all(|trace| larger.contains(trace)));
    }

    #[test]
    fn only_the_random_part_of_the_id_counts() {
        let half = Share::new(0.5).unwrap();
        for trace in traces() {
            let low = trace & ((1 << 56) - 1);
            assert_eq!(half.takes(trace), half.takes(low));
            assert_eq!(half.takes(trace), low >= 1 << 55);
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::new(share), None, "{share}");
        }
        assert_eq!(Share::new(1.0), Some(Share::ALL));
    }
}

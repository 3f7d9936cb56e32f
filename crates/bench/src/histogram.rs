//! Latencies in buckets that are never wider than 1 % of what they hold, in a few kilobytes and
//! without an allocation per value.

use serde::{Deserialize, Serialize};

/// Buckets per doubling: 64 make a bucket at most 1.6 % wide, so its middle is at most 0.8 % off.
const SUB_BITS: u32 = 6;
const SUB: usize = 1 << SUB_BITS;
/// Doublings above the first `SUB` values: up to 2^42 ns, more than an hour.
const DOUBLINGS: usize = 36;

/// Counts of values in nanoseconds. As JSON only the buckets that hold something are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Sparse", into = "Sparse")]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// A latency distribution in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many values.
    pub count: u64,
    /// The smallest.
    pub min_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// 90 of 100 are below.
    pub p90_us: f64,
    /// 99 of 100 are below.
    pub p99_us: f64,
    /// 999 of 1,000 are below.
    pub p999_us: f64,
    /// The largest.
    pub max_us: f64,
}

/// A histogram as it is sent: the numbers of buckets and what they hold.
#[derive(Serialize, Deserialize)]
struct Sparse {
    counts: Vec<(usize, u64)>,
    sum: u64,
    min: u64,
    max: u64,
}

impl From<Histogram> for Sparse {
    fn from(all: Histogram) -> Self {
        let counts = all.counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
        Self { counts, sum: u64::try_from(all.sum).unwrap_or(u64::MAX), min: all.min, max: all.max }
    }
}

impl From<Sparse> for Histogram {
    fn from(sparse: Sparse) -> Self {
        let mut all =
            Self { sum: sparse.sum.into(), min: sparse.min, max: sparse.max, ..Self::default() };
        for (bucket, count) in sparse.counts {
            if let Some(held) = all.counts.get_mut(bucket) {
                *held += count;
                all.total += count;
            }
        }
        all
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; SUB * (DOUBLINGS + 1)], total: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

fn bucket(value: u64) -> usize {
    if value < SUB as u64 {
        return value as usize;
    }
    let doubling = value.ilog2() - SUB_BITS;
    let within = (value >> doubling) as usize - SUB;
    (((doubling as usize + 1) * SUB) + within).min(SUB * (DOUBLINGS + 1) - 1)
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    if bucket < SUB {
        return bucket as u64;
    }
    let doubling = bucket / SUB - 1;
    let low = ((SUB + bucket % SUB) as u64) << doubling;
    low + (1 << doubling) / 2
}

impl Histogram {
    /// Counts a value in nanoseconds.
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.sum += u128::from(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The value below which this share of all values lies.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(index).clamp(self.min, self.max);
            }
        }
        self.max
    }

    /// The distribution in a few numbers; zeros when nothing was counted.
    pub fn summary(&self) -> Latency {
        if self.total == 0 {
            return Latency::default();
        }
        let us = |nanos: u64| nanos as f64 / 1e3;
        Latency {
            count: self.total,
            min_us: us(self.min),
            mean_us: self.sum as f64 / self.total as f64 / 1e3,
            p50_us: us(self.quantile(0.5)),
            p90_us: us(self.quantile(0.9)),
            p99_us: us(self.quantile(0.99)),
            p999_us: us(self.quantile(0.999)),
            max_us: us(self.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_within_one_percent() {
        for value in [0, 1, 63, 64, 65, 127, 128, 1_000, 12_345, 999_999, 60_000_000_000] {
            let found = middle(bucket(value));
            let off = (found as f64 - value as f64).abs() / (value as f64).max(1.0);
            assert!(off <= 0.01, "{value} was kept as {found}");
        }
        assert!(middle(bucket(u64::MAX)) > 3_600_000_000_000);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut all = Histogram::default();
        let mut other = Histogram::default();
        for value in 1..=5_000 {
            all.record(value * 1_000);
            other.record((value + 5_000) * 1_000);
        }
        all.merge(&other);
        let summary = all.summary();
        assert_eq!(summary.count, 10_000);
        for (got, want) in [
            (summary.p50_us, 5_000.0),
            (summary.p90_us, 9_000.0),
            (summary.p99_us, 9_900.0),
            (summary.max_us, 10_000.0),
            (summary.min_us, 1.0),
        ] {
            assert!((got - want).abs() / want < 0.01, "{got} is not {want}");
        }
    }

    #[test]
    fn what_is_sent_is_what_arrives() {
        let mut all = Histogram::default();
        [3, 700, 12_345, 12_346, 9_000_000].into_iter().for_each(|value| all.record(value));
        for sent in [all, Histogram::default()] {
            let text = serde_json::to_string(&sent).unwrap();
            let arrived: Histogram = serde_json::from_str(&text).unwrap();
            assert_eq!(arrived.summary(), sent.summary());
        }
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(Histogram::default().summary(), Latency::default());
    }
}

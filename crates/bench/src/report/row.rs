//! One line of a report.

use std::fmt;

use serde::Serialize;

use crate::options::Id;

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things per second.
    PerSecond,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Megabytes of 1,048,576 bytes.
    Megabytes,
    /// A part of a whole; 1.0 is all of it.
    Share,
    /// So many times as much.
    Times,
}

impl Unit {
    /// A number with its unit, as short as it can be read.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Micros if value >= 10_000.0 => format!("{:.1} ms", value / 1e3),
            Self::Micros => format!("{value:.0} µs"),
            Self::Millis => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Megabytes => format!("{value:.0} MB"),
            Self::Share => format!("{:.0} %", value * 100.0),
            Self::Times if value >= 10.0 => format!("{value:.0}x"),
            Self::Times => format!("{value:.2}x"),
        }
    }
}

/// `12345.6` as `12,346`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A measured number: the median of its rounds, and how far they lay apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// What it counts.
    pub unit: Unit,
}

impl Figure {
    /// The figure of these rounds; zero when there are none.
    pub fn of(rounds: &[f64], unit: Unit) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self { median, min: at(0), max: at(sorted.len().saturating_sub(1)), unit }
    }

    /// A figure measured once.
    pub fn once(value: f64, unit: Unit) -> Self {
        Self::of(&[value], unit)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.unit.show(self.median))?;
        // Rounds that agree within 3 % need no range.
        if self.max - self.min > self.median * 0.03 {
            write!(f, " ({} to {})", self.unit.show(self.min), self.unit.show(self.max))?;
        }
        Ok(())
    }
}

/// What is judged: a ratio, or the figure itself.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Score {
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
}

/// What a score has to be.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(tag = "goal", rename_all = "snake_case")]
pub enum Goal {
    /// More is better.
    AtLeast {
        /// The least that is acceptable.
        must: f64,
        /// What is aimed at.
        aim: f64,
    },
    /// Less is better.
    AtMost {
        /// The most that is acceptable.
        must: f64,
        /// What is aimed at.
        aim: f64,
    },
}

impl Goal {
    /// More is better.
    pub const fn at_least(must: f64, aim: f64) -> Self {
        Self::AtLeast { must, aim }
    }

    /// Less is better.
    pub const fn at_most(must: f64, aim: f64) -> Self {
        Self::AtMost { must, aim }
    }

    fn judge(self, score: f64) -> Verdict {
        let (is_aim, is_must) = match self {
            Self::AtLeast { must, aim } => (score >= aim, score >= must),
            Self::AtMost { must, aim } => (score <= aim, score <= must),
        };
        match (is_aim, is_must) {
            (true, _) => Verdict::Aim,
            (false, true) => Verdict::Must,
            (false, false) => Verdict::Missed,
        }
    }

    /// Must and aim.
    pub(crate) const fn bounds(self) -> (f64, f64) {
        match self {
            Self::AtLeast { must, aim } | Self::AtMost { must, aim } => (must, aim),
        }
    }
}

/// Whether a score is good enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The aim is reached.
    Aim,
    /// The must is reached.
    Must,
    /// The must is missed.
    Missed,
    /// Only told.
    Told,
    /// Not measured; the note says why.
    Skipped,
}

impl Verdict {
    /// One word for a table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aim => "aim",
            Self::Must => "must",
            Self::Missed => "MISSED",
            Self::Told => "-",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The benchmark.
    pub id: String,
    /// What was measured.
    pub what: String,
    /// What came out.
    pub figure: Option<Figure>,
    /// What it is compared with, and what that gave.
    pub floor: Option<(String, Figure)>,
    /// What is judged.
    pub score: Option<Score>,
    /// What it has to be.
    pub goal: Option<Goal>,
    /// Whether it is.
    pub verdict: Verdict,
    /// What else is worth knowing.
    pub note: String,
}

impl Row {
    /// A figure that is told and not yet judged.
    pub fn told(id: Id, what: impl Into<String>, figure: Figure) -> Self {
        Self {
            id: id.to_string(),
            what: what.into(),
            figure: Some(figure),
            floor: None,
            score: None,
            goal: None,
            verdict: Verdict::Told,
            note: String::new(),
        }
    }

    /// A row that could not be measured.
    pub fn skipped(id: Id, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            figure: None,
            note: why.into(),
            ..Self::told(id, what, Figure::once(0.0, Unit::Times))
        }
    }

    /// Beside its floor; what is judged is the ratio, shown in this unit.
    #[must_use]
    pub fn against(mut self, name: impl Into<String>, floor: Figure, shown: Unit) -> Self {
        if let Some(figure) = self.figure.as_ref().filter(|_| floor.median > 0.0) {
            self.score = Some(Score { value: figure.median / floor.median, unit: shown });
        }
        self.floor = Some((name.into(), floor));
        self
    }

    /// Beside its floor; what is judged is how much the floor lies below, in the same unit.
    #[must_use]
    pub fn above(mut self, name: impl Into<String>, floor: Figure) -> Self {
        if let Some(figure) = &self.figure {
            self.score = Some(Score { value: figure.median - floor.median, unit: figure.unit });
        }
        self.floor = Some((name.into(), floor));
        self
    }

    /// Judged by a goal; the figure itself is, where there is no floor.
    #[must_use]
    pub fn judged(mut self, goal: Goal) -> Self {
        let figure = self.figure.as_ref();
        self.score =
            self.score.or(figure.map(|figure| Score { value: figure.median, unit: figure.unit }));
        self.goal = Some(goal);
        if let Some(score) = self.score {
            self.verdict = goal.judge(score.value);
        }
        self
    }

    /// With something else that is worth knowing.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::told(Id::new(1), "x", Figure::of(&[50.0, 40.0, 60.0], Unit::PerSecond))
    }

    #[test]
    fn a_ratio_is_judged_by_its_goal() {
        for (must, aim, verdict) in
            [(0.25, 0.45, Verdict::Aim), (0.25, 0.55, Verdict::Must), (0.6, 0.9, Verdict::Missed)]
        {
            let floor = Figure::once(100.0, Unit::PerSecond);
            let row = row().against("floor", floor, Unit::Share).judged(Goal::at_least(must, aim));
            assert_eq!(row.verdict, verdict);
            assert_eq!(row.score.map(|score| score.value), Some(0.5));
        }
    }

    #[test]
    fn less_is_better_for_times_and_memory() {
        let figure = Figure::once(300.0, Unit::Micros);
        let floor = Figure::once(250.0, Unit::Micros);
        let row = Row::told(Id::new(7), "x", figure).above("node:http", floor);
        assert_eq!(row.clone().judged(Goal::at_most(300.0, 60.0)).verdict, Verdict::Aim);
        assert_eq!(row.judged(Goal::at_most(49.0, 10.0)).verdict, Verdict::Missed);
    }

    #[test]
    fn a_floor_of_nothing_judges_nothing() {
        let none = Figure::of(&[], Unit::PerSecond);
        let row = row().against("floor", none, Unit::Times);
        assert_eq!(row.score, None);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(
            Figure::of(&[1_234_567.0, 1_234_567.0], Unit::PerSecond).to_string(),
            "1,234,567/s"
        );
        assert_eq!(
            Figure::of(&[90.0, 100.0, 110.0], Unit::Micros).to_string(),
            "100 µs (90 µs to 110 µs)"
        );
        assert_eq!(Unit::Micros.show(12_345.0), "12.3 ms");
        assert_eq!(Unit::Share.show(0.254), "25 %");
    }
}

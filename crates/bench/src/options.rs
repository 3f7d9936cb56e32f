//! What can be chosen.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::load::Generator;

/// How long a run may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// A few minutes in all: enough to see whether something broke.
    #[default]
    Quick,
    /// Longer phases and more rounds: what is written in the documentation.
    Full,
}

impl Form {
    /// The number that goes with the form.
    pub(crate) const fn pick<T: Copy>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// A benchmark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Id(u8);

impl Id {
    /// All benchmarks of this crate.
    pub const ALL: [Self; 17] = {
        let mut all = [Self(1); 17];
        let mut at = 0;
        while at < 17 {
            all[at] = Self(at as u8 + 1);
            at += 1;
        }
        all
    };

    /// The benchmark with this number, which must be one of [`Id::ALL`].
    pub(crate) const fn new(number: u8) -> Self {
        Self(number)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "B{}", self.0)
    }
}

impl FromStr for Id {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_prefix(['B', 'b']).and_then(|digits| digits.parse().ok());
        Self::ALL
            .into_iter()
            .find(|id| Some(id.0) == number)
            .ok_or_else(|| format!("expected a benchmark, B1 to B17, got {text:?}"))
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Quick or full.
    pub form: Form,
    /// Only these; empty means all.
    pub only: Vec<Id>,
    /// Where the report goes as JSON, if it shall.
    pub json: Option<PathBuf>,
    /// The server's binary.
    pub server: PathBuf,
    /// The load generator.
    pub generator: Generator,
    /// The folder below which projects and stores are made; default the system's folder for
    /// temporary files. It decides what is measured: an fsync in memory costs nothing.
    pub folder: Option<PathBuf>,
    /// A folder with `node_modules/@restatedev`, for the rows against Restate.
    pub restate: Option<PathBuf>,
}

impl Options {
    /// Whether a benchmark was asked for.
    pub fn wants(&self, id: Id) -> bool {
        self.only.is_empty() || self.only.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_named_b1_to_b17() {
        assert_eq!("b12".parse(), Ok(Id(12)));
        assert_eq!("B13".parse(), Ok(Id(13)));
        assert_eq!("B17".parse(), Ok(Id(17)));
        assert_eq!(Id(3).to_string(), "B3");
        for text in ["", "B0", "B18", "12", "Bx"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}

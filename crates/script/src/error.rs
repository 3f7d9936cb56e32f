//! What can be wrong with a script.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A place in a source text and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What would be right, where the parser knows.
    pub help: Option<String>,
    /// The text of the line, cut where it is very long.
    pub text: String,
    /// Where in [`Self::text`] the caret stands, in characters from 0.
    caret: usize,
}

/// A line of minified code is cut to this many characters around the caret.
const LINE_CHARS_MAX: usize = 120;

impl SyntaxProblem {
    /// The problem at a byte offset of a source text.
    pub fn at(path: &Path, source: &str, offset: usize, message: impl Into<String>) -> Self {
        let offset = source.floor_char_boundary(offset.min(source.len()));
        let before = source.get(..offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = source.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = before.get(start..).unwrap_or_default().chars().count();
        let cut = column.saturating_sub(LINE_CHARS_MAX / 2);
        Self {
            path: path.to_path_buf(),
            line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
            message: message.into(),
            help: None,
            text: line.chars().skip(cut).take(LINE_CHARS_MAX).collect(),
            caret: column - cut,
        }
    }

    /// With what would be right.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, .. } = self;
        writeln!(f, "{}:{line}:{column}: {message}", path.display())?;
        let gutter = " ".repeat(line.to_string().len());
        // A tab before the caret stays a tab, so that both lines are indented alike.
        let indent: String = self
            .text
            .chars()
            .take(self.caret)
            .map(|character| if character == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, " {line} | {}", self.text)?;
        write!(f, " {gutter} | {indent}^")?;
        match &self.help {
            Some(help) => write!(f, "\n {gutter} = {help}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The text is not valid; all problems that were found, at most a few.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Syntax {
        /// In the order of the text; never empty.
        problems: Vec<SyntaxProblem>,
    },
    /// The file's name does not say that it is a script.
    #[error("{} is not a script (expected .ts, .mts, .cts, .tsx, .js or .mjs)", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than a script may be.
    #[error("{} has {bytes} bytes; a script may have {max}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Brackets are nested more deeply than in any script.
    #[error("{} is nested more than {max} levels deep", path.display())]
    TooDeep {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
    /// An import leads nowhere or where a configuration may not look.
    #[error("{}: cannot import {specifier:?}: {reason}", path.display())]
    Import {
        /// The file with the import.
        path: PathBuf,
        /// What it imports.
        specifier: String,
        /// Why not.
        reason: String,
    },
    /// The script threw.
    #[error(
        "{}{}: {message}",
        path.display(),
        line.map(|line| format!(":{line}")).unwrap_or_default()
    )]
    Threw {
        /// The file whose code threw.
        path: PathBuf,
        /// The line, from 1, where it is known.
        line: Option<u32>,
        /// Name and message of the error.
        message: String,
    },
    /// The script gave nothing that is a configuration.
    #[error("{}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What it gave, and what would be right.
        message: String,
    },
    /// The script did not end.
    #[error("{} ran for more than {limit:?}; a configuration may not wait or compute long", path.display())]
    TimedOut {
        /// The file.
        path: PathBuf,
        /// How long it may run.
        limit: Duration,
    },
    /// The script took too much memory.
    #[error("{} took more than {} MB of memory", path.display(), max >> 20)]
    Memory {
        /// The file.
        path: PathBuf,
        /// How many bytes it may take.
        max: u64,
    },
    /// The script could not be handed to a thread of its own.
    #[error("cannot work on {}", path.display())]
    Thread {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A library that reads the script gave up on it.
    #[error("{}: the script cannot be read: {message}", path.display())]
    Internal {
        /// The file.
        path: PathBuf,
        /// What it said.
        message: String,
    },
}

impl ScriptError {
    /// The places in the text, where the error has places.
    pub fn syntax_problems(&self) -> &[SyntaxProblem] {
        match self {
            Self::Syntax { problems } => problems,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_a_caret() {
        let source = "const a = 1;\n\tlet ü = ;\n";
        let offset = source.find(';').and_then(|first| source[first + 1..].find(';'));
        let offset = offset.unwrap() + source.find(';').unwrap() + 1;
        let problem = SyntaxProblem::at(Path::new("a.ts"), source, offset, "Unexpected token");
        assert_eq!((problem.line, problem.column), (2, 10));
        assert_eq!(
            problem.to_string(),
            "a.ts:2:10: Unexpected token\n 2 | \tlet ü = ;\n   | \t        ^"
        );
    }

    #[test]
    fn offsets_outside_the_text_or_inside_a_character_are_harmless() {
        for offset in [0, 1, 2, 3, 100, usize::MAX] {
            let problem = SyntaxProblem::at(Path::new("a.ts"), "ü\r\nx", offset, "m");
            assert!(problem.line <= 2, "{offset}");
        }
        let long = "x".repeat(10_000);
        let problem = SyntaxProblem::at(Path::new("a.ts"), &long, 5_000, "m");
        assert!(problem.text.len() <= LINE_CHARS_MAX);
        assert_eq!(problem.column, 5_001);
    }
}

//! The rules of the house that a machine can keep, so that reading can be about ideas. Run by
//! `cargo xtask lint` and, as a test, by `cargo test`.
//!
//! Each rule is a file with a function that takes the tree and gives what it found.

mod crates;
mod error_pages;
mod includes;
mod kind_pages;
mod kinds;
mod links;
mod rust;
mod sizes;
mod tree;
mod words;
mod wrap;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::run::{self, say};
pub use includes::write as write_includes;
use tree::Tree;
pub use wrap::write as wrap_comments;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
    /// Why there is a rule.
    reason: &'static str,
}

/// Looks at the whole tree and gives every place that breaks it.
type Rule = fn(&Tree) -> Result<Vec<Finding>>;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.path, self.line, self.message, self.reason)
    }
}

/// Checks the tree and tells every place that breaks a rule.
///
/// # Errors
/// When there is one.
pub fn check() -> Result<()> {
    let findings = findings(&run::root())?;
    for finding in &findings {
        say(&finding.to_string());
    }
    if !findings.is_empty() {
        bail!("tidy: {} places break a rule of the house", findings.len());
    }
    Ok(())
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    let rules: [Rule; 8] = [
        crates::check,
        error_pages::check,
        includes::check,
        kind_pages::check,
        kinds::check,
        links::check,
        sizes::check,
        words::check,
    ];
    let mut all = Vec::new();
    for rule in rules {
        all.extend(rule(&tree)?);
    }
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let found = findings(&run::root()).unwrap();
        let text: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert!(text.is_empty(), "\n{}", text.join("\n"));
    }
}

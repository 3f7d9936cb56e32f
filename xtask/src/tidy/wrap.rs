//! Breaks comment lines that are too wide, which rustfmt leaves alone: what does not fit goes to
//! the next line of the paragraph. Used by `cargo xtask fix`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::sizes::COLUMNS_MAX;
use super::tree::Tree;

/// Wraps the comments of all Rust files.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let text = wrapped(&file.text);
        if text != file.text {
            fs::write(root.join(&file.path), text)
                .with_context(|| format!("write {}", file.path))?;
        }
    }
    Ok(())
}

/// A comment line in its parts: what stands before the text, and the text.
fn comment(line: &str) -> Option<(&str, &str)> {
    let indent = line.len() - line.trim_start().len();
    let rest = &line[indent..];
    let mark = ["//! ", "/// ", "// "].into_iter().find(|mark| rest.starts_with(mark))?;
    Some(line.split_at(indent + mark.len()))
}

fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut in_code = false;
    let mut at = 0;
    while at < lines.len() {
        in_code ^= comment(&lines[at]).is_some_and(|(_, text)| text.starts_with("```"));
        if !in_code && let Some((line, mark, rest)) = broken(&lines[at]) {
            let (hang, rest) = (format!("{mark}{}", hang(&lines[at])), rest.to_owned());
            lines[at] = line;
            match lines.get(at + 1).and_then(|next| next.strip_prefix(&hang)) {
                Some(next) if is_prose(next) => lines[at + 1] = format!("{hang}{rest} {next}"),
                _ => lines.insert(at + 1, format!("{hang}{rest}")),
            }
        }
        at += 1;
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A line that is too wide: what fits, the comment's mark, and what does not fit.
fn broken(line: &str) -> Option<(String, &str, &str)> {
    let (mark, text) = comment(line)?;
    if line.chars().count() <= COLUMNS_MAX || text.starts_with('|') {
        return None;
    }
    let end = line.char_indices().nth(COLUMNS_MAX).map(|(at, _)| at)?;
    let space = line[..=end].rfind(' ').filter(|at| *at > mark.len())?;
    Some((line[..space].trim_end().to_owned(), mark, line[space + 1..].trim_start()))
}

/// How far the lines of a list's item are set in.
fn hang(line: &str) -> &'static str {
    match comment(line) {
        Some((_, text)) if text.starts_with("- ") || text.starts_with("  ") => "  ",
        _ => "",
    }
}

/// Whether a line goes on with the paragraph before it.
fn is_prose(text: &str) -> bool {
    !text.is_empty() && !text.starts_with([' ', '-', '*', '#', '|', '`'])
        || text.starts_with('`') && !text.starts_with("```")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_to_the_next_line_of_the_paragraph() {
        let long = format!("{}one", "word ".repeat(18));
        let table = [
            (format!("/// {long} two!!\n/// x\n"), format!("/// {long}\n/// two!! x\n")),
            (format!("// {long} two!!\nf()\n"), format!("// {long}\n// two!!\nf()\n")),
            (
                format!("//! - {long} two!!\n//! - b\n"),
                format!("//! - {long}\n//!   two!!\n//! - b\n"),
            ),
            (
                format!("/// ```\n/// {long} two!!\n/// ```\n"),
                format!("/// ```\n/// {long} two!!\n/// ```\n"),
            ),
        ];
        for (given, expected) in table {
            assert_eq!(wrapped(&given), expected);
        }
    }
}

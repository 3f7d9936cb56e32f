//! Limits on the tail: what makes a codebase hard to read is its few long files and functions.

use anyhow::Result;

use super::Finding;
use super::rust::Source;
use super::tree::{File, Tree};

const FILE_LINES_MAX: usize = 600;
const TEST_FILE_LINES_MAX: usize = 1_000;
const FUNCTION_LINES_MAX: usize = 70;
/// rustfmt keeps to it for code; `cargo xtask fix` does for comments.
pub const COLUMNS_MAX: usize = 100;
/// A literal that is longer is a text.
const TEXT_LEN: usize = 40;

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let files = tree.files.iter().filter(|file| file.is_rust());
    Ok(files.flat_map(|file| [file_size(file), functions(file), columns(file)]).flatten().collect())
}

fn file_size(file: &File) -> Vec<Finding> {
    let max = if file.is_test() { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let lines = file.text.lines().count();
    let finding = Finding {
        path: file.path.clone(),
        line: max + 1,
        message: format!("{lines} lines, at most {max}"),
        reason: "a long file holds a second idea: find the seam",
    };
    if lines > max { vec![finding] } else { Vec::new() }
}

fn functions(file: &File) -> Vec<Finding> {
    let functions = Source::read(&file.text).functions().into_iter();
    let long = functions.filter(|function| function.code_lines > FUNCTION_LINES_MAX);
    let finding = |function: super::rust::Function| Finding {
        path: file.path.clone(),
        line: function.line,
        message: format!(
            "fn {} has {} lines, at most {FUNCTION_LINES_MAX}",
            function.name, function.code_lines
        ),
        reason: "a function fits on a screen",
    };
    long.map(finding).collect()
}

fn columns(file: &File) -> Vec<Finding> {
    let source = Source::read(&file.text);
    // A long text is not broken, so that it can be searched for; one over several lines is data.
    let is_text = |at: usize| {
        source.literals.iter().any(|(line, text)| {
            (*line..=line + text.matches('\n').count()).contains(&at) && text.len() > TEXT_LEN
        })
    };
    let lines = file.text.lines().enumerate();
    let wide = lines.filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
    let finding = |(at, line): (usize, &str)| Finding {
        path: file.path.clone(),
        line: at + 1,
        message: format!("{} columns, at most {COLUMNS_MAX}", line.chars().count()),
        reason: "two files fit side by side",
    };
    wide.filter(|(at, _)| !is_text(at + 1)).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_kept() {
        let long = "\n".repeat(601);
        let function = format!("fn f() {{\n{}}}\n", "a();\n".repeat(71));
        let wide = format!("//{}\n", "x".repeat(99));
        let tree = Tree::of(&[
            ("a/src/long.rs", &long),
            ("a/src/tests.rs", &long),
            ("a/src/function.rs", &function),
            ("a/src/wide.rs", &wide),
            ("a/src/data.rs", &format!("f(\"\n{wide}\");\n")),
        ]);
        let found = check(&tree).unwrap();
        let places: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(
            places,
            [("a/src/long.rs", 601), ("a/src/function.rs", 1), ("a/src/wide.rs", 1)]
        );
    }
}

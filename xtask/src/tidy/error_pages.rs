//! Every error code has a page, and every page a code.

use anyhow::{Context as _, Result};

use super::Finding;
use super::tree::Tree;

const CODES: &str = "crates/model/src/problem.rs";
const PAGES: &str = "docs/errors/";
const REASON: &str = "an error message links to the page of its code";

/// An error code as it stands in the code.
struct Code {
    line: usize,
    code: String,
    status: String,
    title: String,
}

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let source = tree.file(CODES).with_context(|| format!("{CODES} is missing"))?;
    let codes: Vec<Code> = source.text.lines().enumerate().filter_map(code).collect();
    let mut found: Vec<Finding> = codes.iter().filter_map(|code| page_of(tree, code)).collect();
    for file in &tree.files {
        let page = file.path.strip_prefix(PAGES).and_then(|name| name.strip_suffix(".md"));
        let is_known = |name| name == "README" || codes.iter().any(|code| code.code == name);
        if let Some(name) = page.filter(|name| !is_known(*name)) {
            found.push(finding(&file.path, 1, format!("there is no code {name}")));
        }
    }
    Ok(found)
}

/// Reads `Name = "FN_001", 404, "Function not found";`.
fn code((at, line): (usize, &str)) -> Option<Code> {
    let (_, tail) = line.trim().strip_suffix("\";")?.split_once(" = \"")?;
    let (code, tail) = tail.split_once("\", ")?;
    let (status, title) = tail.split_once(", \"")?;
    let [code, status, title] = [code, status, title].map(str::to_owned);
    Some(Code { line: at + 1, code, status, title })
}

/// What is wrong with the page of a code.
fn page_of(tree: &Tree, code: &Code) -> Option<Finding> {
    let path = format!("{PAGES}{}.md", code.code);
    let Some(page) = tree.file(&path) else {
        return Some(finding(CODES, code.line, format!("{} has no page {path}", code.code)));
    };
    let heading = format!("# {}: {}", code.code, code.title);
    if page.text.lines().next() != Some(heading.as_str()) {
        return Some(finding(&path, 1, format!("the first line has to be {heading:?}")));
    }
    let status = format!("HTTP {}", code.status);
    (!page.text.contains(&status)).then(|| finding(&path, 2, format!("does not say {status}")))
}

fn finding(path: &str, line: usize, message: String) -> Finding {
    Finding { path: path.to_owned(), line, message, reason: REASON }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_codes_belong_together() {
        let codes = "    A = \"FN_001\", 404, \"Not there\";\n    B = \"FN_002\", 504, \"Late\";\n\
                     C = \"FN_003\", 502, \"Big\";\n";
        let tree = Tree::of(&[
            (CODES, codes),
            ("docs/errors/FN_001.md", "# FN_001: Not there\nHTTP 404"),
            ("docs/errors/FN_003.md", "# FN_003: Bigger\nHTTP 502"),
            ("docs/errors/FN_009.md", "# FN_009: What\n"),
        ]);
        let found: Vec<_> = check(&tree).unwrap().into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [(CODES, 2), ("docs/errors/FN_003.md", 1), ("docs/errors/FN_009.md", 1)];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}

//! Every kind of source, target and runtime has the page that its descriptor names.

use anyhow::Result;

use super::Finding;
use super::tree::{File, Tree};

const FAMILIES: [&str; 3] = ["crates/sources/", "crates/targets/", "crates/runtimes/"];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let is_kind = |file: &&File| {
        file.is_rust()
            && !file.is_test()
            && FAMILIES.iter().any(|family| file.path.starts_with(family))
    };
    Ok(tree.files.iter().filter(is_kind).flat_map(|file| missing(tree, file)).collect())
}

fn missing(tree: &Tree, file: &File) -> Vec<Finding> {
    let pages = file.text.lines().enumerate().filter_map(|(at, line)| {
        let page = line.trim().strip_prefix("docs: \"")?.strip_suffix("\",")?;
        (!tree.has(&format!("docs/{page}"))).then_some((at + 1, page))
    });
    let finding = |(line, page)| Finding {
        path: file.path.clone(),
        line,
        message: format!("there is no page docs/{page}"),
        reason: "validation, the command line and the documentation read only descriptors",
    };
    pages.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_found() {
        let tree = Tree::of(&[
            ("crates/sources/src/a.rs", "x {\n    docs: \"a.md\",\n}"),
            ("crates/targets/src/b.rs", "        docs: \"b.md\","),
            ("docs/b.md", ""),
        ]);
        let found: Vec<_> = check(&tree).unwrap().into_iter().map(|f| (f.path, f.line)).collect();
        assert_eq!(found, [("crates/sources/src/a.rs".to_owned(), 2)]);
    }
}

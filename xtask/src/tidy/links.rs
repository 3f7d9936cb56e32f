//! Links between the Markdown files of the tree lead somewhere.

use anyhow::Result;

use super::Finding;
use super::tree::{File, Tree};

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let files = tree.files.iter().filter(|file| file.is_markdown());
    Ok(files.flat_map(|file| dead_links(tree, file)).collect())
}

fn dead_links(tree: &Tree, file: &File) -> Vec<Finding> {
    let dead = links(&file.text).into_iter().filter(|(_, target)| {
        let path = target.split('#').next().unwrap_or_default();
        !path.is_empty() && !resolve(file.folder(), path).is_some_and(|path| tree.has(&path))
    });
    let finding = |(line, target): (usize, String)| Finding {
        path: file.path.clone(),
        line,
        message: format!("the link to {target} leads nowhere"),
        reason: "a reader follows links",
    };
    dead.map(finding).collect()
}

/// The targets of links to files, with their lines; code is not looked at.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every other part of a line that is split at backticks is code.
        for part in line.split('`').step_by(2).collect::<Vec<_>>().join("`").split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere {
                found.push((at + 1, target.to_owned()));
            }
        }
    }
    found
}

/// A path as seen from a folder, from the root; `None` when it leads out of the tree.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_nothing_are_found() {
        let text = "[a](b.md) [c](../README.md#x) [d](https://e.invalid)\n[f](g.md) `[h](i.md)`\n\
                    ```\n[j](k.md)\n```\n[`l`](m.md) [n](../../o.md) [p](#q)\n";
        let tree = Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", "")]);
        let found: Vec<_> =
            check(&tree).unwrap().into_iter().map(|f| (f.line, f.message)).collect();
        let dead = |line, target: &str| (line, format!("the link to {target} leads nowhere"));
        assert_eq!(found, [dead(2, "g.md"), dead(6, "m.md"), dead(6, "../../o.md")]);
    }
}

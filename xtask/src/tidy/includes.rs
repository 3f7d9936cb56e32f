//! Parts of Markdown files that repeat another file word by word: between `<!-- include PATH -->`
//! and `<!-- end -->`, in a code fence. `cargo xtask fix` writes them, tidy compares them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Finding;
use super::tree::{File, Tree};

const OPEN: &str = "<!-- include ";
const CLOSE: &str = "<!-- end -->";

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let stale = tree.files.iter().filter(|file| {
        file.is_markdown() && filled(tree, file).is_none_or(|text| text != file.text)
    });
    let finding = |file: &File| Finding {
        path: file.path.clone(),
        line: 1,
        message: "what it includes has changed or is missing; cargo xtask fix".to_owned(),
        reason: "a copy that differs misleads",
    };
    Ok(stale.map(finding).collect())
}

/// Writes the included parts anew.
///
/// # Errors
/// When a file cannot be read or written, or includes one that is not there.
pub fn write(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    for file in tree.files.iter().filter(|file| file.is_markdown()) {
        let text = filled(&tree, file)
            .with_context(|| format!("{} includes a file that is not there", file.path))?;
        if text != file.text {
            fs::write(root.join(&file.path), text)
                .with_context(|| format!("write {}", file.path))?;
        }
    }
    Ok(())
}

/// The file with its included parts as they should be; `None` when one is not there.
fn filled(tree: &Tree, file: &File) -> Option<String> {
    let mut out = String::with_capacity(file.text.len());
    let mut rest = file.text.as_str();
    while let Some(at) = rest.find(OPEN) {
        let (before, tail) = rest.split_at(at);
        let (path, tail) = tail[OPEN.len()..].split_once(" -->\n")?;
        let end = tail.find(CLOSE)?;
        let source = tree.file(path)?;
        let language = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        let text = source.text.trim_end();
        out.push_str(before);
        out.push_str(&format!("{OPEN}{path} -->\n```{language}\n{text}\n```\n"));
        rest = &tail[end..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a\n<!-- include c.toml -->\nold\n<!-- end -->\nb\n";

    #[test]
    fn what_is_included_is_compared_and_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("p.md"), PAGE).unwrap();
        fs::write(folder.path().join("c.toml"), "x = 1\n").unwrap();
        assert_eq!(check(&Tree::read(folder.path()).unwrap()).unwrap().len(), 1);
        write(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("p.md")).unwrap();
        assert_eq!(text, "a\n<!-- include c.toml -->\n```toml\nx = 1\n```\n<!-- end -->\nb\n");
        assert_eq!(check(&Tree::read(folder.path()).unwrap()).unwrap().len(), 0);
    }

    #[test]
    fn a_missing_file_is_found() {
        assert_eq!(check(&Tree::of(&[("p.md", PAGE)])).unwrap().len(), 1);
    }
}

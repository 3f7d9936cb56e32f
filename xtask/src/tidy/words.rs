//! Words that do not belong in the tree. They are put together here so that this file does not hold
//! them either.

use anyhow::Result;

use super::Finding;
use super::tree::{File, Tree};

const UNFINISHED: &str = "what is not done is not in the tree; it is an issue";
const WEAKENED: &str = "a rule that does not fit is expected with a reason, or mended";
const IGNORED: &str = "a test that is not run proves nothing";
const ELSEWHERE: &str = "paths of one machine do not exist on another";
const REGISTRY: &str = "package clients know their registries; the tree names none";

/// The words and why they are not wanted.
const WORDS: [(&str, &str); 16] = [
    (concat!("TO", "DO"), UNFINISHED),
    (concat!("FIX", "ME"), UNFINISHED),
    (concat!("to", "do!("), UNFINISHED),
    (concat!("unimple", "mented!("), UNFINISHED),
    (concat!("db", "g!("), UNFINISHED),
    (concat!("#[ig", "nore"), IGNORED),
    (concat!("#[al", "low("), WEAKENED),
    (concat!("/wo", "rk/"), ELSEWHERE),
    (concat!("/ro", "ot/"), ELSEWHERE),
    (concat!("crates", ".io"), REGISTRY),
    (concat!("npmjs", ".org"), REGISTRY),
    (concat!("pypi", ".org"), REGISTRY),
    (concat!("python", "hosted.org"), REGISTRY),
    (concat!("proxy.go", "lang.org"), REGISTRY),
    (concat!("maven", ".org"), REGISTRY),
    (concat!("deb.de", "bian.org"), REGISTRY),
];

/// Cargo writes the name of its index into the lock file.
const EXEMPT: [&str; 1] = ["Cargo.lock"];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let files = tree.files.iter().filter(|file| !EXEMPT.contains(&file.path.as_str()));
    Ok(files.flat_map(in_file).collect())
}

fn in_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (word, reason) in WORDS {
            if holds(line, word) {
                let message = format!("holds {word:?}");
                found.push(Finding { path: file.path.clone(), line: at + 1, message, reason });
            }
        }
    }
    found
}

/// Whether the line holds the word and not just a longer one that ends in it.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let part_of_longer = |c: char| c.is_alphanumeric() || c == '_' || c == '~';
        !before.is_some_and(|c| part_of_longer(c) && !word.starts_with('#'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwanted_words_are_found_and_longer_ones_are_not() {
        let text = format!("a {}: b\ncd {}\n/frame{}x\n", WORDS[0].0, WORDS[7].0, WORDS[7].0);
        let found = check(&Tree::of(&[("docs/a.md", &text)])).unwrap();
        let lines: Vec<_> = found.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2]);
    }
}

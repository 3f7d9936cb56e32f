//! Adding a kind of source, target, runtime or store costs one folder. That stays true as long as
//! nobody else asks for a kind by its name.

use anyhow::Result;

use super::Finding;
use super::rust::Source;
use super::tree::{File, Tree};

/// Names of kinds and the folders in which Rust may spell them.
struct Family {
    kinds: &'static [&'static str],
    homes: &'static [&'static str],
}

const FAMILIES: [Family; 3] = [
    Family {
        kinds: &["nodejs", "node", "bun", "deno", "python", "wasm", "docker"],
        // The benchmarks compare with the bare language; a manifest may name what is not there yet,
        // and a new function begins as a file in some language.
        homes: &[
            "crates/runtimes/",
            "crates/bench/",
            "crates/project/src/language.rs",
            "crates/project/src/scaffold.rs",
        ],
    },
    Family { kinds: &["sqlite", "postgres", "mysql"], homes: &["crates/stores/", "crates/evoke/"] },
    Family { kinds: &["kafka", "nats", "rabbitmq"], homes: &["crates/sources/"] },
];

/// The word is also a URL's scheme, so it is only looked for where nothing of HTTP is known.
const HTTP: &str = "http";
const WITHOUT_HTTP: [&str; 5] =
    ["crates/model/", "crates/matching/", "crates/delivery/", "crates/engine/", "crates/stores/"];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let files = tree
        .files
        .iter()
        .filter(|file| file.is_rust() && file.path.starts_with("crates/") && !file.is_test());
    Ok(files.flat_map(in_file).collect())
}

fn in_file(file: &File) -> Vec<Finding> {
    let source = Source::read(&file.text);
    let tests = source.test_lines();
    let production =
        source.literals.iter().filter(|(line, _)| !tests.iter().any(|lines| lines.contains(line)));
    let strangers = production.filter(|(_, text)| is_stranger(&file.path, text));
    let finding = |(line, text): &(usize, String)| Finding {
        path: file.path.clone(),
        line: *line,
        message: format!("names the kind {text:?}"),
        reason: "adding a kind costs one folder; ask its descriptor or constant",
    };
    strangers.map(finding).collect()
}

fn is_stranger(path: &str, literal: &str) -> bool {
    let at = |homes: &[&str]| homes.iter().any(|home| path.starts_with(home));
    let kind = literal.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    FAMILIES.iter().any(|family| family.kinds.contains(&kind) && !at(family.homes))
        || (literal == HTTP && at(&WITHOUT_HTTP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_only_at_home() {
        let text =
            "let a = \"python3.12\"; // \"bun\"\n#[cfg(test)]\nmod tests { fn b(x: \"bun\") {} }\n";
        let tree = Tree::of(&[
            ("crates/runtimes/src/python/mod.rs", text),
            ("crates/engine/src/run.rs", text),
            ("crates/engine/tests/run.rs", text),
            ("crates/engine/src/door.rs", "\"http\""),
            ("crates/server/src/door.rs", "\"http\""),
        ]);
        let found: Vec<_> = check(&tree).unwrap().into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [("crates/engine/src/run.rs", 1), ("crates/engine/src/door.rs", 1)];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}

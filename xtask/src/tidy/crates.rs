//! The floors of the house: each crate stands on one, and depends only on crates below it. The
//! table is in `ARCHITECTURE.md`, where people read it too.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::Finding;
use super::tree::{File, Tree};

const TABLE: &str = "ARCHITECTURE.md";
const DOWNWARD: &str = "whoever is below must not know who is above";
const LINTS: &str = "the lints of the workspace hold for every crate";

/// `F4.1` as `[4, 1]`; a crate depends on crates with smaller numbers only.
type Floor = Vec<u32>;

struct Crate<'a> {
    name: String,
    manifest: &'a File,
    table: Table,
}

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let floors = floors(tree)?;
    let crates = crates(tree)?;
    let mut found = Vec::new();
    for member in &crates {
        found.extend(edges(member, &floors));
        if member.table.get("lints").and_then(|lints| lints.get("workspace"))
            != Some(&Value::Boolean(true))
        {
            found.push(member.finding(1, "no [lints] workspace = true".to_owned(), LINTS));
        }
    }
    for (name, (line, _)) in &floors {
        if !crates.iter().any(|member| member.name == *name) {
            let message = format!("there is no crate {name}");
            found.push(Finding { path: TABLE.to_owned(), line: *line, message, reason: DOWNWARD });
        }
    }
    Ok(found)
}

/// The rows of the table that begin with a crate's name in backticks and its floor.
fn floors(tree: &Tree) -> Result<BTreeMap<String, (usize, Floor)>> {
    let text = &tree.file(TABLE).with_context(|| format!("{TABLE} is missing"))?.text;
    let row = |(at, line): (usize, &str)| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().strip_suffix('`')?;
        let floor = cells.next()?.trim().strip_prefix('F')?;
        let floor: Option<Floor> = floor.split('.').map(|part| part.parse().ok()).collect();
        Some((name.to_owned(), (at + 1, floor?)))
    };
    Ok(text.lines().enumerate().filter_map(row).collect())
}

fn crates(tree: &Tree) -> Result<Vec<Crate<'_>>> {
    let is_member = |file: &&File| {
        file.path.ends_with("/Cargo.toml")
            && (file.path.starts_with("crates/") || file.path == "xtask/Cargo.toml")
    };
    tree.files.iter().filter(is_member).map(Crate::read).collect()
}

/// The name of a crate as people say it: `evoke-model` is `model`.
fn short(name: &str) -> &str {
    name.strip_prefix("evoke-").unwrap_or(name)
}

impl<'a> Crate<'a> {
    fn read(manifest: &'a File) -> Result<Self> {
        let File { path, text } = manifest;
        let table: Table = text.parse().with_context(|| format!("read {path}"))?;
        let name = table.get("package").and_then(|package| package.get("name"));
        let name = name.and_then(Value::as_str).with_context(|| format!("{path} has no name"))?;
        Ok(Self { name: short(name).to_owned(), manifest, table })
    }

    fn finding(&self, line: usize, message: String, reason: &'static str) -> Finding {
        Finding { path: self.manifest.path.clone(), line, message, reason }
    }

    /// The crates of this workspace that the crate is built with; those of its tests do not count.
    fn dependencies(&self) -> Vec<&str> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        let tables = std::iter::once(&self.table)
            .chain(targets)
            .flat_map(|table| ["dependencies", "build-dependencies"].map(|name| table.get(name)));
        let names = tables.flatten().filter_map(Value::as_table).flat_map(Table::keys);
        let ours = |name: &&String| name.starts_with("evoke-") || *name == "evoke";
        names.filter(ours).map(|name| short(name)).collect()
    }
}

/// Dependencies that do not point downward.
fn edges(member: &Crate<'_>, floors: &BTreeMap<String, (usize, Floor)>) -> Vec<Finding> {
    let Some((_, floor)) = floors.get(&member.name) else {
        let message = format!("{} has no row in {TABLE}", member.name);
        return vec![member.finding(1, message, DOWNWARD)];
    };
    let wrong = member
        .dependencies()
        .into_iter()
        .filter(|name| floors.get(*name).is_some_and(|(_, below)| below >= floor));
    let finding = |name: &str| {
        let text = &member.manifest.text;
        let line = text.lines().position(|line| line.contains(&format!("evoke-{name}")));
        let message = format!("{} may not depend on {name}, which is not below it", member.name);
        member.finding(line.map_or(1, |at| at + 1), message, DOWNWARD)
    };
    wrong.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINT: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn an_edge_that_does_not_point_downward_is_found() {
        let manifest = |name: &str, on: &str| {
            format!("[package]\nname = \"{name}\"\n[dependencies]\n{on}.workspace = true\n{LINT}")
        };
        let table =
            "| `model` | F0 | x |\n| `api` | F4 | x |\n| `server` | F4.1 | x |\n| `x` | F5 |\n";
        let (model, api, server) = (
            manifest("evoke-model", "evoke-api"),
            manifest("evoke-api", "evoke-model"),
            manifest("evoke-server", "evoke-api"),
        );
        let tree = Tree::of(&[
            ("ARCHITECTURE.md", table),
            ("crates/model/Cargo.toml", &model),
            ("crates/api/Cargo.toml", &api),
            ("crates/server/Cargo.toml", &server),
            ("crates/new/Cargo.toml", "[package]\nname = \"evoke-new\"\n"),
        ]);
        let found: Vec<_> = check(&tree).unwrap().into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [
            ("crates/model/Cargo.toml", 4),
            ("crates/new/Cargo.toml", 1),
            ("crates/new/Cargo.toml", 1),
            ("ARCHITECTURE.md", 4),
        ];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}

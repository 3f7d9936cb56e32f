//! The files in `schemas/`: collections that a project declares. Each is the JSON Schema of a
//! collection called like the file, with one further keyword, `indexes`.

use std::fs;
use std::path::{Path, PathBuf};

use evoke_document::Collection;
use evoke_model::suggest::nearest;
use evoke_model::{Problem, suggest};
use evoke_schema::Schema;
use serde_json::{Map, Value};

use crate::desired::{Desired, FileProblem};
use crate::document;

/// The folder, relative to the project.
const FOLDER: &str = "schemas";

/// The keyword that JSON Schema does not have.
const INDEXES: &str = "indexes";

/// The keywords of a schema that stand at its top. JSON Schema lets others pass; one that is a slip
/// of these would silently check nothing.
const KEYWORDS: [&str; 30] = [
    INDEXES,
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "$comment",
    "definitions",
    "type",
    "title",
    "description",
    "default",
    "examples",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "required",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "const",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
];

/// Reads the folder into `out`. A file with a problem declares nothing; what it declared before
/// stays as it is.
pub fn read(root: &Path, out: &mut Desired) {
    for path in files(root) {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let value = document::read(&root.join(&path), root);
        let read =
            value.map_err(|wrong| vec![wrong.at("")]).and_then(|value| declared(name, value));
        match read {
            Ok(collection) => out.collections.push(collection),
            Err(problems) => out.problems.extend(
                problems.into_iter().map(|problem| FileProblem { path: path.clone(), problem }),
            ),
        }
    }
}

fn declared(name: &str, value: Value) -> Result<Collection, Vec<Problem>> {
    let Value::Object(mut schema) = value else {
        return Err(vec![Problem::new("", "expected a JSON Schema: an object")]);
    };
    let mut problems = slips(&schema);
    if !Collection::is_name(name) {
        let problem = Problem::new("", format!("{name:?} is no name of a collection"));
        problems.push(problem.suggest(
            "call the file like it: a letter, then letters, digits, \"_\" and \"-\", at most 63",
        ));
    }
    let indexes = schema.remove(INDEXES);
    let schema = (!schema.is_empty()).then_some(Value::Object(schema));
    if let Some(Err(problem)) = schema.as_ref().map(Schema::compile) {
        problems.push(problem);
    }
    match Collection::declared(name, schema, indexes.as_ref()) {
        Ok(collection) if problems.is_empty() => Ok(collection),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// Keywords that are nearly one.
fn slips(schema: &Map<String, Value>) -> Vec<Problem> {
    let unknown = schema.keys().filter(|name| !KEYWORDS.contains(&name.as_str()));
    let slip = |name: &String| {
        nearest(name, KEYWORDS)?;
        let problem = Problem::new(name.as_str(), format!("unknown keyword {name:?}"));
        Some(problem.suggest(suggest::did_you_mean(name, KEYWORDS)))
    };
    unknown.filter_map(slip).collect()
}

/// The files, relative to the project, by name. A folder that is not there has none.
fn files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let paths = entries.map(|entry| Path::new(FOLDER).join(entry.file_name()));
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|form| form == "json")).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_files(files: &[(&str, &str)]) -> (Vec<Collection>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(FOLDER)).unwrap();
        for (name, text) in files {
            fs::write(root.path().join(FOLDER).join(name), text).unwrap();
        }
        let mut out = Desired::default();
        read(root.path(), &mut out);
        (out.collections, out.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn each_file_is_a_collection() {
        let (collections, problems) = read_files(&[
            ("users.json", r#"{ "required": ["email"], "indexes": [{ "fields": ["email"] }] }"#),
            ("orders.json", r#"{ "indexes": [] }"#),
            ("readme.md", "not looked at"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let names: Vec<&str> = collections.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["orders", "users"]);
        assert_eq!(collections[0].schema, None);
        let schema = serde_json::json!({ "required": ["email"] });
        assert_eq!(collections[1].schema, Some(schema));
        assert_eq!(collections[1].indexes[0].name, "email");
    }

    #[test]
    fn mistakes_are_told_with_file_and_field() {
        let (collections, problems) = read_files(&[
            ("_own.json", "{}"),
            ("a.json", "[]"),
            ("b.json", "{"),
            ("c.json", r#"{ "type": "objct" }"#),
            ("d.json", r#"{ "indexs": [] }"#),
            ("e.json", r#"{ "indexes": [{ "fields": ["a"], "uniqe": true }] }"#),
            ("f.json", r#"{ "indexes": [{ "fields": ["a"], "unique": true }] }"#),
        ]);
        assert_eq!(collections.len(), 1);
        let told = problems.join("\n");
        for expected in [
            "schemas/_own.json: \"_own\" is no name",
            "schemas/a.json: expected a JSON Schema",
            "schemas/b.json: ",
            "schemas/c.json: at /type",
            "schemas/d.json: indexs: unknown keyword \"indexs\" (did you mean \"indexes\"?)",
            "schemas/e.json: indexes[0].uniqe: unknown field \"uniqe\" (did you mean \"unique\"?)",
        ] {
            assert!(told.contains(expected), "{expected}:\n{told}");
        }
        assert_eq!(problems.len(), 6, "{told}");
    }
}

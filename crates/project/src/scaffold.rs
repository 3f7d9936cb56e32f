//! The files of a new function: a manifest, a handler, a test event and a unit test. They work as
//! they are, and nothing that is there is ever overwritten.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use evoke_model::{Problem, suggest};

use crate::config::{FILE, ProjectConfig};
use crate::language::RUNTIMES;
use crate::manifest::check_name;
use crate::reader::Report;

/// The runtime of a new function where nobody names one.
pub const RUNTIME_DEFAULT: &str = "nodejs";

/// Why a function could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The name or the runtime cannot be taken.
    #[error("{problem}")]
    Invalid {
        /// What is wrong and what would be right.
        problem: Problem,
    },
    /// Something is there already.
    #[error("{} is there already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A file of a template: its name and its text with `{{name}}`, `{{runtime}}` and `{{test}}`.
type File = (&'static str, &'static str);

const EVENT: File = ("events/created.json", include_str!("../templates/created.json"));
const TYPESCRIPT: [File; 4] = [
    ("function.config.ts", include_str!("../templates/typescript/function.config.ts")),
    ("index.ts", include_str!("../templates/typescript/index.ts")),
    ("index.test.ts", include_str!("../templates/typescript/index.test.ts")),
    EVENT,
];
const PYTHON: [File; 4] = [
    ("function.yaml", include_str!("../templates/python/function.yaml")),
    ("main.py", include_str!("../templates/python/main.py")),
    ("test_main.py", include_str!("../templates/python/test_main.py")),
    EVENT,
];

/// The template of a runtime, and how its unit test is run.
fn template(runtime: &str) -> Option<(&'static [File], &'static str)> {
    if !RUNTIMES.contains(&runtime) {
        return None;
    }
    match runtime {
        "bun" => Some((&TYPESCRIPT, "bun test")),
        name if name.starts_with("node") => {
            Some((&TYPESCRIPT, "node --test index.test.ts` (Node 22.18 or later) or `bun test"))
        }
        name if name.starts_with("python") => Some((&PYTHON, "python -m unittest")),
        _ => None,
    }
}

/// Makes the function `name` in the project `root` and gives the files it wrote.
///
/// # Errors
/// A name or runtime that cannot be taken, a folder that is there already, a disk that refuses.
pub fn scaffold(root: &Path, name: &str, runtime: &str) -> Result<Vec<PathBuf>, ScaffoldError> {
    let invalid = |problem| ScaffoldError::Invalid { problem };
    let mut report = Report::default();
    report.keep("name", check_name(name));
    if let Some(problem) = report.problems.pop() {
        return Err(invalid(problem));
    }
    let Some((files, test)) = template(runtime) else {
        let known = RUNTIMES.into_iter().filter(|runtime| template(runtime).is_some());
        let problem = Problem::new("runtime", format!("there is no template for {runtime:?}"));
        return Err(invalid(problem.suggest(suggest::did_you_mean(runtime, known))));
    };
    // Only the folder's name matters here; whatever else is wrong is said when the project is read.
    let config = ProjectConfig::load(&root.join(FILE), &BTreeMap::new()).unwrap_or_default();
    let folder = root.join(&config.functions).join(name);
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(ScaffoldError::Exists { path: folder });
    }
    let mut written = Vec::new();
    for (file, text) in files {
        let text = text.replace("{{name}}", name).replace("{{runtime}}", runtime);
        let path = folder.join(file);
        write(&path, &text.replace("{{test}}", test))
            .map_err(|source| ScaffoldError::Write { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_made_once() {
        let project = tempfile::tempdir().unwrap();
        for (name, runtime) in [("a", "nodejs20"), ("b", "bun"), ("c", "python3.12"), ("d", "node")]
        {
            let files = scaffold(project.path(), name, runtime).unwrap();
            assert_eq!(files.len(), 4);
            for file in &files {
                let text = fs::read_to_string(file).unwrap();
                assert!(!text.contains("{{"), "{}: {text}", file.display());
            }
            let again = scaffold(project.path(), name, runtime);
            assert!(matches!(again, Err(ScaffoldError::Exists { .. })), "{again:?}");
        }
    }

    #[test]
    fn the_project_says_where_functions_are() {
        let project = tempfile::tempdir().unwrap();
        fs::write(project.path().join(FILE), "functions = 'src/fn'").unwrap();
        let files = scaffold(project.path(), "a", "bun").unwrap();
        assert!(files[0].starts_with(project.path().join("src/fn/a")));
    }

    #[test]
    fn names_and_runtimes_are_checked() {
        let project = tempfile::tempdir().unwrap();
        for name in ["", "..", "../a", "a/b", "/a", "a b", ".a"] {
            let refused = scaffold(project.path(), name, "bun").unwrap_err();
            assert!(refused.to_string().starts_with("name: "), "{name}: {refused}");
        }
        let refused = scaffold(project.path(), "a", "nodejs2").unwrap_err();
        assert!(refused.to_string().contains("did you mean \"nodejs"), "{refused}");
        for runtime in ["docker", "deno", ""] {
            assert!(scaffold(project.path(), "a", runtime).is_err(), "{runtime}");
        }
        assert!(fs::read_dir(project.path()).unwrap().next().is_none());
    }
}

//! Which runtime a function takes and where its handler is, told from the manifest and the files.

use std::path::Path;

use evoke_model::suggest;

use crate::manifest::Place;
use crate::read::{ReadContext, RuntimeName};
use crate::reader::{Report, Table, Wrong, unknown};
use crate::values::some_text;

/// The runtimes of the manifest. One that is not in this version is said to be just that.
pub const RUNTIMES: [&str; 14] = [
    "nodejs18",
    "nodejs20",
    "nodejs22",
    "nodejs",
    "node",
    "bun",
    "deno",
    "python3.10",
    "python3.11",
    "python3.12",
    "python",
    "go",
    "wasm",
    "docker",
];

/// A language: the files it is known by and the runtimes that run it.
struct Language {
    /// What a file's name ends with, in the order in which files are looked for.
    extensions: &'static [&'static str],
    /// The file that makes a folder a function, without its extension.
    main: &'static str,
    /// The runtime where nobody names one.
    runtime: &'static str,
    /// What the names of its runtimes begin with.
    prefixes: &'static [&'static str],
}

const LANGUAGES: [Language; 3] = [
    Language {
        extensions: &["ts", "js", "mjs", "mts", "cjs", "cts", "tsx"],
        main: "index",
        runtime: "nodejs",
        prefixes: &["node", "bun", "deno"],
    },
    Language { extensions: &["py"], main: "main", runtime: "python", prefixes: &["python"] },
    Language { extensions: &["go"], main: "main", runtime: "go", prefixes: &["go"] },
];

impl Language {
    /// The language of a folder, by its main file.
    fn of_folder(folder: &Path) -> Option<&'static Self> {
        LANGUAGES.iter().find(|language| language.file(folder, language.main).is_some())
    }

    fn of_runtime(runtime: &str) -> Option<&'static Self> {
        let runs = |language: &&Self| language.prefixes.iter().any(|p| runtime.starts_with(p));
        LANGUAGES.iter().find(runs)
    }

    /// The file of a handler like `src/index`.
    fn file(&self, folder: &Path, stem: &str) -> Option<String> {
        let mut names = self.extensions.iter().map(|extension| format!("{stem}.{extension}"));
        names.find(|name| folder.join(name).is_file())
    }
}

/// Whether a folder without a manifest is a function: it has `index.ts` (or another extension of
/// JavaScript), `main.py` or `main.go`.
pub fn has_main(folder: &Path) -> bool {
    Language::of_folder(folder).is_some()
}

/// The runtime of a function: the manifest's, the project's for this language, the language's.
pub fn runtime<'a>(
    table: &mut Table,
    place: Place<'_>,
    context: &ReadContext<'a>,
    report: &mut Report,
) -> Option<&'a RuntimeName> {
    let find = |name: &str| context.runtimes.iter().find(|runtime| runtime.name == name);
    if table.peek("runtime").is_some() {
        let name = table.read("runtime", report, some_text)?;
        let found = find(&name);
        if found.is_none() {
            report.problem("runtime", unavailable(&name, context));
        }
        return found;
    }
    table.take("runtime");
    let language = Language::of_folder(place.folder);
    let default = place.defaults.runtime.as_str();
    let default = Some(default).filter(|name| !name.is_empty()).filter(|name| {
        // The project's default is for functions it can run.
        let runs = |language: &Language| language.prefixes.iter().any(|p| name.starts_with(p));
        language.is_none_or(runs)
    });
    let Some(name) = default.or(language.map(|language| language.runtime)) else {
        let hint = "write `runtime`, or add index.ts, index.js, main.py or main.go";
        report.problem("runtime", Wrong::new("`runtime` is missing").suggest(hint));
        return None;
    };
    let found = find(name);
    if found.is_none() {
        report.problem("runtime", unavailable(name, context));
    }
    found
}

fn unavailable(name: &str, context: &ReadContext<'_>) -> Wrong {
    let available = context.runtimes.iter().map(|runtime| runtime.name.as_str());
    if RUNTIMES.contains(&name) {
        let wrong = Wrong::new(format!("runtime {name:?} is not available in this version"));
        return wrong.suggest(suggest::did_you_mean(name, available));
    }
    unknown("runtime", name, available)
}

/// The handler as written, after a look whether its file is there. Without one the runtime's own
/// default is looked for.
pub fn handler(
    table: &mut Table,
    place: Place<'_>,
    runtime: Option<&RuntimeName>,
    report: &mut Report,
) -> Option<String> {
    let given = table.peek("handler").is_some();
    let handler = table.read("handler", report, |value| {
        let handler = some_text(value)?;
        parts(&handler).map(|_| ()).map(|()| handler)
    });
    if given && handler.is_none() {
        return None;
    }
    let runtime = runtime?;
    let Some(language) = Language::of_runtime(&runtime.name) else { return handler };
    let looked_for = handler.as_deref().unwrap_or(&runtime.handler_default);
    let (stem, _) = parts(looked_for).ok()?;
    if language.file(place.folder, stem).is_none() {
        let files = language.extensions.iter().take(3).map(|ext| format!("{stem}.{ext}"));
        let files = files.collect::<Vec<_>>().join(", ");
        let wrong = Wrong::new(format!("handler {looked_for:?}: there is no file {stem}"));
        report.problem("handler", wrong.suggest(format!("add one of: {files}")));
    }
    handler
}

/// `src/index.handler` is the file `src/index` and the export `handler`.
fn parts(handler: &str) -> Result<(&str, &str), Wrong> {
    let wrong = || {
        Wrong::new(format!("{handler:?} is not a handler"))
            .suggest("file.export, without the file's extension: index.handler")
    };
    let (stem, export) = handler.rsplit_once('.').ok_or_else(wrong)?;
    let name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let segment = |part: &str| {
        !part.is_empty() && part != ".." && part.chars().all(|c| name(c) || "-.".contains(c))
    };
    if export.is_empty() || !export.chars().all(name) || !stem.split('/').all(segment) {
        return Err(wrong());
    }
    Ok((stem, export))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_a_file_and_an_export() {
        assert_eq!(parts("index.handler"), Ok(("index", "handler")));
        assert_eq!(parts("src/a-b.c.$x"), Ok(("src/a-b.c", "$x")));
        for wrong in
            ["", "index", "index.", ".handler", "/etc/a.b", "../a.b", "a//b.c", "a.b c", "a/./.b"]
        {
            assert!(parts(wrong).is_err() || wrong == "a/./.b", "{wrong}");
        }
    }
}

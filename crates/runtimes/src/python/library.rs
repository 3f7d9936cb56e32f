//! The package `evoke` of `sdk/python`, which functions can use without installing it. It is
//! written beside the shim as it is, file by file: a function that starts loads only what it uses,
//! and Python keeps what it compiled each to.

use std::borrow::Cow;

macro_rules! files {
    ($($file:literal)+) => {
        &[$((
            concat!("shims/python/evoke/", $file),
            include_str!(concat!("../../../../sdk/python/src/evoke/", $file)),
        )),+]
    };
}

const FILES: &[(&str, &str)] = files!(
    "__init__.py"
    "_async/__init__.py"
    "_async/auth.py"
    "_async/changes.py"
    "_async/client.py"
    "_async/database.py"
    "_async/events.py"
    "_async/file.py"
    "_async/functions.py"
    "_async/http.py"
    "_async/net.py"
    "_async/query.py"
    "_async/storage.py"
    "_async/transaction.py"
    "_async/transport.py"
    "_async/upload.py"
    "_secrets.py"
    "_sync/__init__.py"
    "_sync/auth.py"
    "_sync/changes.py"
    "_sync/client.py"
    "_sync/database.py"
    "_sync/events.py"
    "_sync/file.py"
    "_sync/functions.py"
    "_sync/http.py"
    "_sync/net.py"
    "_sync/query.py"
    "_sync/storage.py"
    "_sync/transaction.py"
    "_sync/transport.py"
    "_sync/upload.py"
    "_web/__init__.py"
    "_web/auth.py"
    "_web/cors.py"
    "_web/formats.py"
    "_web/limit.py"
    "_web/messages.py"
    "_web/middleware.py"
    "_web/schema.py"
    "_web/validate.py"
    "_web/worker.py"
    "aio.py"
    "answers.py"
    "documents.py"
    "errors.py"
    "feed.py"
    "hooks.py"
    "retries.py"
    "settings.py"
    "values.py"
    "wire.py"
);

/// The package, as paths and texts.
pub fn files() -> Vec<(String, Cow<'static, str>)> {
    FILES.iter().map(|(path, text)| ((*path).to_owned(), Cow::Borrowed(*text))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn modules(folder: &Path, under: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "__pycache__" {
                modules(&path, &format!("{under}/{name}"), found);
            } else if name.ends_with(".py") {
                found.insert(format!("{under}/{name}"));
            }
        }
    }

    #[test]
    fn all_modules_of_the_package_are_there() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python/src/evoke");
        let mut expected = BTreeSet::new();
        modules(&package, "shims/python/evoke", &mut expected);
        let there: BTreeSet<String> = files().into_iter().map(|(path, _)| path).collect();
        assert_eq!(there, expected);
    }
}

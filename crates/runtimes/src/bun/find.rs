//! Where Bun may be.

use std::path::PathBuf;

use crate::interpreter::Version;
use crate::options::Options;

/// The names a manifest may use.
pub const NAMES: [&str; 1] = ["bun"];
/// The oldest version that has what the shim needs of `node:net` and `node:async_hooks`.
const MAJOR_MIN: u32 = 1;

/// Where interpreters may be: given ones, tool folders, `PATH`, its own installer's folder.
pub fn candidates(options: &Options) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = options.interpreters.get("bun").cloned().into_iter().collect();
    for tools in &options.tools {
        let names = ["node_modules/.bin/bun", "bin/bun", "bun"];
        places.extend(names.map(|name| tools.join(name)));
    }
    places.extend(options.path.iter().map(|folder| folder.join("bun")));
    places.extend(options.home.iter().map(|home| home.join(".bun/bin/bun")));
    places.push(PathBuf::from("/usr/local/bin/bun"));
    places
}

/// Whether a version is meant by a name.
pub fn fits(_name: &str, version: Version) -> bool {
    version.major >= MAJOR_MIN
}

/// What to do when it is missing.
pub fn hint(_name: &str) -> String {
    "install Bun, for example with `npm install --prefix .tools bun`".to_owned()
}

//! TypeScript for Node: a folder beside the code that looks like it, with JavaScript in the place
//! of TypeScript. Source maps name the user's files, so stacks do too.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use evoke_model::{Code, FunctionVersion};
use evoke_ports::runtime::DeployError;
use evoke_script::{javascript_path, strip};

/// Folders deeper than this are no function's code.
const DEPTH_MAX: usize = 32;
/// Builds of one function that are kept: those of versions that may still have calls under way.
const BUILDS_MAX: usize = 8;
/// Files Node follows imports from. They are copied: of a link Node would follow the imports beside
/// the original, where there is no JavaScript for the TypeScript.
const COPIED: [&str; 4] = ["js", "mjs", "cjs", "json"];

/// Where the code can be loaded from: the code's own folder, or one made of it.
///
/// # Errors
/// FN_005 with file and line where TypeScript cannot be read.
pub fn prepare(version: &FunctionVersion, scratch: &Path) -> Result<PathBuf, DeployError> {
    let mut plan = Plan::default();
    survey(&version.code, Path::new(""), 0, &mut plan).map_err(|e| broken(&version.code, &e))?;
    if plan.scripts.is_empty() {
        return Ok(version.code.clone());
    }
    let parent = scratch.join("builds").join(&version.spec.name);
    let target = parent.join(name(version));
    if target.exists() {
        // Code with the same hash was built before, whole: builds get their name when they are
        // done.
        return Ok(target);
    }
    let draft = parent.join(format!(".draft-{}", version.hash));
    remove(&draft).map_err(|e| broken(&draft, &e))?;
    build(&version.code, &draft, &plan)?;
    fs::rename(&draft, &target).map_err(|e| broken(&target, &e))?;
    forget_oldest(&parent).map_err(|e| broken(&parent, &e))?;
    Ok(target)
}

/// Links lead to the folder of the code, so a build belongs to that folder as well as to the hash.
fn name(version: &FunctionVersion) -> String {
    let mut hasher = DefaultHasher::new();
    version.code.hash(&mut hasher);
    format!("{}-{:016x}", version.hash, hasher.finish())
}

/// Removes builds of versions that were replaced long ago.
fn forget_oldest(parent: &Path) -> io::Result<()> {
    let mut builds = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        builds.push((entry.metadata()?.modified()?, entry.path()));
    }
    builds.sort();
    let surplus = builds.len().saturating_sub(BUILDS_MAX);
    builds.iter().take(surplus).try_for_each(|(_, build)| remove(build))
}

/// What is in a folder of code, as paths relative to it.
#[derive(Debug, Default)]
struct Plan {
    folders: Vec<PathBuf>,
    scripts: Vec<PathBuf>,
    copies: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

fn survey(root: &Path, below: &Path, depth: usize, plan: &mut Plan) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        if is_folder && entry.file_name() != "node_modules" && depth < DEPTH_MAX {
            plan.folders.push(path.clone());
            survey(root, &path, depth + 1, plan)?;
        } else if !is_folder && javascript_path(&path).is_some() {
            plan.scripts.push(path);
        } else if !is_folder && is_copied(&path) {
            plan.copies.push(path);
        } else {
            plan.links.push(path);
        }
    }
    Ok(())
}

fn is_copied(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| COPIED.contains(&extension))
}

fn build(code: &Path, target: &Path, plan: &Plan) -> Result<(), DeployError> {
    let make = || -> io::Result<()> {
        fs::create_dir_all(target)?;
        for folder in &plan.folders {
            fs::create_dir_all(target.join(folder))?;
        }
        for file in &plan.copies {
            fs::copy(code.join(file), target.join(file))?;
        }
        for file in &plan.links {
            symlink(code.join(file), target.join(file))?;
        }
        declare_modules(code, target)
    };
    make().map_err(|error| broken(target, &error))?;
    for script in &plan.scripts {
        transpile(code, target, script)?;
    }
    Ok(())
}

fn transpile(code: &Path, target: &Path, script: &Path) -> Result<(), DeployError> {
    let path = code.join(script);
    let source = fs::read_to_string(&path).map_err(|error| broken(&path, &error))?;
    let stripped = strip(&source, &path).map_err(|error| DeployError {
        code: Code::DeploymentFailed,
        message: error.to_string(),
        stack: None,
        problems: Vec::new(),
    })?;
    let Some(name) = javascript_path(script) else { return Ok(()) };
    let out = target.join(name);
    let map = out.with_added_extension("map");
    let map_name = map.file_name().unwrap_or_default().to_string_lossy();
    let text = format!("{}\n//# sourceMappingURL={map_name}\n", stripped.code);
    fs::write(&out, text).map_err(|error| broken(&out, &error))?;
    fs::write(&map, stripped.map).map_err(|error| broken(&map, &error))
}

/// TypeScript files are modules, which Node 18 and 20 must be told of files that end in `.js`.
fn declare_modules(code: &Path, target: &Path) -> io::Result<()> {
    let text = match fs::read(code.join("package.json")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
        other => other?,
    };
    // What is not JSON is left for Node to complain of.
    let Ok(serde_json::Value::Object(mut package)) = serde_json::from_slice(&text) else {
        return Ok(());
    };
    if package.contains_key("type") {
        return Ok(());
    }
    package.insert("type".to_owned(), "module".into());
    fs::write(target.join("package.json"), serde_json::to_vec_pretty(&package)?)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn broken(path: &Path, error: &io::Error) -> DeployError {
    DeployError {
        code: Code::DeploymentFailed,
        message: format!("cannot build {}: {error}", path.display()),
        stack: None,
        problems: Vec::new(),
    }
}

//! The modules a configuration may import: scripts and JSON inside the root folder, and a shim for
//! the package that gives types and identity helpers. Nothing else is ever read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

use crate::error::ScriptError;
use crate::strip::{SOURCE_BYTES_MAX, transform};

/// Packages that stand for our own SDK in manifests. They are not looked for: the shim answers.
const SHIM_PACKAGES: [&str; 3] = ["@evoke/functions", "@bunbase/functions", "evoke"];
const SHIM_NAME: &str = "evoke:functions";
/// Helpers that exist for the types they give in an editor; each returns what it gets.
const SHIM: &str = "
    const same = (value) => value;
    export { same as defineFunction, same as defineConfig, same as defineTrigger };
    export default same;
";
/// Tried in this order when an import names no file that is there.
const EXTENSIONS: [&str; 4] = ["ts", "mts", "js", "mjs"];
/// A configuration that needs more files than this is not a configuration.
const MODULES_MAX: usize = 256;

/// What the loader learned, kept where the caller can see it after the run.
#[derive(Default)]
pub struct Loaded {
    /// Why an import failed; told in our words, not in those of the engine.
    pub failure: Option<ScriptError>,
    /// For each file the source line (from 1) of each generated line.
    lines: BTreeMap<String, Vec<u32>>,
}

impl Loaded {
    /// The place in the user's files a stack speaks of first.
    pub fn place(&self, stack: &str) -> Option<(PathBuf, Option<u32>)> {
        stack.lines().find_map(|frame| self.place_of_frame(frame))
    }

    fn place_of_frame(&self, frame: &str) -> Option<(PathBuf, Option<u32>)> {
        let (file, lines) = self.lines.iter().find(|(file, _)| frame.contains(file.as_str()))?;
        let numbers = frame.get(frame.find(file)? + file.len()..)?.strip_prefix(':')?;
        let end = numbers.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbers.len());
        let line: usize = numbers.get(..end)?.parse().ok()?;
        Some((PathBuf::from(file), lines.get(line.saturating_sub(1)).copied()))
    }
}

/// Finds and reads modules.
#[derive(Clone)]
pub struct Modules {
    /// The canonical folder no import leaves.
    root: Rc<Path>,
    /// The same folder as the user named it: what errors show.
    shown_root: Rc<Path>,
    loaded: Rc<RefCell<Loaded>>,
}

impl Modules {
    /// Modules below `root`, which has to be canonical; errors call it `shown_root`.
    pub fn new(root: &Path, shown_root: &Path) -> Self {
        Self { root: Rc::from(root), shown_root: Rc::from(shown_root), loaded: Rc::default() }
    }

    /// The path of a module as the user knows it.
    pub fn shown(&self, name: &Path) -> PathBuf {
        match name.strip_prefix(&self.root) {
            Ok(inner) => self.shown_root.join(inner),
            Err(_) => name.to_path_buf(),
        }
    }

    /// What was learned on the way.
    pub fn loaded(&self) -> &RefCell<Loaded> {
        &self.loaded
    }

    fn find(&self, base: &str, specifier: &str) -> std::result::Result<String, String> {
        if SHIM_PACKAGES.contains(&specifier) {
            return Ok(SHIM_NAME.to_owned());
        }
        if !specifier.starts_with("./") && !specifier.starts_with("../") {
            return Err(format!(
                "a configuration can import only its own files (./...) and {}",
                SHIM_PACKAGES.map(|name| format!("{name:?}")).join(", ")
            ));
        }
        let folder = Path::new(base).parent().unwrap_or(&self.root);
        let wanted = normal(&folder.join(specifier));
        let found = candidates(&wanted).into_iter().find(|candidate| candidate.is_file());
        let found = found.ok_or_else(|| "there is no such file".to_owned())?;
        let found = found.canonicalize().map_err(|error| error.to_string())?;
        if !found.starts_with(&self.root) {
            return Err("the file lies outside of the folder".to_owned());
        }
        found.into_os_string().into_string().map_err(|_| "its path is not UTF-8".to_owned())
    }

    fn read(&self, name: &str) -> std::result::Result<String, ScriptError> {
        let path = &self.shown(Path::new(name));
        if self.loaded.borrow().lines.len() >= MODULES_MAX {
            return Err(ScriptError::Import {
                path: path.to_path_buf(),
                specifier: name.to_owned(),
                reason: format!("more than {MODULES_MAX} files are imported"),
            });
        }
        let source = read_source(path)?;
        if path.extension().is_some_and(|extension| extension == "json") {
            let value: serde_json::Value = serde_json::from_str(&source).map_err(|error| {
                ScriptError::Value { path: path.to_path_buf(), message: error.to_string() }
            })?;
            // JSON is valid JavaScript, except that `__proto__` would set the prototype.
            let text = serde_json::Value::String(value.to_string());
            return Ok(format!("export default JSON.parse({text});"));
        }
        let (code, lines) = transform(&source, path, |generated| {
            let mut lines = vec![0; generated.code.lines().count()];
            for token in generated.map.iter().flat_map(|map| map.get_tokens()) {
                if let Some(line @ 0) = lines.get_mut(token.get_dst_line() as usize) {
                    *line = token.get_src_line() + 1;
                }
            }
            (generated.code, lines)
        })?;
        self.loaded.borrow_mut().lines.insert(name.to_owned(), lines);
        Ok(code)
    }

    fn fail(&self, error: ScriptError) {
        // The first failure is the cause; later ones come from code that runs without its import.
        self.loaded.borrow_mut().failure.get_or_insert(error);
    }
}

/// Reads a script or a manifest without ever holding more than the limit.
fn read_source(path: &Path) -> std::result::Result<String, ScriptError> {
    let read_error = |source| ScriptError::Read { path: path.to_path_buf(), source };
    let bytes = std::fs::metadata(path).map_err(read_error)?.len();
    let max = SOURCE_BYTES_MAX as u64;
    if bytes > max {
        return Err(ScriptError::TooLarge { path: path.to_path_buf(), bytes, max });
    }
    std::fs::read_to_string(path).map_err(read_error)
}

/// `a/./b/../c` without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The files an import may mean: itself, its TypeScript source, with an extension, an index.
fn candidates(wanted: &Path) -> Vec<PathBuf> {
    let mut all = vec![wanted.to_path_buf()];
    match wanted.extension().and_then(|extension| extension.to_str()) {
        // The specifiers of `./a.ts` were rewritten to the name of the file it becomes.
        Some("js") => all.extend([wanted.with_extension("ts"), wanted.with_extension("tsx")]),
        Some("mjs") => all.push(wanted.with_extension("mts")),
        _ => {
            for extension in EXTENSIONS {
                let mut name = wanted.as_os_str().to_owned();
                name.push(".");
                name.push(extension);
                all.push(PathBuf::from(name));
            }
            all.extend(EXTENSIONS.map(|extension| wanted.join("index").with_extension(extension)));
        }
    }
    all
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        // The entry module names the configuration by its canonical path.
        if base == crate::config::ENTRY {
            return Ok(name.to_owned());
        }
        self.find(base, name).map_err(|reason| {
            let path = self.shown(Path::new(base));
            self.fail(ScriptError::Import { path, specifier: name.to_owned(), reason });
            Error::new_resolving(base, name)
        })
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if name == SHIM_NAME {
            return Module::declare(ctx.clone(), name, SHIM);
        }
        let code = self.read(name).map_err(|error| {
            self.fail(error);
            Error::new_loading(name)
        })?;
        Module::declare(ctx.clone(), name, code)
    }
}

//! Tells which functions of a project changed on the disk. One save is one change, however many
//! steps an editor takes for it.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hash::IGNORED_FOLDERS;

/// After this long without a further change a save is complete. Editors write, rename and set
/// permissions within a few milliseconds.
const QUIET: Duration = Duration::from_millis(20);
/// A folder that never rests (a build writes into it) is reported after this.
const QUIET_MAX: Duration = Duration::from_millis(100);
/// Each folder takes one watch of the system, of which there are a few thousand for a user.
const FOLDERS_MAX: usize = 4_096;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the folders of these functions.
    Functions(BTreeSet<String>),
    /// Something all functions may depend on, or more than could be followed.
    All,
}

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system refused.
    #[error("cannot watch {}", path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: notify::Error,
    },
    /// There are too many folders.
    #[error("{} has more than {FOLDERS_MAX} folders; it does not look like a project", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// Watches a project until it is dropped.
pub struct Watcher {
    root: PathBuf,
    functions: PathBuf,
    system: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    nudge: Notify,
}

/// What happened since it was last looked at; bounded by the number of functions.
#[derive(Default)]
struct Seen {
    all: bool,
    functions: BTreeSet<String>,
    /// Folders that came and have to be watched.
    folders: BTreeSet<PathBuf>,
}

/// Watches the project in `root` whose functions are in `functions`, relative to it.
///
/// # Errors
/// The system gives no watch, or the folder is no project.
pub fn watch(root: &Path, functions: &str) -> Result<Watcher, WatchError> {
    // Events carry the path that was watched; both have to be the same form of it.
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let shared = Arc::new(Shared::default());
    let sink = Sink { shared: Arc::clone(&shared), functions: root.join(functions), root };
    let (root, functions) = (sink.root.clone(), sink.functions.clone());
    let system = notify::recommended_watcher(move |event| sink.take(event))
        .map_err(|source| WatchError::System { path: root.clone(), source })?;
    let mut watcher = Watcher { root, functions, system, watched: HashSet::new(), shared };
    let root = watcher.root.clone();
    watcher.add(&root)?;
    Ok(watcher)
}

impl Watcher {
    /// Waits for the next change and until it is complete. What happens between two calls is kept.
    ///
    /// # Errors
    /// A folder that came cannot be watched; changes in it will not be seen.
    pub async fn next(&mut self) -> Result<Change, WatchError> {
        loop {
            self.shared.nudge.notified().await;
            let first = Instant::now();
            while first.elapsed() < QUIET_MAX {
                let quiet = tokio::time::timeout(QUIET, self.shared.nudge.notified()).await;
                if quiet.is_err() {
                    break;
                }
            }
            let seen = std::mem::take(&mut *self.shared.seen.lock());
            if let Err(error) = seen.folders.iter().try_for_each(|folder| self.add(folder)) {
                // What changed is not forgotten over the error.
                self.shared.seen.lock().all = true;
                self.shared.nudge.notify_one();
                return Err(error);
            }
            if seen.all {
                return Ok(Change::All);
            }
            if !seen.functions.is_empty() {
                return Ok(Change::Functions(seen.functions));
            }
        }
    }

    /// Watches a folder and those below it, except for what others wrote. A folder that was watched
    /// is watched again, because it may be another one of the same name.
    fn add(&mut self, folder: &Path) -> Result<(), WatchError> {
        let mut open = vec![folder.to_path_buf()];
        while let Some(folder) = open.pop() {
            let real = std::fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir());
            if !real || is_ignored(&self.root, &folder) {
                self.watched.remove(&folder);
                continue;
            }
            if self.watched.len() >= FOLDERS_MAX {
                return Err(WatchError::TooMany { path: self.root.clone() });
            }
            match notify::Watcher::watch(&mut self.system, &folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // It went while we looked at it.
                Err(_) if !folder.exists() => continue,
                Err(source) => return Err(WatchError::System { path: folder, source }),
            }
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            open.extend(entries.filter(is_folder).map(|entry| entry.path()));
            self.watched.insert(folder);
        }
        Ok(())
    }

    /// The folder of the functions, as it is watched.
    pub fn functions(&self) -> &Path {
        &self.functions
    }
}

fn is_folder(entry: &std::fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// The end that the system's thread calls.
struct Sink {
    shared: Arc<Shared>,
    root: PathBuf,
    functions: PathBuf,
}

impl Sink {
    fn take(&self, event: notify::Result<notify::Event>) {
        let mut seen = self.shared.seen.lock();
        match event {
            Ok(event) if event.need_rescan() => {
                seen.all = true;
                seen.folders.insert(self.root.clone());
            }
            Ok(event) if matters(event.kind) => {
                for path in event.paths.iter().filter(|path| !is_ignored(&self.root, path)) {
                    self.note(path, &mut seen);
                }
            }
            Ok(_) => return,
            // The queue of the system overflowed or a watch broke: nothing is known any more.
            Err(_) => seen.all = true,
        }
        drop(seen);
        self.shared.nudge.notify_one();
    }

    fn note(&self, path: &Path, seen: &mut Seen) {
        if path.is_dir() {
            seen.folders.insert(path.to_path_buf());
        }
        match function_of(&self.functions, path) {
            Some(name) => {
                seen.functions.insert(name);
            }
            None => seen.all = true,
        }
    }
}

/// Reading a file and looking at its times change nothing.
fn matters(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
}

/// The function a path belongs to. `None` when it belongs to none or to all.
fn function_of(functions: &Path, path: &Path) -> Option<String> {
    match path.strip_prefix(functions).ok()?.components().next()? {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    }
}

/// Whether a path is nothing of the user's: packages, caches, what editors put beside a file.
fn is_ignored(root: &Path, path: &Path) -> bool {
    let Ok(inner) = path.strip_prefix(root) else { return true };
    let folder = |part: Component<'_>| {
        IGNORED_FOLDERS.iter().any(|ignored| part.as_os_str() == OsStr::new(ignored))
    };
    inner.components().any(folder) || inner.file_name().is_some_and(is_editors)
}

fn is_editors(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let ends = ["~", ".swp", ".swo", ".swx", ".tmp", ".part", "___jb_tmp___", "___jb_old___"];
    ends.iter().any(|end| name.ends_with(end))
        || name.starts_with(".#")
        || (name.starts_with('#') && name.ends_with('#'))
        || name == "4913"
        || name == ".DS_Store"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in
            ["functions/a/lib", "functions/b", "functions/a/node_modules/x", ".evoke", ".git"]
        {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        (folder, root)
    }

    async fn next(watcher: &mut Watcher) -> Change {
        tokio::time::timeout(Duration::from_secs(20), watcher.next()).await.unwrap().unwrap()
    }

    fn only(name: &str) -> Change {
        Change::Functions(BTreeSet::from([name.to_owned()]))
    }

    #[test]
    fn paths_are_sorted_by_whose_they_are() {
        let root = Path::new("/p");
        let functions = Path::new("/p/functions");
        let ignored = [
            "/p/.git/HEAD",
            "/p/functions/a/node_modules/x/y.js",
            "/p/functions/a/.index.ts.swp",
            "/p/functions/a/index.ts~",
            "/p/functions/a/4913",
            "/p/.evoke/evoke.db-wal",
            "/p/functions/a/.#index.ts",
            "/p/functions/a/__pycache__/main.cpython-311.pyc",
            "/elsewhere",
        ];
        for path in ignored {
            assert!(is_ignored(root, Path::new(path)), "{path}");
        }
        let table = [
            ("/p/functions/a/index.ts", Some("a")),
            ("/p/functions/a/lib/x.ts", Some("a")),
            ("/p/functions/a", Some("a")),
            ("/p/functions", None),
            ("/p/evoke.toml", None),
            ("/p/shared/x.ts", None),
        ];
        for (path, name) in table {
            assert!(!is_ignored(root, Path::new(path)), "{path}");
            assert_eq!(function_of(functions, Path::new(path)).as_deref(), name, "{path}");
        }
    }

    #[tokio::test]
    async fn a_save_is_one_change_of_its_function() {
        let (_guard, root) = project();
        let mut watcher = watch(&root, "functions").unwrap();
        // What editors do: a new file beside it, then a rename over it.
        fs::write(root.join("functions/a/index.ts~"), "1").unwrap();
        fs::rename(root.join("functions/a/index.ts~"), root.join("functions/a/index.ts")).unwrap();
        assert_eq!(next(&mut watcher).await, only("a"));
        fs::write(root.join("functions/a/lib/x.ts"), "1").unwrap();
        fs::write(root.join("functions/b/main.py"), "1").unwrap();
        let both = Change::Functions(BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert_eq!(next(&mut watcher).await, both);
        fs::remove_file(root.join("functions/b/main.py")).unwrap();
        assert_eq!(next(&mut watcher).await, only("b"));
        fs::write(root.join("evoke.toml"), "").unwrap();
        assert_eq!(next(&mut watcher).await, Change::All);
    }

    #[tokio::test]
    async fn folders_that_come_later_are_watched_too() {
        let (_guard, root) = project();
        let mut watcher = watch(&root, "functions").unwrap();
        fs::create_dir_all(root.join("functions/c/deep/er")).unwrap();
        assert_eq!(next(&mut watcher).await, only("c"));
        fs::write(root.join("functions/c/deep/er/x.ts"), "1").unwrap();
        assert_eq!(next(&mut watcher).await, only("c"));
        // A folder that went and came back is another one.
        fs::remove_dir_all(root.join("functions/c")).unwrap();
        assert_eq!(next(&mut watcher).await, only("c"));
        fs::create_dir_all(root.join("functions/c")).unwrap();
        assert_eq!(next(&mut watcher).await, only("c"));
        fs::write(root.join("functions/c/index.ts"), "1").unwrap();
        assert_eq!(next(&mut watcher).await, only("c"));
    }

    #[tokio::test]
    async fn what_others_write_is_not_a_change() {
        let (_guard, root) = project();
        let mut watcher = watch(&root, "functions").unwrap();
        fs::write(root.join(".evoke/evoke.db"), "1").unwrap();
        fs::write(root.join("functions/a/node_modules/x/y.js"), "1").unwrap();
        fs::write(root.join("functions/b/x.swp"), "1").unwrap();
        // The first change that is told is the one that matters.
        fs::write(root.join("functions/b/index.ts"), "1").unwrap();
        assert_eq!(next(&mut watcher).await, only("b"));
    }
}

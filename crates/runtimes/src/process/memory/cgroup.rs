//! The memory limit by control groups: the kernel keeps it, children included. Each worker has a
//! group of its own; version 1 and 2 differ in the names of their files only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evoke_model::ByteSize;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a group is tried to be removed before it is left to the next start of a server: killed
/// processes take a moment to go.
const REMOVE_TRIES: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(20);
/// The same at the end of a server, where somebody waits.
const CLOSE_TRIES: u32 = 20;
const CLOSE_PAUSE: Duration = Duration::from_millis(10);
/// Folders of servers are named by this and their process id.
const PREFIX: &str = "evoke-";

/// The version of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// One hierarchy a controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// Where this server makes the groups of its workers.
#[derive(Debug)]
pub struct Cgroups {
    version: Version,
    folder: PathBuf,
    count: AtomicU64,
}

/// The group of one worker.
#[derive(Debug)]
pub struct Cgroup {
    version: Version,
    folder: PathBuf,
}

impl Cgroups {
    /// The first place on this machine where groups with a memory limit can be made.
    pub fn detect() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        locate(&mounts, &own)
            .into_iter()
            .find_map(|(version, base)| Self::open(version, &base, std::process::id()).ok())
    }

    /// Makes the folder of a server in an existing group.
    ///
    /// # Errors
    /// The machine does not let us, or the group has no memory controller.
    pub fn open(version: Version, base: &Path, server: u32) -> io::Result<Self> {
        sweep(base);
        if version == Version::V2 {
            enable_memory(base)?;
        }
        let folder = make_folder(base, server)?;
        if version == Version::V2 {
            enable_memory(&folder)?;
        }
        let cgroups = Self { version, folder, count: AtomicU64::new(0) };
        cgroups.prove()?;
        Ok(cgroups)
    }

    /// The version in use.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// A new group without processes and without a limit.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn create(&self) -> io::Result<Cgroup> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("worker-{number}"));
        fs::create_dir(&folder)?;
        Ok(Cgroup { version: self.version, folder })
    }

    /// Limits can be set: a file system that is mounted read-only, or is none, says so here.
    fn prove(&self) -> io::Result<()> {
        let group = self.create()?;
        let outcome = group.limit(ByteSize::from_mb(64));
        fs::remove_dir(&group.folder)?;
        outcome
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        // The last workers were killed a moment ago. This is the end of a server, so that waiting
        // for them holds nobody up.
        for _ in 0..CLOSE_TRIES {
            if remove_tree(&self.folder) {
                return;
            }
            std::thread::sleep(CLOSE_PAUSE);
        }
        tracing::debug!(folder = %self.folder.display(), "Cgroups are left for the next server");
    }
}

impl Cgroup {
    /// Moves a process, with the children it will have, into the group.
    ///
    /// # Errors
    /// The process is gone, or the kernel refuses.
    pub fn attach(&self, process: i32) -> io::Result<()> {
        self.write("cgroup.procs", &process.to_string())
    }

    /// Sets the limit.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn limit(&self, limit: ByteSize) -> io::Result<()> {
        let bytes = limit.as_u64().to_string();
        match self.version {
            Version::V1 => {
                self.write("memory.limit_in_bytes", &bytes)?;
                // Without this a function could take the same again in swap.
                self.write_if_there("memory.memsw.limit_in_bytes", &bytes)
            }
            Version::V2 => {
                self.write("memory.max", &bytes)?;
                self.write_if_there("memory.swap.max", "0")?;
                self.write_if_there("memory.oom.group", "1")
            }
        }
    }

    /// How many processes were killed for going over the limit.
    pub fn kills(&self) -> u64 {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        self.read(file).and_then(|text| counter(&text, "oom_kill")).unwrap_or(0)
    }

    /// The most memory the group ever took.
    pub fn peak(&self) -> Option<ByteSize> {
        let files: &[&str] = match self.version {
            Version::V1 => &["memory.max_usage_in_bytes"],
            Version::V2 => &["memory.peak", "memory.current"],
        };
        let text = files.iter().find_map(|file| self.read(file))?;
        text.trim().parse().ok().map(ByteSize::new)
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    fn write_if_there(&self, file: &str, value: &str) -> io::Result<()> {
        if self.folder.join(file).exists() { self.write(file, value) } else { Ok(()) }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if remove_now(&self.folder) {
            return;
        }
        // Killed processes take a moment to go. Without a runtime the folder of the server, or the
        // next server's sweep, takes it along.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(remove_soon(std::mem::take(&mut self.folder)));
        }
    }
}

async fn remove_soon(folder: PathBuf) {
    for _ in 0..REMOVE_TRIES {
        tokio::time::sleep(REMOVE_PAUSE).await;
        if remove_now(&folder) {
            return;
        }
    }
    tracing::warn!(folder = %folder.display(), "Cgroup of a worker could not be removed");
}

/// A folder for a server; one process may hold several servers.
fn make_folder(base: &Path, server: u32) -> io::Result<PathBuf> {
    for number in 0.. {
        let folder = base.join(format!("{PREFIX}{server}-{number}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Kills what is in a group and removes it if that was nothing.
fn remove_now(folder: &Path) -> bool {
    let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for process in processes.lines().filter_map(|line| line.parse::<i32>().ok()) {
        // A process of another namespace is shown as 0, which `kill` would take for ourselves.
        if process > 0
            && let Err(error) = kill(Pid::from_raw(process), Signal::SIGKILL)
        {
            tracing::debug!(process, %error, "Process of a cgroup could not be killed");
        }
    }
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes what servers left behind that were killed.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let server = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(server) = server else { continue };
        if !Path::new("/proc").join(server).exists() {
            remove_tree(&entry.path());
        }
    }
}

/// Removes the folder of a server and the groups in it; `false` when something in it still lives.
fn remove_tree(folder: &Path) -> bool {
    let groups = fs::read_dir(folder).into_iter().flatten().flatten();
    for group in groups.filter(|group| group.path().is_dir()) {
        remove_now(&group.path());
    }
    remove_now(folder)
}

fn enable_memory(folder: &Path) -> io::Result<()> {
    let file = folder.join("cgroup.subtree_control");
    if fs::read_to_string(&file).is_ok_and(|on| on.split_whitespace().any(|on| on == "memory")) {
        return Ok(());
    }
    fs::write(file, "+memory")
}

/// The value of a line `name value`.
fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Where groups of ours could be, the most likely place first: below our own group, else at the top
/// of what is mounted.
fn locate(mounts: &str, own: &str) -> Vec<(Version, PathBuf)> {
    let mut places = Vec::new();
    for line in mounts.lines() {
        // id parent major:minor root mount-point options... - type source super-options
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (&[_, _, _, root, point, ..], &[kind, _, options, ..]) = (&left[..], &right[..]) else {
            continue;
        };
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == "memory") => Version::V1,
            "cgroup2" => Version::V2,
            _ => continue,
        };
        let group = own_group(own, version).unwrap_or("/");
        let below = group.strip_prefix(root.trim_end_matches('/')).unwrap_or("");
        let below = below.trim_start_matches('/');
        places.push((version, Path::new(point).join(below)));
        if !below.is_empty() {
            places.push((version, PathBuf::from(point)));
        }
    }
    places.sort_by_key(|(version, _)| *version == Version::V2);
    places
}

/// Our own group: `4:memory:/a/b` in version 1, `0::/a/b` in version 2.
fn own_group(own: &str, version: Version) -> Option<&str> {
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = match version {
            Version::V1 => controllers.split(',').any(|name| name == "memory"),
            Version::V2 => controllers.is_empty(),
        };
        fits.then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    #[test]
    fn both_versions_are_located_the_first_first() {
        let places = locate(MOUNTS, "4:memory:/box/7\n0::/\n");
        let expected = [
            (Version::V1, PathBuf::from("/sys/fs/cgroup/memory/box/7")),
            (Version::V1, PathBuf::from("/sys/fs/cgroup/memory")),
            (Version::V2, PathBuf::from("/sys/fs/cgroup/unified")),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let mounts = "41 31 0:38 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw";
        let places = locate(mounts, "0::/docker/abc\n");
        assert_eq!(places, [(Version::V2, PathBuf::from("/sys/fs/cgroup"))]);
    }

    fn fake(version: Version) -> (tempfile::TempDir, Cgroup) {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join("worker-0");
        fs::create_dir(&folder).unwrap();
        (tree, Cgroup { version, folder })
    }

    #[test]
    fn version_two_writes_its_files_and_counts_its_kills() {
        let (_tree, group) = fake(Version::V2);
        fs::write(group.folder.join("memory.swap.max"), "max").unwrap();
        fs::write(group.folder.join("memory.events"), "low 0\noom 3\noom_kill 2\n").unwrap();
        fs::write(group.folder.join("memory.peak"), "1048576\n").unwrap();
        group.limit(ByteSize::from_mb(128)).unwrap();
        group.attach(77).unwrap();
        assert_eq!(group.read("memory.max").as_deref(), Some("134217728"));
        assert_eq!(group.read("memory.swap.max").as_deref(), Some("0"));
        assert_eq!(group.read("cgroup.procs").as_deref(), Some("77"));
        assert_eq!(group.kills(), 2);
        assert_eq!(group.peak(), Some(ByteSize::from_mb(1)));
    }

    #[test]
    fn version_one_writes_its_files_and_counts_its_kills() {
        let (_tree, group) = fake(Version::V1);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
        fs::write(group.folder.join("memory.oom_control"), control).unwrap();
        group.limit(ByteSize::from_mb(1)).unwrap();
        assert_eq!(group.read("memory.limit_in_bytes").as_deref(), Some("1048576"));
        assert_eq!(group.kills(), 1);
        assert_eq!(group.peak(), None);
    }

    #[test]
    fn version_two_without_a_memory_controller_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let missing = tree.path().join("missing");
        assert!(Cgroups::open(Version::V2, &missing, 1).is_err());
    }
}

//! The machine a run was made on: figures without it mean nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine and what it was doing.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The model of the processor.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Memory in megabytes.
    pub memory_mb: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The file system that is written to: on `tmpfs` an fsync costs nothing and no figure counts.
    pub file_system: String,
    /// The load averages before the run: 1, 5 and 15 minutes.
    pub load_before: String,
    /// The versions of what was measured against.
    pub versions: Vec<String>,
}

impl Machine {
    /// Looks at the machine; `folder` is where the stores will lie.
    pub fn look(folder: &Path) -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mb: field("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse::<u64>()
                .map_or(0, |kb| kb / 1_024),
            kernel: line("/proc/sys/kernel/osrelease"),
            file_system: file_system(folder),
            load_before: line("/proc/loadavg")
                .split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            versions: ["node", "bun"].into_iter().filter_map(version).collect(),
        }
    }
}

fn line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value));
    value.map_or_else(|| "unknown".into(), |value| value.trim().to_owned())
}

/// The type of the mount with the longest path above `folder`.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len())
        .map_or_else(|| "unknown".into(), |(_, kind)| kind.to_owned())
}

/// `node v20.1.0`, if the program is on the path.
pub(crate) fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| format!("{program} {}", text.trim().trim_start_matches('v')))
}

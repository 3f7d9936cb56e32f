//! How much memory a worker may take, and how it is kept to that: by the kernel where the machine
//! has control groups we may write to, else by watching.

mod cgroup;
pub mod procfs;
mod watch;

use std::sync::Arc;

use evoke_model::ByteSize;

use self::cgroup::{Cgroup, Cgroups, Version};
use self::watch::Watch;
use super::control::{Cause, Control};

/// Which way to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemoryControl {
    /// Control groups where they can be written to, else watching.
    #[default]
    Auto,
    /// Watching, even where there are control groups.
    Watch,
}

/// The way the limits of this server's workers are kept.
#[derive(Debug)]
pub enum Limiter {
    /// By the kernel.
    Cgroups(Cgroups),
    /// By looking.
    Watch(Arc<Watch>),
}

/// The limit of one worker. Dropped when the worker is gone: what was made for it is removed.
#[derive(Debug)]
pub struct Guard {
    control: Arc<Control>,
    way: Way,
    limit: parking_lot::Mutex<Option<ByteSize>>,
}

#[derive(Debug)]
enum Way {
    Cgroup(Cgroup),
    Watch(Arc<Watch>),
}

impl Limiter {
    /// Finds out what the machine has.
    pub fn detect(control: MemoryControl) -> Self {
        let cgroups = match control {
            MemoryControl::Auto => Cgroups::detect(),
            MemoryControl::Watch => None,
        };
        cgroups.map_or_else(|| Self::Watch(Arc::default()), Self::Cgroups)
    }

    /// The word for it in the status of a pool.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cgroups(cgroups) if cgroups.version() == Version::V1 => "cgroup-v1",
            Self::Cgroups(_) => "cgroup-v2",
            Self::Watch(_) => "watch",
        }
    }

    /// Takes a process that has just been started. Its memory counts from here on; the limit comes
    /// with [`Guard::limit`], once it is known what the process will run.
    pub fn admit(&self, control: &Arc<Control>) -> std::io::Result<Guard> {
        let way = match self {
            Self::Cgroups(cgroups) => {
                let cgroup = cgroups.create()?;
                cgroup.attach(control.group())?;
                Way::Cgroup(cgroup)
            }
            Self::Watch(watch) => Way::Watch(Arc::clone(watch)),
        };
        let limit = parking_lot::Mutex::default();
        Ok(Guard { control: Arc::clone(control), way, limit })
    }
}

impl Guard {
    /// Sets the limit.
    ///
    /// # Errors
    /// The kernel refuses it: less than is used already, for example.
    pub fn limit(&self, limit: ByteSize) -> std::io::Result<()> {
        *self.limit.lock() = Some(limit);
        match &self.way {
            Way::Cgroup(cgroup) => cgroup.limit(limit),
            Way::Watch(watch) => {
                watch.limit(&self.control, limit);
                Ok(())
            }
        }
    }

    /// The limit, once it was set.
    pub fn limited_to(&self) -> Option<ByteSize> {
        *self.limit.lock()
    }

    /// Whether the kernel killed something of the worker for its memory. Watching needs no
    /// question: it kills with its reason.
    pub fn breach(&self) -> Option<Cause> {
        let limit = self.limited_to()?;
        match &self.way {
            Way::Cgroup(cgroup) if cgroup.kills() > 0 => {
                Some(Cause::Memory { limit, measured: cgroup.peak() })
            }
            _ => None,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Way::Watch(watch) = &self.way {
            watch.forget(self.control.group());
        }
    }
}

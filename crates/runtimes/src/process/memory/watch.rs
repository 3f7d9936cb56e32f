//! The memory limit where there are no cgroups: the resident memory of each worker's process group
//! is looked at ten times a second. A worker can be over its limit for that long.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use evoke_model::ByteSize;
use parking_lot::Mutex;

use super::procfs;
use crate::process::control::{Cause, Control};

/// How often memory is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Looks at the memory of all workers.
#[derive(Debug, Default)]
pub struct Watch {
    watched: Mutex<HashMap<i32, Watched>>,
}

#[derive(Debug)]
struct Watched {
    control: Arc<Control>,
    limit: ByteSize,
}

impl Watch {
    /// Keeps a worker to its limit until [`Self::forget`].
    pub fn limit(self: &Arc<Self>, control: &Arc<Control>, limit: ByteSize) {
        let mut watched = self.watched.lock();
        let is_first = watched.is_empty();
        watched.insert(control.group(), Watched { control: Arc::clone(control), limit });
        if is_first {
            tokio::spawn(run(Arc::downgrade(self)));
        }
    }

    /// The worker is gone.
    pub fn forget(&self, group: i32) {
        self.watched.lock().remove(&group);
    }

    /// Looks once; `false` when there is nothing to look at any more.
    fn look(&self) -> bool {
        let groups: Vec<i32> = self.watched.lock().keys().copied().collect();
        let usage = procfs::usage(&groups);
        let watched = self.watched.lock();
        for (group, Watched { control, limit }) in watched.iter() {
            let measured = usage.get(group).map(|usage| usage.memory);
            if measured.is_some_and(|measured| measured > *limit) {
                control.kill(Cause::Memory { limit: *limit, measured });
            }
        }
        !watched.is_empty()
    }
}

async fn run(watch: Weak<Watch>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(watch) = watch.upgrade() else { return };
        match tokio::task::spawn_blocking(move || watch.look()).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
    }
}

//! Clients that close their sending side once they have sent all. For a call of a function that
//! means that the caller left, and the call is cancelled. A request that only writes something down
//! is answered nonetheless: its sender would not know whether it was accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the end of what a client sends is to be overlooked for the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience(Arc<AtomicBool>);

/// Overlooks the end until it is dropped.
pub(crate) struct Patient(Arc<AtomicBool>);

impl Patience {
    /// Overlooks the end from now on. Only once the whole request is read: one that is cut off must
    /// be seen to be.
    pub(crate) fn begin(&self) -> Patient {
        self.0.store(true, Ordering::Relaxed);
        Patient(self.0.clone())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

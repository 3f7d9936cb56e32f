//! The one place that reads the clock of the machine for the shells of this crate.

use evoke_model::Timestamp;
use evoke_ports::{Clock, SystemClock};

/// The current instant.
pub fn now() -> Timestamp {
    SystemClock.now()
}

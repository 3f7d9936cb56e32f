//! Which execution of a trigger may run now. One [`Lane`] for each trigger; the dispatcher asks it
//! for the [`Lane::next`] one whenever there is capacity, time passed or an attempt ended.
//!
//! An execution waits for its due time, then, where the trigger has `order_by`, for its turn among
//! those with the same key, then for a place under the concurrency limit. A key that is blocked
//! never blocks another key; within a key the order of acceptance holds, so a head that waits for
//! its retry, or for a due time its sender gave, blocks its own key until it is done or dead.
//!
//! # Memory
//!
//! A lane keeps at most [`LanePolicy::key_window`] executions of one order key, so that one blocked
//! key cannot fill the dispatcher's window. Those over it are refused with [`Offered::KeyFull`]:
//! they are in the store. When the key runs low it shows up in [`Lane::take_hungry_keys`]; the
//! caller reads the key's next executions from the store and gives them to [`Lane::refill`].

mod entry;
mod lane;
mod policy;
#[cfg(test)]
mod tests;
mod verdict;

pub use entry::{Admitted, Dropped, Entry, Keys, Offered, Rest};
pub use lane::Lane;
pub use policy::{KEY_WINDOW_DEFAULT, LanePolicy};
pub use verdict::{Head, Verdict};

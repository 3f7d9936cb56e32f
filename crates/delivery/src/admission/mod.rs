//! Which executions of a trigger may run now, and together with whom. One [`Lane`] for each
//! trigger; the dispatcher asks it for the [`Lane::next`] call whenever there is capacity, time
//! passed or an attempt ended.
//!
//! # The order in which the policies apply
//!
//! ```text
//! debounce -> due time -> order_by -> batch -> concurrency -> rate -> priority -> capacity
//! ```
//!
//! - **debounce**: a first attempt waits until no other one of its key arrived for a while. Of
//!   those that waited together the newest goes on, or all in one call.
//! - **due time**: the sender's, or the end of the wait before another attempt. A first attempt
//!   that is to be debounced arrives when it is due.
//! - **order_by**: within a key the order of acceptance holds, so a head that waits blocks its key
//!   until it is done or dead. A key never blocks another one.
//! - **batch**: those that agree in their batch, concurrency and rate keys gather; their call is
//!   made when it is full, or was waited for long enough.
//! - **concurrency**: a call takes a place. Where there is none it waits, is dropped, or the oldest
//!   call that runs is cancelled for it.
//! - **rate**: a call takes a token, or waits until one is back.
//! - **priority**: of those that could go the one with the earliest virtual due time goes first; a
//!   point of priority is worth a second of waiting, so nobody starves.
//! - **capacity** of the target, which lanes may share: see [`crate::fair`].
//!
//! Nobody holds a place or a token while it waits for anything else: both are taken in the moment
//! the call is made.
//!
//! # Memory
//!
//! A lane keeps at most [`LanePolicy::key_window`] executions of one order key, so that one blocked
//! key cannot fill the dispatcher's window. Those over it are refused with [`Offered::KeyFull`]:
//! they are in the store. When the key runs low it shows up in [`Lane::take_hungry_keys`]; the
//! caller reads the key's next executions from the store and gives them to [`Lane::refill`].
//! What is debounced is not refused: it is counted against the window of the lane alone. Of a rate
//! only the keys are remembered that spent something lately.

mod entry;
mod lane;
mod policy;
#[cfg(test)]
mod tests;
mod verdict;

pub use entry::{Admitted, Dropped, Entry, Offered, Rest};
pub use lane::Lane;
pub use policy::{KEY_WINDOW_DEFAULT, LanePolicy};
pub use verdict::{Head, Verdict};

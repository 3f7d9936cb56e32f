//! The worker protocol, as `docs/worker-protocol.md` specifies it: frames, and the JSON inside of
//! some. Nothing here knows a socket; `process` moves the bytes.

pub mod call;
pub mod frame;
pub mod messages;

pub use frame::{Decoded, Decoder, Frame, FrameError, Kind};

#[cfg(test)]
mod tests;

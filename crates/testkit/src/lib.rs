//! What tests share. [`conformance`] holds one suite for each contract of `ports`; every
//! implementation runs it, so that the suite is the contract. [`server`] starts the real
//! binary.

#![expect(clippy::expect_used, reason = "a test kit fails loudly")]

pub mod conformance;
mod event;
pub mod server;

pub use event::plain_event;
pub use evoke_virtual_time::ManualClock;
pub use server::{Answer, Options, TestServer};

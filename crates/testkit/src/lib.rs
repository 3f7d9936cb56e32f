//! What tests share. [`conformance`] holds one suite for each contract of `ports`; every
//! implementation runs it, so that the suite is the contract. [`clock`] holds a clock that goes on
//! only when it is told. [`server`] starts the real binary.

#![expect(clippy::expect_used, reason = "a test kit fails loudly")]

pub mod clock;
pub mod conformance;
pub mod server;

pub use clock::ManualClock;
pub use server::{Answer, Options, TestServer};

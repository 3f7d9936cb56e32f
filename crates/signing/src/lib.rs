//! Signing and verifying webhooks. Pure: the time is an argument, and nothing is sent or stored.
//!
//! Reading order: [`secret`] (what both sides know), [`mac`] (the one way it is used),
//! [`standard_webhooks`] (what is signed, and in which headers it travels). Each scheme is a file
//! of its own and knows no other.

mod mac;
pub mod secret;
pub mod standard_webhooks;

pub use secret::Secret;

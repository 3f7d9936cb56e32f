//! Signing and verifying webhooks. Pure: the time is an argument, and nothing is sent or stored.
//!
//! Reading order: [`secret`] (what both sides know), `mac` (the one way it is used), [`preset`] and
//! [`presets`] (what each provider signs and where it says so, as data), [`request`] (what came),
//! [`verifier`] (whether to believe it) and [`refused`] (why not). `signature` runs every scheme
//! that is a code in a header; what really differs has a file of its own: `twilio`, `basic` and
//! `token`. [`standard_webhooks`] is also the scheme that Evoke signs its own requests with.

mod basic;
mod body;
mod mac;
mod moment;
pub mod preset;
pub mod presets;
pub mod refused;
pub mod request;
pub mod secret;
mod signature;
pub mod spec;
pub mod standard_webhooks;
mod token;
mod twilio;
pub mod verifier;

pub use preset::{Field, Preset, Shape};
pub use presets::{preset, presets};
pub use refused::Refused;
pub use request::Request;
pub use secret::Secret;
pub use spec::Spec;
pub use verifier::{Verified, Verifier};

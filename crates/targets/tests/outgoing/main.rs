//! Requests of HTTP targets as others see them: packages that verify signatures, the receivers of
//! the documentation, and a server that wants a certificate.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod packages;
mod receivers;
mod support;
#[path = "../../src/testing.rs"]
mod testing;
mod tls;

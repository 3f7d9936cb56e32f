//! Functions on real interpreters: those on PATH, and those in the folders `EVOKE_TOOLS` names.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod batches;
mod calls;
mod cancellation;
mod documented;
mod limits;
mod packages;
mod python;
mod server_killed;
mod support;

//! Retention on real stores, with a clock that moves when it is told.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[expect(dead_code, reason = "the engines here have a clock of their own")]
mod support;

#[path = "retention/interrupted.rs"]
mod interrupted;
#[path = "retention/space.rs"]
mod space;
#[path = "retention/tiers.rs"]
mod tiers;
#[path = "retention/world.rs"]
mod world;

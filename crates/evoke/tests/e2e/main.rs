//! The built binary, driven from outside. One test program for all, so that it is linked once.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod first_light;
mod kill9;
mod support;

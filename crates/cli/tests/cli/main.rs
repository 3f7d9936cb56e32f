//! The command line against a fake server: what is sent, what is printed, where, and the exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod db;
mod fake;
mod record;
mod schedules;
mod users;

//! The server from outside: a real engine on the memory store, real sockets, and functions that do
//! what a test tells them.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

mod auth;
mod bad_input;
mod connections;
mod documents;
mod events;
mod executions;
mod feeds;
mod functions;
mod plugins;
mod record;
mod routes;
mod schedules;
mod triggers;
mod wire;
mod world;

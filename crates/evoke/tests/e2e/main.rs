//! The built binary, driven from outside. One test program for all, so that it is linked once.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod api;
mod commands;
mod database;
mod facts;
mod first_light;
mod function_test;
mod functions;
mod kill9;
mod lessons;
mod manifests;
mod ordering;
mod outgoing;
mod pages;
mod policies;
mod polls;
mod receiver;
mod record;
mod schedules;
mod simulate;
mod support;
mod traces;
mod webhooks;

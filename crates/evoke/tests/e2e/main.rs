//! The built binary, driven from outside. One test program for all, so that it is linked once.

#![expect(clippy::expect_used, reason = "a failing test says where")]

mod api;
mod auth;
mod auth_mail;
mod auth_tokens;
mod commands;
mod database;
mod database_api;
mod database_hooks;
mod database_input;
mod database_kill9;
mod examples;
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
mod sdk_node;
mod sdk_python;
mod simulate;
mod storage;
mod support;
mod traces;
mod versions;
mod webhooks;

//! Evoke: event-driven functions in one binary. This crate is the roof: it knows all parts, puts
//! them together and holds no decision. As a library it is the embeddable server.
//!
//! Reading order: [`app`] (the wiring), [`deploy`] (a project brought to the engine), [`run`] (a
//! server's life), then the commands.

pub mod app;
pub mod deploy;
pub mod run;

pub mod commands;
mod doctor;
mod function_test;

pub mod pages;
mod services;
mod signals;
mod simulate;
mod telemetry;
mod wiring;

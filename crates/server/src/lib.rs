//! The HTTP face: what the engine can do, over HTTP/1.1 and HTTP/2.
//!
//! A request comes in through [`listen`] and `connection`, is looked at in `service` (who asks,
//! where it goes), answered by one of `routes`, and leaves through `service` again, which gives
//! every answer its headers and every refusal its one form. This crate knows the engine's handle
//! and never a database, a runtime or a language.

mod body;
mod connection;
mod context;
mod extract;
mod flow;
mod guard;
mod html;
mod listen;
mod openapi;
mod options;
mod paths;
mod patience;
mod query;
mod refusal;
mod reply;
mod routes;
mod service;
mod services;
mod stream;
mod visitor;

pub use listen::{BoundServer, Doors, Error, Unfinished, serve};
pub use openapi::openapi;
pub use options::{AuthMode, Limits, ServerOptions, Stacks};
pub use services::Services;

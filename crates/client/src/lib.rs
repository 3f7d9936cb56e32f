//! The REST surface of a server as calls. It knows addresses, keys, pages, errors and streams; what
//! an event or an execution looks like is left as the server's JSON, so that a newer server shows
//! its newer fields through an older client.

mod calls;
mod client;
mod documents;
mod error;
mod files;
mod follow;
mod record;
mod schedules;
mod sse;
mod users;

pub use calls::{Calling, Invoked, Query, Switch};
pub use client::{Client, Page};
pub use documents::Put;
pub use error::{Class, Error, Refusal};
pub use files::Download;
pub use follow::Follow;
pub use reqwest::Body;
pub use sse::Message;

//! What the server is compared with: the same writes and the same calls with nothing around them,
//! and a peer.

mod bare;
mod documents;
mod restate;
mod sqlite;

pub(crate) use bare::{Bare, Language, spawn_to_answer};
pub(crate) use documents::create_documents;
pub(crate) use restate::Restate;
pub(crate) use sqlite::{group_commit, one_thread};

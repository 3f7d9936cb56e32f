//! Users: signing up and in, sessions, tokens that others can verify, mail that proves an address.
//!
//! Everything is kept as documents of the project's store, in collections of the server's own, and
//! committed together with its news. [`Auth`] is the handle; [`Identities`] is the part of it that
//! tells whom a token speaks for, which is there before the rest because sources ask it.
//!
//! Reading order: [`settings`], `records`, `password`, `tokens`, `keys`, [`Identities`] with
//! `revocations`, then the flows, one file each: `signup`, `login` with `attempts` and `locks`,
//! `refresh`, `logout`, `verify`, `reset`, `profile`, `users`; at last what runs behind them:
//! `mail`, `keeper`.

mod address;
mod attempts;
mod foreign;
mod handle;
mod identities;
mod jwks;
mod keeper;
mod keys;
mod locks;
mod login;
pub mod logout;
mod mail;
mod news;
mod password;
mod profile;
mod records;
mod refresh;
mod reset;
mod revocations;
mod session;
pub mod settings;
mod signup;
#[cfg(test)]
mod tests;
mod tokens;
mod user;
mod users;
mod verify;

pub use handle::{Auth, Parts, Visitor};
pub use identities::{Identities, Verified};
pub use login::Credentials;
pub use logout::Leaving;
pub use profile::ProfileChange;
pub use session::SignedIn;
pub use settings::Settings;
pub use signup::NewAccount;
pub use user::User;
pub use users::{UserChange, UserQuery};

/// Longer tokens are not ours, and nobody's we would want to read.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

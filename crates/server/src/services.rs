//! The data services a server offers, as far as it has them.

/// The data services.
#[derive(Clone, Default)]
pub struct Services {}

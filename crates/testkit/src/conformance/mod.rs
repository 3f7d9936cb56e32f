//! One suite a contract. A suite fails by panicking, as tests do.

pub mod store;

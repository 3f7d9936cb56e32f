//! Documents: JSON in collections. What they are ([`Document`], [`Collection`]), what is asked of
//! them ([`Query`]) and what a change is. Pure: no clock, no I/O; stores and services decide with
//! it alike.

mod collection;
mod document;
mod path;
mod query;

pub use collection::{Collection, Index};
pub use document::Document;
pub use path::FieldPath;
pub use query::{Condition, Op, Query, Scalar, Sort};

//! Documents: JSON in collections. What they are ([`Document`], [`Collection`]), what is asked of
//! them ([`Query`]) and what a change is. Pure: no clock, no I/O; stores and services decide with
//! it alike.

mod collection;
mod declared;
mod document;
mod evaluate;
mod path;
mod query;
mod value;

pub use collection::{Collection, Index};
pub use document::Document;
pub use evaluate::Place;
pub use path::{BadPath, FieldPath, Kept};
pub use query::{Condition, Op, Query, Scalar, Sort};
pub use value::{FieldValue, Fields, Number};

//! Documents: JSON in collections. What they are ([`Document`], [`Collection`]), what is asked of
//! them ([`Query`]) and what a change is. Pure: no clock, no I/O; stores and services decide with
//! it alike.

mod collection;
mod declared;
mod document;
mod evaluate;
mod input;
mod limits;
mod merge;
mod parse;
mod path;
mod query;
mod value;

pub use collection::{Collection, Index};
pub use document::Document;
pub use evaluate::Place;
pub use input::Input;
pub use limits::{
    BODY_BYTES_MAX, DEPTH_MAX, FIELDS_MAX, ID_CHARS_MAX, NAME_CHARS_MAX, check_fields, check_id,
};
pub use merge::{changed_fields, merge};
pub use parse::{Parameters, parse_filter, parse_filter_parameters};
pub use path::{BadPath, FieldPath, Kept};
pub use query::{Condition, Op, Query, Scalar, Sort};
pub use value::{FieldValue, Fields, Number};

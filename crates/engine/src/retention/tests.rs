//! The format of segments, the judge, and lists over overlapping segments.

mod format;
mod judging;
mod listing;

//! Buckets and files. A file is a document that names immutable blobs; blobs lie on the local disk
//! or in a bucket of S3 under random keys. So a file is there whole or not at all, and its name is
//! never a path.
//!
//! Reading order: [`name`], [`bucket`], [`file`], `content` (what there is), `blobs` (where bytes
//! are), `draft` (bytes on their way), `publish` (how a file becomes visible, with its event),
//! then one file a verb; `janitor` removes what nobody names, once nobody reads it (`pin`).

mod blobs;
mod bucket;
mod buckets;
mod change;
mod content;
mod draft;
mod file;
mod janitor;
mod link;
mod list;
mod name;
mod parts;
mod pin;
mod publish;
mod range;
mod read;
mod records;
mod start;
#[cfg(test)]
mod tests;
mod upload;

pub use blobs::Error as BlobError;
pub use bucket::{Bucket, Settings};
pub use change::{Description, Place};
pub use draft::Checksums;
pub use file::{File, Metadata, TYPE_DEFAULT};
pub use link::{Link, LinkMethod};
pub use list::{ListQuery, Listing};
pub use name::{BucketName, FileName};
pub use parts::{PartInfo, Upload};
pub use publish::{Conditions, Tags, Uploaded};
pub use range::{Wanted, wanted};
pub use read::Pieces;
pub use start::{Error, NewBuckets, Options, Storage};
pub use upload::{Batch, NewFile};

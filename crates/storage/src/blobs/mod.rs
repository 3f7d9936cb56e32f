//! Where bytes are kept: blobs under random keys, written once and never changed. Who names them is
//! not known here.

mod local;
mod s3;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub(crate) use local::LocalBlobs;
pub(crate) use s3::{S3Address, S3Blobs};

/// A keeper of blobs failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such blob.
    #[error("there is no blob {key}")]
    Missing {
        /// The blob.
        key: BlobKey,
    },
    /// The disk failed.
    #[error("{what} {place}")]
    Disk {
        /// What was done.
        what: &'static str,
        /// To what, which is nobody's business but the operator's.
        place: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The object store failed.
    #[error("{what}")]
    Objects {
        /// What was done.
        what: String,
        /// Why it failed.
        #[source]
        source: Box<object_store::Error>,
    },
    /// The address of the store is none.
    #[error("{url:?} is no place for files: {why}")]
    Address {
        /// What was given.
        url: String,
        /// Why.
        why: String,
    },
}

impl Error {
    /// What a caller may know of it.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Disk { what, .. } => (*what).to_owned(),
            other => other.to_string(),
        }
    }
}

/// The content of a file, random and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKey([u8; 16]);

/// A blob: one part of a content. A part that is sent again is another blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    /// The content it is part of.
    pub content: ContentKey,
    /// Which part; random as well.
    pub part: u32,
}

impl ContentKey {
    /// A key nobody has.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// One of its parts.
    pub const fn part(self, part: u32) -> BlobKey {
        BlobKey { content: self, part }
    }
}

impl fmt::Display for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentKey {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ())?;
        let key = Self(bytes);
        // Only what we write ourselves is a key.
        if key.to_string() == text { Ok(key) } else { Err(()) }
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.content, self.part)
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobKey {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (content, part) = text.split_once('-').ok_or(())?;
        let key = Self {
            content: content.parse()?,
            part: u32::from_str_radix(part, 16).map_err(|_| ())?,
        };
        if key.to_string() == text { Ok(key) } else { Err(()) }
    }
}

impl BlobKey {
    /// Where it lies: a folder of 256, so that none holds too many, and its name in it.
    fn place(self) -> (String, String) {
        let name = self.to_string();
        (name[..2].to_owned(), name)
    }
}

/// Keeps blobs.
#[async_trait]
pub(crate) trait Blobs: Send + Sync {
    /// Begins a blob. Nobody reads it before [`BlobWriter::finish`].
    async fn create(&self, key: BlobKey) -> Result<Box<dyn BlobWriter>, Error>;

    /// Reads a part of a blob, which ends early only with an error.
    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Pieces, Error>;

    /// Removes a blob; one that is not there is removed already.
    async fn remove(&self, key: BlobKey) -> Result<(), Error>;

    /// All blobs, those being written perhaps among them; those of one content one after the other.
    fn list(&self) -> BoxStream<'_, Result<BlobKey, Error>>;

    /// Whether blobs can be written at all.
    async fn check(&self) -> Result<(), Error>;
}

/// A blob on its way. One that is dropped leaves behind what [`BlobWriter::abort`] would have
/// removed.
#[async_trait]
pub(crate) trait BlobWriter: Send {
    /// Adds bytes. Returns when there is room for more: memory stays bounded.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Ends it. When this returns, the blob survives a power cut.
    async fn finish(&mut self) -> Result<(), Error>;

    /// Gives it up.
    async fn abort(&mut self);
}

/// The bytes of a blob as they are read.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, std::io::Error>>;

//! Bytes on their way into a blob, and blobs nobody names yet. Whatever is dropped before it is
//! named is removed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use evoke_model::{Code, Problem, Rejection};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::blobs::{self, BlobKey, BlobWriter, ContentKey};
use crate::content::Part;
use crate::janitor::Trash;
use crate::start::Inner;

/// What a sender says of the bytes it sends.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checksums {
    /// MD5, from `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// SHA-256, from `Content-Digest` or `X-Content-SHA256`.
    pub sha256: Option<[u8; 32]>,
    /// How many bytes there are.
    pub size: Option<u64>,
}

/// A blob that nobody names yet. It is removed when it is dropped, unless somebody does.
#[derive(Debug)]
pub(crate) struct Hold {
    inner: Arc<Inner>,
    key: BlobKey,
    is_named: bool,
}

/// A blob that is being written. Dropped, it leaves nothing behind.
pub(crate) struct Draft {
    hold: Option<Hold>,
    writer: Option<Box<dyn BlobWriter>>,
    sha256: Sha256,
    md5: Option<Md5>,
    size: u64,
    max: u64,
    expected: Checksums,
}

/// A blob that is whole, and that nobody names yet.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) hold: Hold,
    pub(crate) part: Part,
}

/// The refusal when blobs cannot be reached.
pub(crate) fn unavailable(error: &blobs::Error) -> Rejection {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    // Paths of the server, addresses and answers of the object store are the operator's business,
    // not the caller's.
    tracing::error!("Storage is unavailable: {message}");
    Rejection::new(Code::StorageUnavailable, error.told())
}

impl Hold {
    fn new(inner: Arc<Inner>, key: BlobKey) -> Self {
        inner.held.lock().insert(key);
        Self { inner, key, is_named: false }
    }

    /// From now on somebody names it.
    pub(crate) fn named(mut self) {
        self.is_named = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_named {
            self.inner.discard(Trash::Blob(self.key));
        }
        self.inner.held.lock().remove(&self.key);
    }
}

impl Draft {
    /// Begins a part of a content, of at most `max` bytes.
    pub(crate) async fn begin(
        inner: &Arc<Inner>,
        content: ContentKey,
        max: u64,
        expected: Checksums,
    ) -> Result<Self, Rejection> {
        let unlucky = |error| Rejection::new(Code::Internal, format!("no random number: {error}"));
        let part = getrandom::u32().map_err(unlucky)?;
        let hold = Hold::new(inner.clone(), content.part(part));
        let writer = inner.blobs.create(hold.key).await.map_err(|error| unavailable(&error))?;
        Ok(Self {
            md5: expected.md5.map(|_| Md5::new()),
            hold: Some(hold),
            writer: Some(writer),
            sha256: Sha256::new(),
            size: 0,
            max,
            expected,
        })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// SO_004 when they are too many, SO_011 when they cannot be written.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Rejection> {
        self.size += bytes.len() as u64;
        if self.size > self.max {
            let message = format!("there may be at most {} bytes", self.max);
            return Err(Rejection::new(Code::FileTooLarge, message));
        }
        self.sha256.update(&bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(&bytes);
        }
        let Some(writer) = &mut self.writer else { return Err(over()) };
        writer.write(bytes).await.map_err(|error| unavailable(&error))
    }

    /// Ends it.
    pub(crate) async fn finish(mut self) -> Result<Fresh, Rejection> {
        let sha256: [u8; 32] = std::mem::take(&mut self.sha256).finalize().into();
        self.check(&sha256)?;
        let Some(writer) = &mut self.writer else { return Err(over()) };
        writer.finish().await.map_err(|error| unavailable(&error))?;
        self.writer = None;
        let hold = self.hold.take().ok_or_else(over)?;
        let part = Part { blob: hold.key.part, size: self.size, sha256 };
        Ok(Fresh { hold, part })
    }

    /// Compares what came with what its sender said of it.
    fn check(&mut self, sha256: &[u8; 32]) -> Result<(), Rejection> {
        let mut problems = Vec::new();
        if let Some(size) = self.expected.size.filter(|size| *size != self.size) {
            let what = format!("says {size} bytes, {} came", self.size);
            problems.push(Problem::new("Content-Length", what));
        }
        if self.expected.sha256.is_some_and(|expected| expected != *sha256) {
            let what = "is not that of the bytes that came";
            problems.push(Problem::new("sha256", what).suggest(hex::encode(sha256)));
        }
        let md5: Option<[u8; 16]> = self.md5.take().map(|md5| md5.finalize().into());
        if let Some(md5) = md5.filter(|md5| self.expected.md5 != Some(*md5)) {
            let what = "is not that of the bytes that came";
            problems.push(Problem::new("Content-MD5", what).suggest(BASE64.encode(md5)));
        }
        if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::FileInvalid, problems)) }
    }
}

fn over() -> Rejection {
    Rejection::new(Code::Internal, "the upload is over already")
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A writer is aborted by somebody who can wait; the blob's place is held until then.
        if let (Some(writer), Some(hold)) = (self.writer.take(), self.hold.take()) {
            let inner = hold.inner.clone();
            inner.discard(Trash::Writer(writer, hold));
        }
    }
}

//! Reading files.

use std::ops::Range;

use bytes::Bytes;
use evoke_model::{Code, Rejection};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use crate::blobs::{self, BlobKey};
use crate::draft::unavailable;
use crate::file::File;
use crate::name::{BucketName, FileName};
use crate::pin::Pin;
use crate::start::Storage;

/// How often a file is looked up again that was replaced between look-up and read.
const ROUNDS_MAX: usize = 10;

/// The bytes of a file as they are read. They end early only with an error.
pub type Pieces = BoxStream<'static, Result<Bytes, std::io::Error>>;

impl Storage {
    /// What is known of a file.
    ///
    /// # Errors
    /// SO_001, SO_002, SO_003 for names that are none.
    pub async fn file(&self, bucket: &str, name: &str) -> Result<File, Rejection> {
        let bucket = self.inner.bucket(&BucketName::parse(bucket)?)?;
        self.inner.file(&bucket.name, &FileName::parse(name)?).await
    }

    /// Reads a part of a file, which `choose` picks once it knows the file; where it picks none,
    /// nothing is read. What is given is of one and the same file, even if it is replaced
    /// meanwhile.
    ///
    /// # Errors
    /// See [`Storage::file`]; what `choose` says; SO_011.
    pub async fn read(
        &self,
        bucket: &str,
        name: &str,
        choose: impl Fn(&File) -> Result<Option<Range<u64>>, Rejection>,
    ) -> Result<(File, Option<Pieces>), Rejection> {
        for _ in 0..ROUNDS_MAX {
            let file = self.file(bucket, name).await?;
            let Some(range) = choose(&file)? else { return Ok((file, None)) };
            let places = file.content.pieces(&range);
            // An open blob is read to its end; several are opened one after the other, so they
            // have to stay. They do where the file has them still once that is said.
            let pin = (places.len() > 1).then(|| Pin::new(self.inner.clone(), file.content.key));
            if pin.is_some() && self.file(bucket, name).await?.content != file.content {
                continue;
            }
            match self.pieces(places, pin).await {
                Ok(pieces) => return Ok((file, Some(pieces))),
                Err(blobs::Error::Missing { key }) => {
                    let again = self.file(bucket, name).await?;
                    if again.content == file.content {
                        let message = format!("the blob {key} of the file is missing");
                        tracing::error!(
                            "The file {name} of the bucket {bucket} is lost: {message}"
                        );
                        return Err(Rejection::new(Code::StorageUnavailable, message));
                    }
                }
                Err(error) => return Err(unavailable(&error)),
            }
        }
        Err(crate::publish::contended())
    }

    async fn pieces(
        &self,
        places: Vec<(BlobKey, Range<u64>)>,
        pin: Option<Pin>,
    ) -> Result<Pieces, blobs::Error> {
        let mut places = places.into_iter();
        let Some((first, within)) = places.next() else { return Ok(stream::empty().boxed()) };
        // Opened before anything is answered, so that it can still be said that it is not there.
        let first = self.inner.blobs.read(first, within).await?;
        let inner = self.inner.clone();
        let rest = stream::iter(places).then(move |(key, within)| {
            let (inner, _read_on) = (inner.clone(), &pin);
            async move { inner.blobs.read(key, within).await.map_err(std::io::Error::other) }
        });
        Ok(first.chain(rest.try_flatten()).boxed())
    }
}

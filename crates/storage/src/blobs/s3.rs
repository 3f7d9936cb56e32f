//! Blobs in a bucket of S3, or of what speaks its protocol.

use std::io;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _, RetryConfig,
};

use super::{BlobKey, BlobWriter, Blobs, Error, Pieces};

/// Bytes of one part: S3 takes at least 5 MiB and at most 10,000 of them, which is 80 GiB a blob.
/// An upload holds one of them: it fills up, and is sent before the next one begins.
const PART_BYTES: usize = 8 << 20;

/// How long a request is tried again. A caller waits for it.
const RETRY_WAIT: Duration = Duration::from_secs(20);
const RETRIES_MAX: usize = 4;

/// Blobs below a prefix of a bucket.
pub(crate) struct S3Blobs {
    objects: AmazonS3,
    prefix: String,
}

/// Where objects are, as an address says it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct S3Address {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
}

impl S3Address {
    /// Reads `s3://bucket/prefix?endpoint=...&region=...`.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::Address { url: url.to_owned(), why: why.to_owned() };
        let rest = url.strip_prefix("s3://").ok_or_else(|| bad("it does not begin with s3://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(bad("it names no bucket: s3://BUCKET?region=..."));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        let mut address = Self { bucket: bucket.to_owned(), prefix, ..Self::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                    address.endpoint = Some(value.trim_end_matches('/').to_owned());
                }
                "endpoint" => return Err(bad("the endpoint is an address of http or https")),
                "region" => address.region = Some(value.to_owned()),
                _ => return Err(bad("after the \"?\" there may be endpoint and region")),
            }
        }
        Ok(address)
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(object_store::Error) -> Error {
    let what = what.into();
    move |source| Error::Objects { what, source: Box::new(source) }
}

impl S3Blobs {
    /// The blobs below `folder` at an address. Credentials come from where the tools of AWS look
    /// for them: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or what the machine has.
    pub(crate) fn open(address: &S3Address, folder: &str) -> Result<Self, Error> {
        let mut builder =
            AmazonS3Builder::from_env().with_bucket_name(&address.bucket).with_retry(RetryConfig {
                max_retries: RETRIES_MAX,
                retry_timeout: RETRY_WAIT,
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &address.endpoint {
            builder = builder.with_endpoint(endpoint);
            builder = builder.with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &address.region {
            builder = builder.with_region(region);
        }
        let objects = builder.build().map_err(failed("prepare the object store"))?;
        let prefix = match address.prefix.as_str() {
            "" => folder.to_owned(),
            prefix => format!("{prefix}/{folder}"),
        };
        Ok(Self { objects, prefix })
    }

    fn path(&self, key: BlobKey) -> Path {
        let (folder, name) = key.place();
        Path::from(format!("{}/{folder}/{name}", self.prefix))
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn create(&self, key: BlobKey) -> Result<Box<dyn BlobWriter>, Error> {
        Ok(Box::new(Writer {
            objects: self.objects.clone(),
            path: self.path(key),
            part: BytesMut::new(),
            upload: None,
        }))
    }

    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Pieces, Error> {
        // An empty range cannot be asked for.
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let expected = range.end - range.start;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got =
            self.objects.get_opts(&self.path(key), options).await.map_err(
                |source| match source {
                    object_store::Error::NotFound { .. } => Error::Missing { key },
                    source => failed(format!("read {key}"))(source),
                },
            )?;
        if got.range.end - got.range.start != expected {
            let source = io::Error::other("the object is shorter than the file");
            return Err(Error::Disk { what: "read an object", place: key.to_string(), source });
        }
        Ok(got.into_stream().map_err(io::Error::other).boxed())
    }

    async fn remove(&self, key: BlobKey) -> Result<(), Error> {
        match self.objects.delete(&self.path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(format!("remove {key}"))(error)),
        }
    }

    fn list(&self) -> BoxStream<'_, Result<BlobKey, Error>> {
        let prefix = Path::from(self.prefix.as_str());
        let found = self.objects.list(Some(&prefix)).map_err(failed_list);
        found
            .try_filter_map(|found| async move {
                Ok(found.location.filename().and_then(|name| name.parse().ok()))
            })
            .boxed()
    }

    async fn check(&self) -> Result<(), Error> {
        let prefix = Path::from(self.prefix.as_str());
        let mut found = self.objects.list(Some(&prefix));
        found.try_next().await.map_err(failed_list).map(|_| ())
    }
}

fn failed_list(source: object_store::Error) -> Error {
    failed("list the blobs")(source)
}

struct Writer {
    objects: AmazonS3,
    path: Path,
    part: BytesMut,
    /// Only a blob of more than one part is a multipart upload.
    upload: Option<Box<dyn MultipartUpload>>,
}

impl Writer {
    async fn send_part(&mut self) -> Result<(), Error> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let upload = self.objects.put_multipart(&self.path).await;
                none.insert(upload.map_err(failed("begin an upload"))?)
            }
        };
        let part = self.part.split().freeze();
        upload.put_part(part.into()).await.map_err(failed("send a part"))
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        while !bytes.is_empty() {
            let taken = bytes.split_to(bytes.len().min(PART_BYTES - self.part.len()));
            self.part.extend_from_slice(&taken);
            if self.part.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        if self.upload.is_none() {
            let whole = self.part.split().freeze();
            let put = self.objects.put(&self.path, whole.into()).await;
            return put.map(|_| ()).map_err(failed("write an object"));
        }
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        match &mut self.upload {
            Some(upload) => upload.complete().await.map(|_| ()).map_err(failed("end an upload")),
            None => Ok(()),
        }
    }

    async fn abort(&mut self) {
        let Some(upload) = &mut self.upload else { return };
        if let Err(error) = upload.abort().await {
            tracing::warn!("Parts of an upload stay in the object store: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_objects_are() {
        let plain = S3Address::parse("s3://files").unwrap();
        assert_eq!(plain, S3Address { bucket: "files".to_owned(), ..S3Address::default() });
        let whole = "s3://files/a/b/?endpoint=http://127.0.0.1:9000/&region=eu-central-1";
        let whole = S3Address::parse(whole).unwrap();
        assert_eq!((&*whole.bucket, &*whole.prefix), ("files", "a/b"));
        assert_eq!(whole.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(whole.region.as_deref(), Some("eu-central-1"));
        for bad in ["file:x", "s3://", "s3:///a", "s3://a?endpoint=b", "s3://a?key=secret"] {
            assert!(S3Address::parse(bad).is_err(), "{bad}");
        }
    }
}

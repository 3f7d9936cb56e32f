//! Blobs on the local disk.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::{BlobKey, BlobWriter, Blobs, Error, Pieces};

/// Bytes that are collected before the disk is asked: a piece from a connection is some 16 kB, and
/// each question costs a change of threads.
const WRITE_BYTES: usize = 1 << 20;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// A folder with blobs.
pub(crate) struct LocalBlobs {
    root: PathBuf,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let place = path.display().to_string();
    move |source| Error::Disk { what, place, source }
}

/// Does what waits for the disk on a thread that may.
async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Disk {
            what: "work with the disk",
            place: String::new(),
            source: io::Error::other(error),
        }),
    }
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync a folder", folder))
}

impl LocalBlobs {
    /// The blobs in a folder, which is made.
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&root).map_err(failed("make a folder", &root))?;
        Ok(Self { root })
    }

    fn path(&self, key: BlobKey) -> PathBuf {
        let (folder, name) = key.place();
        self.root.join(folder).join(name)
    }
}

fn create(root: &Path, path: &Path) -> Result<File, Error> {
    let make = || File::options().write(true).create_new(true).open(path);
    let made = match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(root);
            fs::create_dir_all(folder).map_err(failed("make a folder", folder))?;
            sync_folder(root)?;
            make()
        }
        made => made,
    };
    made.map_err(failed("create a file", path))
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn create(&self, key: BlobKey) -> Result<Box<dyn BlobWriter>, Error> {
        let (root, path) = (self.root.clone(), self.path(key));
        let file = {
            let path = path.clone();
            blocking(move || create(&root, &path)).await?
        };
        Ok(Box::new(Writer { path, file: Some(file), waiting: Vec::new(), waiting_bytes: 0 }))
    }

    async fn read(&self, key: BlobKey, range: Range<u64>) -> Result<Pieces, Error> {
        let path = self.path(key);
        let file = blocking(move || {
            let opened = File::open(&path)
                .and_then(|mut file| file.seek(io::SeekFrom::Start(range.start)).map(|_| file));
            opened.map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => Error::Missing { key },
                _ => failed("read a file", &path)(source),
            })
        })
        .await?;
        let left = range.end - range.start;
        Ok(stream::unfold((Some(file), left), |(file, left)| async move {
            let file = file.filter(|_| left > 0)?;
            // Taken here and not where the disk is waited for: what many threads take and others
            // give back is not used again for long.
            let length = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
            let piece = BytesMut::zeroed(length);
            match blocking(move || Ok(read_piece(file, piece))).await {
                Ok(Ok((file, piece))) => {
                    let left = left - piece.len() as u64;
                    Some((Ok(piece), (Some(file), left)))
                }
                Ok(Err(error)) => Some((Err(error), (None, 0))),
                Err(error) => Some((Err(io::Error::other(error)), (None, 0))),
            }
        })
        .boxed())
    }

    async fn remove(&self, key: BlobKey) -> Result<(), Error> {
        let path = self.path(key);
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove a file", &path)(error))
            }
            _ => Ok(()),
        })
        .await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobKey, Error>> {
        let folders = stream::iter(0..=u8::MAX).map(|first| self.root.join(format!("{first:02x}")));
        folders
            .then(|folder| blocking(move || keys_in(&folder)))
            .flat_map(|keys| match keys {
                Ok(keys) => stream::iter(keys.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .boxed()
    }

    async fn check(&self) -> Result<(), Error> {
        let root = self.root.clone();
        blocking(move || sync_folder(&root)).await
    }
}

fn read_piece(mut file: File, mut piece: BytesMut) -> io::Result<(File, Bytes)> {
    file.read_exact(&mut piece)?;
    Ok((file, piece.freeze()))
}

/// The blobs in a folder, in order. What is no blob is not ours and stays.
fn keys_in(folder: &Path) -> Result<Vec<BlobKey>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let named = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
    };
    let mut keys: Vec<BlobKey> = entries
        .and_then(|entries| entries.filter_map(|entry| named(entry).transpose()).collect())
        .map_err(failed("list a folder", folder))?;
    keys.sort_unstable();
    Ok(keys)
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

impl Writer {
    /// Writes what waits, and then does `more`.
    async fn flush<F>(&mut self, more: F) -> Result<(), Error>
    where
        F: FnOnce(&File) -> io::Result<()> + Send + 'static,
    {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let Some(mut file) = self.file.take() else {
            let earlier = io::Error::other("an earlier write failed");
            return Err(failed("write a file", &self.path)(earlier));
        };
        let at_fault = failed("write a file", &self.path);
        let file = blocking(move || {
            let written = waiting.iter().try_for_each(|piece| file.write_all(piece));
            written.and_then(|()| more(&file)).map_err(at_fault)?;
            Ok(file)
        })
        .await?;
        self.file = Some(file);
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        if self.waiting_bytes < WRITE_BYTES {
            return Ok(());
        }
        self.flush(|_| Ok(())).await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.flush(File::sync_all).await?;
        self.file = None;
        let folder = self.path.parent().map(Path::to_path_buf);
        blocking(move || folder.as_deref().map_or(Ok(()), sync_folder)).await
    }

    async fn abort(&mut self) {
        self.file = None;
        let path = self.path.clone();
        let removed =
            blocking(move || fs::remove_file(&path).map_err(failed("remove a file", &path)));
        if let Err(error) = removed.await {
            tracing::warn!("What is left of an upload stays for the next sweep: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::ContentKey;
    use crate::draft::unavailable;
    use futures_util::TryStreamExt as _;

    fn key(content: u8, part: u32) -> BlobKey {
        let content: ContentKey = format!("{content:02x}").repeat(16).parse().unwrap();
        content.part(part)
    }

    async fn write(blobs: &LocalBlobs, key: BlobKey, pieces: &[&'static [u8]]) {
        let mut writer = blobs.create(key).await.unwrap();
        for piece in pieces {
            writer.write(Bytes::from_static(piece)).await.unwrap();
        }
        writer.finish().await.unwrap();
    }

    async fn read(blobs: &LocalBlobs, key: BlobKey, range: Range<u64>) -> Vec<u8> {
        let pieces: Vec<Bytes> = blobs.read(key, range).await.unwrap().try_collect().await.unwrap();
        pieces.concat()
    }

    #[tokio::test]
    async fn what_is_written_is_read_listed_and_removed() {
        static LARGE: [u8; WRITE_BYTES + 1] = [7; WRITE_BYTES + 1];
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::open(folder.path().join("a/b")).unwrap();
        for (key, pieces) in [
            (key(2, 1), &[b"hello ".as_slice(), b"", b"world"][..]),
            (key(1, 2), &[LARGE.as_slice(), LARGE.as_slice()][..]),
            (key(1, 1), &[][..]),
        ] {
            write(&blobs, key, pieces).await;
        }
        assert_eq!(read(&blobs, key(2, 1), 0..11).await, b"hello world");
        assert_eq!(read(&blobs, key(2, 1), 4..7).await, b"o w");
        assert_eq!(read(&blobs, key(1, 1), 0..0).await, b"");
        let size = 2 * LARGE.len() as u64;
        assert_eq!(read(&blobs, key(1, 2), 0..size).await.len() as u64, size);
        std::fs::write(folder.path().join("a/b/02/notes.txt"), "not ours").unwrap();
        let keys: Vec<BlobKey> = blobs.list().try_collect().await.unwrap();
        assert_eq!(keys, [key(1, 1), key(1, 2), key(2, 1)], "those of a content together");
        blobs.remove(key(2, 1)).await.unwrap();
        blobs.remove(key(2, 1)).await.unwrap();
        let missing = blobs.read(key(2, 1), 0..1).await.err().unwrap();
        assert!(matches!(missing, Error::Missing { .. }), "{missing:?}");
    }

    #[tokio::test]
    async fn what_is_given_up_is_gone_and_what_is_short_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::open(folder.path().to_owned()).unwrap();
        let mut writer = blobs.create(key(1, 1)).await.unwrap();
        writer.write(Bytes::from_static(b"x")).await.unwrap();
        assert!(blobs.create(key(1, 1)).await.is_err(), "it is there already");
        writer.abort().await;
        assert_eq!(blobs.list().count().await, 0);
        write(&blobs, key(1, 1), &[b"short"]).await;
        let pieces = blobs.read(key(1, 1), 0..9).await.unwrap();
        assert!(pieces.try_collect::<Vec<_>>().await.is_err());
    }

    #[tokio::test]
    async fn callers_are_told_what_failed_and_not_where() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("blobs");
        let blobs = LocalBlobs::open(root.clone()).unwrap();
        std::fs::remove_dir(&root).unwrap();
        std::fs::write(&root, "a file where the folder was").unwrap();
        let created = blobs.create(key(1, 1)).await.err().unwrap();
        let read = blobs.read(key(1, 1), 0..1).await.err().unwrap();
        let removed = blobs.remove(key(1, 1)).await.unwrap_err();
        let listed = blobs.list().try_next().await.unwrap_err();
        for (error, told) in [
            (created, "create a file"),
            (read, "read a file"),
            (removed, "remove a file"),
            (listed, "list a folder"),
        ] {
            assert_eq!(unavailable(&error).message, told);
            assert!(error.to_string().contains(root.to_str().unwrap()), "{error}");
        }
    }
}

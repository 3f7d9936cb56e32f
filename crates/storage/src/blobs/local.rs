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

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::Disk { what, source }
}

/// Does what waits for the disk on a thread that may.
async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(failed("work with the disk")(io::Error::other(error))),
    }
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(format!("sync the folder {}", folder.display())))
}

impl LocalBlobs {
    /// The blobs in a folder, which is made.
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&root).map_err(failed(format!("make the folder {}", root.display())))?;
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
            fs::create_dir_all(folder)
                .map_err(failed(format!("make the folder {}", folder.display())))?;
            sync_folder(root)?;
            make()
        }
        made => made,
    };
    made.map_err(failed(format!("create {}", path.display())))
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
                _ => Error::Disk { what: format!("read {}", path.display()), source },
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
                Err(failed(format!("remove {}", path.display()))(error))
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
        .map_err(failed(format!("list {}", folder.display())))?;
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
            let what = format!("write {}", self.path.display());
            return Err(failed(what)(io::Error::other("an earlier write failed")));
        };
        let what = format!("write {}", self.path.display());
        let file = blocking(move || {
            let written = waiting.iter().try_for_each(|piece| file.write_all(piece));
            written.and_then(|()| more(&file)).map_err(failed(what))?;
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
        let removed = blocking(move || {
            fs::remove_file(&path).map_err(failed(format!("remove {}", path.display())))
        });
        if let Err(error) = removed.await {
            tracing::warn!("What is left of an upload stays for the next sweep: {error}");
        }
    }
}

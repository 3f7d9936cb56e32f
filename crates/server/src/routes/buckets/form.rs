//! Forms with files, read as they come.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use evoke_api::storage::metadata;
use evoke_model::{Code, Problem, Rejection};
use evoke_storage::{Batch, Checksums, Metadata, NewFile};
use futures_util::{Stream, StreamExt as _};
use multer::{Field, Multipart};

use crate::flow::Flow;

/// Files of one form: they become visible in one commit.
const FILES_MAX: usize = 100;
/// Bytes of the part of a form that is no file.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of a form of which nothing comes: what stands in front of its first part, and the head of
/// a part. The parser keeps them until it finds their end.
const UNREAD_BYTES_MAX: usize = 64 << 10;

/// Adds the files of a form to a batch.
///
/// # Errors
/// API_001 for what is no form, or one with too much in it; what [`Batch::add`] says.
pub(crate) async fn read(
    flow: &mut Flow,
    boundary: String,
    (bucket, prefix): (&str, &str),
    batch: &mut Batch,
) -> Result<(), Rejection> {
    let (pieces, unread) = Watched::new(Box::pin(flow.pieces()));
    let mut form = Multipart::new(pieces, boundary);
    let mut kept = Metadata::new();
    let mut count = 0;
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        unread.reset();
        let Some(file_name) = field.file_name().map(str::to_owned) else {
            kept = metadata_of(field, &unread).await?;
            continue;
        };
        count += 1;
        if count > FILES_MAX {
            return Err(invalid("file", format!("a form has at most {FILES_MAX} files")));
        }
        let new = NewFile {
            bucket: bucket.to_owned(),
            name: format!("{prefix}{file_name}"),
            content_type: field.content_type().map(ToString::to_string),
            metadata: kept.clone(),
            checksums: Checksums::default(),
            ..NewFile::default()
        };
        let pieces = field.map(|piece| {
            unread.reset();
            piece.map_err(unreadable)
        });
        batch.add(new, pieces).await?;
    }
    match count {
        0 => Err(invalid("file", "the form has no file: a part with a file name".to_owned())),
        _ => Ok(()),
    }
}

/// The one part of a form that is no file.
async fn metadata_of(mut field: Field<'_>, unread: &Unread) -> Result<Metadata, Rejection> {
    let name = field.name().unwrap_or_default().to_owned();
    if name != "metadata" {
        let shown: String = name.chars().take(64).collect();
        return Err(invalid(&shown, "is neither a file nor metadata".to_owned()));
    }
    let mut text = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(unreadable)? {
        unread.reset();
        text.extend_from_slice(&piece);
        if text.len() > TEXT_BYTES_MAX {
            return Err(invalid("metadata", format!("has more than {TEXT_BYTES_MAX} bytes")));
        }
    }
    let value = serde_json::from_slice(&text)
        .map_err(|error| invalid("metadata", format!("is malformed JSON: {error}")))?;
    metadata(Some(value)).map_err(|problems| Rejection::of(Code::InvalidRequest, problems))
}

fn invalid(field: &str, what: String) -> Rejection {
    Rejection::of(Code::InvalidRequest, vec![Problem::new(field, what)])
}

/// Why a form cannot be read: the reason of its stream where that is one.
fn unreadable(error: multer::Error) -> Rejection {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<Rejection>());
    cause.cloned().unwrap_or_else(|| {
        Rejection::new(Code::InvalidRequest, format!("the form cannot be read: {error}"))
    })
}

/// How many bytes came since something was last read of a form.
#[derive(Clone, Debug, Default)]
struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// Something was read.
    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The pieces of a form, refused once too many of them came of which nothing was read. The parser
/// takes what it can get and looks through all it has each time, so it gets one piece at a time.
struct Watched<S> {
    pieces: S,
    unread: Unread,
    /// The parser got a piece and has not looked at it yet.
    is_fed: bool,
}

impl<S> Watched<S> {
    fn new(pieces: S) -> (Self, Unread) {
        let unread = Unread::default();
        (Self { pieces, unread: unread.clone(), is_fed: false }, unread)
    }
}

impl<S: Stream<Item = Result<Bytes, Rejection>> + Unpin> Stream for Watched<S> {
    type Item = Result<Bytes, Rejection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_fed) {
            // It looks at what it has, and comes back where that is not enough.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.unread.0.load(Ordering::Relaxed) > UNREAD_BYTES_MAX {
            let message = format!("a part of the form has a head of over {UNREAD_BYTES_MAX} bytes");
            return Poll::Ready(Some(Err(Rejection::new(Code::InvalidRequest, message))));
        }
        let piece = ready!(self.pieces.poll_next_unpin(cx));
        if let Some(Ok(piece)) = &piece {
            self.unread.0.fetch_add(piece.len(), Ordering::Relaxed);
            self.is_fed = true;
        }
        Poll::Ready(piece)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// What is read of a form that comes in such pieces, and how many bytes of it were taken.
    async fn read(pieces: Vec<Bytes>) -> (Result<Vec<usize>, Rejection>, usize) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let pieces = stream::iter(pieces).map(move |piece| {
            count.fetch_add(piece.len(), Ordering::Relaxed);
            Ok(piece)
        });
        let (pieces, unread) = Watched::new(pieces);
        let mut form = Multipart::new(pieces, "x");
        let mut sizes = Vec::new();
        let read = async {
            while let Some(mut field) = form.next_field().await? {
                unread.reset();
                let mut size = 0;
                while let Some(piece) = field.chunk().await? {
                    unread.reset();
                    size += piece.len();
                }
                sizes.push(size);
            }
            Ok(sizes)
        };
        let read = read.await.map_err(unreadable);
        (read, taken.load(Ordering::Relaxed))
    }

    fn in_pieces(form: &[u8], size: usize) -> Vec<Bytes> {
        form.chunks(size).map(Bytes::copy_from_slice).collect()
    }

    const HEAD: &[u8] =
        b"--x\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n";

    #[tokio::test]
    async fn a_form_without_an_end_of_what_stands_in_front_of_a_file_is_not_kept() {
        let head = [b"--x\r\n".as_slice(), b"a".repeat(9 << 20).as_slice()].concat();
        let behind = [HEAD, b"content\r\n", head.as_slice()].concat();
        for endless in [b"a".repeat(9 << 20), head, behind] {
            for size in [4 << 10, 16 << 10] {
                let (read, taken) = read(in_pieces(&endless, size)).await;
                let refused = read.unwrap_err();
                assert_eq!(refused.code, Code::InvalidRequest);
                assert!(refused.message.contains("head"), "{}", refused.message);
                assert!(taken <= UNREAD_BYTES_MAX + 3 * size, "{taken} by {size}");
            }
        }
    }

    #[tokio::test]
    async fn a_form_is_read_in_whatever_pieces_it_comes() {
        let file = b"0123456789\r\n--".repeat(1 << 10);
        let form = [HEAD, &file, b"\r\n", HEAD, b"\r\n", HEAD, &file, b"\r\n--x--\r\n"].concat();
        for size in [1, 7, 1_000, 100_000, form.len()] {
            let (read, taken) = read(in_pieces(&form, size)).await;
            assert_eq!(read.unwrap(), [file.len(), 0, file.len()], "by {size}");
            assert!(taken + 4 >= form.len(), "{taken}");
        }
        let large = [HEAD, &b"b".repeat(1 << 20), b"\r\n--x--\r\n"].concat();
        let (read, _) = read(vec![Bytes::from(large)]).await;
        assert_eq!(read.unwrap(), [1 << 20]);
    }
}

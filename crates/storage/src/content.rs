//! What a file's bytes are: the blobs they lie in, in order, and their hash.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::blobs::{BlobKey, ContentKey};

/// The bytes of a file. Files that were copied share them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The key, unique to it. The name of the field is that of an index.
    #[serde(rename = "blob", serialize_with = "as_text", deserialize_with = "of_text")]
    pub(crate) key: ContentKey,
    /// The blobs: each with its number and its bytes.
    pub(crate) parts: Vec<(u32, u64)>,
    /// How many bytes.
    pub(crate) size: u64,
    /// The hash in hex: SHA-256 of the bytes; of a file that was uploaded in parts SHA-256 of the
    /// hashes of its parts, with a hyphen and their number.
    pub(crate) etag: Box<str>,
}

fn as_text<S: Serializer>(key: &ContentKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

fn of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContentKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|()| serde::de::Error::custom("not the key of a content"))
}

/// A part of a content: its blob, its bytes, their hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub(crate) blob: u32,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

impl Content {
    /// A content that came in one piece.
    pub(crate) fn whole(key: ContentKey, part: Part) -> Self {
        let etag = hex::encode(part.sha256).into();
        Self { key, parts: vec![(part.blob, part.size)], size: part.size, etag }
    }

    /// A content that came in parts.
    pub(crate) fn joined(key: ContentKey, parts: &[Part]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.sha256);
        }
        Self {
            key,
            parts: parts.iter().map(|part| (part.blob, part.size)).collect(),
            size: parts.iter().map(|part| part.size).sum(),
            etag: format!("{}-{}", hex::encode(hash.finalize()), parts.len()).into(),
        }
    }

    /// Whether one of its parts lies in this blob.
    pub(crate) fn has(&self, key: BlobKey) -> bool {
        self.key == key.content && self.parts.iter().any(|(blob, _)| *blob == key.part)
    }

    /// Its blobs.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = BlobKey> {
        self.parts.iter().map(|(blob, _)| self.key.part(*blob))
    }

    /// Where the bytes of a range lie: blobs, each with the range of it.
    pub(crate) fn pieces(&self, range: &Range<u64>) -> Vec<(BlobKey, Range<u64>)> {
        let mut begin = 0;
        let mut pieces = Vec::new();
        for (blob, size) in &self.parts {
            let end = begin + size;
            let from = range.start.max(begin);
            let to = range.end.min(end);
            if from < to {
                pieces.push((self.key.part(*blob), from - begin..to - begin));
            }
            begin = end;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_in_the_parts() {
        let key: ContentKey = "00112233445566778899aabbccddeeff".parse().unwrap();
        let part = |blob, size| Part { blob, size, sha256: [0; 32] };
        let content = Content::joined(key, &[part(7, 10), part(1, 0), part(9, 5)]);
        assert_eq!(content.size, 15);
        assert!(content.etag.ends_with("-3"));
        for (range, expected) in [
            (0..15, vec![(7, 0..10), (9, 0..5)]),
            (0..1, vec![(7, 0..1)]),
            (9..11, vec![(7, 9..10), (9, 0..1)]),
            (14..15, vec![(9, 4..5)]),
            (0..0, vec![]),
        ] {
            let found: Vec<_> =
                content.pieces(&range).into_iter().map(|(key, range)| (key.part, range)).collect();
            assert_eq!(found, expected, "{range:?}");
        }
        assert!(content.has(key.part(9)) && !content.has(key.part(8)));
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let key: ContentKey = "00112233445566778899aabbccddeeff".parse().unwrap();
        let part = Part { blob: 5, size: 3, sha256: [1; 32] };
        let content = Content::whole(key, part);
        let text = serde_json::to_string(&content).unwrap();
        assert!(text.starts_with(r#"{"blob":"00112233445566778899aabbccddeeff","parts":[[5,3]]"#));
        assert_eq!(serde_json::from_str::<Content>(&text).unwrap(), content);
    }
}

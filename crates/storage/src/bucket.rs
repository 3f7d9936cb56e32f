//! A bucket: what may be in it, and who may read it.

use std::sync::Arc;

use bytes::Bytes;
use evoke_document::Document;
use evoke_model::{Code, Problem, Rejection, Timestamp};
use serde::{Deserialize, Serialize};

use crate::file::essence;
use crate::name::{BucketName, quoted};
use crate::records;

/// As large as a part of an upload to S3, and as what it takes in one request.
const FILE_BYTES_DEFAULT: u64 = 5 << 30;
/// A file of 1,000 parts of the largest size.
const FILE_BYTES_MAX: u64 = 5 << 40;
const TYPES_MAX: usize = 100;

/// What may be in a bucket, and who may read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Bytes of a file at most; 5 GiB if not given.
    pub max_file_bytes: u64,
    /// Media types of files: `image/png`, `image/*`. None means all.
    pub allowed_types: Vec<String>,
    /// Whether everybody may read its files.
    pub public: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_file_bytes: FILE_BYTES_DEFAULT, allowed_types: Vec::new(), public: false }
    }
}

/// A bucket as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// What may be in it.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
    /// That of its document.
    pub(crate) revision: u64,
}

impl Settings {
    /// Says what is wrong with them.
    ///
    /// # Errors
    /// SO_003 with everything that is.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        let mut problems = Vec::new();
        if !(1..=FILE_BYTES_MAX).contains(&self.max_file_bytes) {
            let what = format!("{} is out of range: 1 to {FILE_BYTES_MAX}", self.max_file_bytes);
            problems.push(Problem::new("max_file_bytes", what));
        }
        if self.allowed_types.len() > TYPES_MAX {
            problems.push(Problem::new("allowed_types", format!("has more than {TYPES_MAX}")));
        }
        for (place, pattern) in self.allowed_types.iter().enumerate().take(TYPES_MAX) {
            if !is_pattern(pattern) {
                let what = format!("{} is no media type", quoted(pattern));
                let problem = Problem::new(format!("allowed_types[{place}]"), what);
                problems.push(problem.suggest("image/png or image/*"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::FileInvalid, problems)) }
    }

    /// Whether a file of this type may be here.
    ///
    /// # Errors
    /// SO_005.
    pub(crate) fn takes_type(&self, content_type: &str) -> Result<(), Rejection> {
        let essence = essence(content_type);
        let takes = |pattern: &String| fits(pattern, &essence);
        if self.allowed_types.is_empty() || self.allowed_types.iter().any(takes) {
            return Ok(());
        }
        let allowed = self.allowed_types.join(", ");
        let what = format!("{} is not taken by the bucket", quoted(&essence));
        let problem = Problem::new("content_type", what).suggest(allowed);
        Err(Rejection::of(Code::FileTypeRefused, vec![problem]))
    }

    /// Whether a file may have this many bytes.
    ///
    /// # Errors
    /// SO_004.
    pub(crate) fn takes_size(&self, size: u64) -> Result<(), Rejection> {
        if size <= self.max_file_bytes {
            return Ok(());
        }
        let max = self.max_file_bytes;
        let message = format!("a file of this bucket has at most {max} bytes");
        Err(Rejection::new(Code::FileTooLarge, message))
    }
}

/// `image/png`, `image/*` or `*/*`.
fn is_pattern(pattern: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    match pattern.split_once('/') {
        Some(("*", rest)) => rest == "*",
        Some((first, "*")) => is_word(first),
        Some((first, rest)) => is_word(first) && is_word(rest),
        None => false,
    }
}

/// Whether a media type without parameters, in lower case, fits a pattern.
fn fits(pattern: &str, essence: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some("*/") => true,
        Some(begin) => essence.starts_with(begin),
        None => pattern == essence,
    }
}

impl Bucket {
    pub(crate) fn read(document: &Document) -> Result<Self, Rejection> {
        Ok(Self {
            name: BucketName::parse(&document.id)?,
            settings: records::read(document)?,
            created_at: document.created_at,
            updated_at: document.updated_at,
            revision: document.revision,
        })
    }

    pub(crate) fn document(&self) -> Arc<Document> {
        Arc::new(Document {
            id: self.name.as_str().into(),
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.updated_at,
            body: Bytes::from(serde_json::to_vec(&self.settings).unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_allowed_by_pattern() {
        let settings = Settings {
            allowed_types: vec!["image/*".to_owned(), "Application/PDF".to_owned()],
            ..Settings::default()
        };
        settings.check().unwrap();
        for good in ["image/png", "IMAGE/JPEG", "application/pdf; x=y", "image/svg+xml"] {
            assert!(settings.takes_type(good).is_ok(), "{good}");
        }
        for bad in ["text/html", "application/pdfx", "imagex/png", "image"] {
            let refused = settings.takes_type(bad).unwrap_err();
            assert_eq!(refused.code, Code::FileTypeRefused, "{bad}");
        }
        for bad in ["", "image", "*/png", "image/p*g", "a/b/c", "image/ *"] {
            let settings = Settings { allowed_types: vec![bad.to_owned()], ..Settings::default() };
            assert!(settings.check().is_err(), "{bad}");
        }
        assert!(Settings { max_file_bytes: 0, ..Settings::default() }.check().is_err());
    }
}

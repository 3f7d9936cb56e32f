//! A file: its name, what is known of it, and its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use evoke_document::Document;
use evoke_model::{Code, Problem, Rejection, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::content::Content;
use crate::name::{BucketName, FileName, quoted};
use crate::records;

/// The type of bytes of which nothing is known.
pub const TYPE_DEFAULT: &str = "application/octet-stream";

/// Longer types are not sent by anything that means well.
const TYPE_LEN_MAX: usize = 255;
/// Entries of metadata: what goes through headers must stay small.
const METADATA_ENTRIES_MAX: usize = 50;
/// Bytes of all metadata of a file, names included.
const METADATA_BYTES_MAX: usize = 8 << 10;

/// What a caller keeps with a file.
pub type Metadata = BTreeMap<String, String>;

/// A file as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its name.
    pub name: FileName,
    /// The media type its sender gave it.
    pub content_type: Box<str>,
    /// What its sender keeps with it.
    pub metadata: Metadata,
    /// When there was first a file of this name.
    pub created_at: Timestamp,
    /// When it was last written, or what is known of it was changed.
    pub updated_at: Timestamp,
    pub(crate) content: Content,
    /// That of its document.
    pub(crate) revision: u64,
}

/// A file as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    bucket: String,
    name: String,
    content_type: Box<str>,
    #[serde(default)]
    metadata: Metadata,
    content: Content,
}

impl File {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.content.size
    }

    /// The hash of its bytes, without quotes.
    pub fn etag(&self) -> &str {
        &self.content.etag
    }

    /// The file in a document.
    ///
    /// # Errors
    /// ST_001: the document is none of ours.
    pub(crate) fn read(document: &Document) -> Result<Self, Rejection> {
        let stored: Stored = records::read(document)?;
        Ok(Self {
            bucket: BucketName::parse(&stored.bucket)?,
            name: FileName::parse(&stored.name)?,
            content_type: stored.content_type,
            metadata: stored.metadata,
            created_at: document.created_at,
            updated_at: document.updated_at,
            content: stored.content,
            revision: document.revision,
        })
    }

    /// Its document.
    pub(crate) fn document(&self) -> Arc<Document> {
        let stored = Stored {
            bucket: self.bucket.to_string(),
            name: self.name.to_string(),
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            content: self.content.clone(),
        };
        Arc::new(Document {
            id: self.id(),
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.updated_at,
            body: Bytes::from(serde_json::to_vec(&stored).unwrap_or_default()),
        })
    }

    pub(crate) fn id(&self) -> Box<str> {
        self.name.id(&self.bucket)
    }

    /// The data of the event that something happens to it.
    pub(crate) fn news(&self, action: &str) -> Value {
        json!({
            "action": action,
            "bucket": self.bucket.as_str(),
            "file": {
                "name": self.name.as_str(),
                "size_bytes": self.size(),
                "content_type": self.content_type,
                "etag": self.etag(),
                "metadata": self.metadata,
            },
        })
    }
}

/// The media type a sender gave, or what the name says of it. What stands before the parameters is
/// in lower case and ends with the `;` that follows, whoever spelled it how: so do those look for
/// it who want to know of files of a type.
///
/// # Errors
/// SO_003 when it is no media type.
pub(crate) fn content_type(given: Option<&str>, name: &FileName) -> Result<Box<str>, Rejection> {
    let Some(given) = given.map(str::trim).filter(|given| !given.is_empty()) else {
        return Ok(guessed(name.as_str()).into());
    };
    let essence = essence(given);
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let is_type = essence.split_once('/').is_some_and(|(a, b)| is_token(a) && is_token(b));
    let is_plain = given.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_type && is_plain && given.len() <= TYPE_LEN_MAX {
        let parameters = given.split_once(';').map_or("", |(_, parameters)| parameters.trim());
        return Ok(match parameters {
            "" => essence.into(),
            parameters => format!("{essence}; {parameters}").into(),
        });
    }
    let problem = Problem::new("content_type", format!("{} is no media type", quoted(given)));
    Err(Rejection::of(Code::FileInvalid, vec![problem.suggest("like image/png")]))
}

/// A media type without its parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Checks what a sender keeps with a file.
///
/// # Errors
/// SO_003 with everything that is wrong.
pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), Rejection> {
    let mut problems = Vec::new();
    if metadata.len() > METADATA_ENTRIES_MAX {
        let what = format!("has {} entries, at most {METADATA_ENTRIES_MAX}", metadata.len());
        problems.push(Problem::new("metadata", what));
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES_MAX {
        let what = format!("has {bytes} bytes, at most {METADATA_BYTES_MAX}");
        problems.push(Problem::new("metadata", what));
    }
    for (name, value) in metadata {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if !is_name {
            let problem =
                Problem::new("metadata", format!("{} is no name for an entry", quoted(name)));
            problems.push(problem.suggest("small letters, digits, \"-\", \"_\" and \".\""));
        }
        if value.contains(char::is_control) {
            let what = "has a control character in it";
            problems.push(Problem::new(format!("metadata.{name}"), what));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::FileInvalid, problems)) }
}

/// The type that goes with the end of a name.
fn guessed(name: &str) -> String {
    let Some(guessed) = mime_guess::from_path(name).first() else {
        return TYPE_DEFAULT.to_owned();
    };
    // A text of no named encoding is read as something else than it mostly is.
    if guessed.type_() == mime_guess::mime::TEXT && guessed.get_param("charset").is_none() {
        return format!("{guessed}; charset=utf-8");
    }
    guessed.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_taken_as_it_is_given_or_guessed_and_spelled_in_one_way() {
        let name = |text: &str| FileName::parse(text).unwrap();
        let of = |given, text| content_type(given, &name(text));
        assert_eq!(of(None, "a/b.PNG").unwrap().as_ref(), "image/png");
        assert_eq!(of(None, "a.d/b").unwrap().as_ref(), TYPE_DEFAULT);
        assert_eq!(of(Some("text/html"), "b.png").unwrap().as_ref(), "text/html");
        for (given, expected) in [
            ("IMAGE/Png", "image/png"),
            ("image/png ;X=Y", "image/png; X=Y"),
            ("image/png;", "image/png"),
            (" Image/PNG  ;a=\"b;c\" ;d=E", "image/png; a=\"b;c\" ;d=E"),
            ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(of(Some(given), "a").unwrap().as_ref(), expected, "{given:?}");
        }
        let long = format!("a/{}", "b".repeat(300));
        for bad in ["x", "a/", "/b", "a/b\r\nx: y", "a/b;\0", "a b/c", "ä/b", &long] {
            assert!(of(Some(bad), "a").is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_fits_into_headers() {
        let of = |entries: &[(&str, &str)]| {
            let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            check_metadata(&entries.iter().map(owned).collect())
        };
        assert!(of(&[("owner", "ada ü"), ("x-1", "")]).is_ok());
        let long = "x".repeat(9_000);
        for bad in [("", "a"), ("Owner", "a"), ("a b", "c"), ("a", "b\r\nc"), ("a", &long)] {
            assert!(of(&[bad]).is_err(), "{bad:?}");
        }
    }
}

//! Names of buckets and files, as far as they are good. A name is a key and never a path:
//! nothing of it reaches a file system.

use std::fmt;
use std::sync::Arc;

use evoke_model::{Code, Problem, Rejection};
use sha2::{Digest, Sha256};

/// A bucket's name stands in the type of its events, so it has no dots.
const BUCKET_LEN_MAX: usize = 63;

/// As long as the keys of S3.
const FILE_LEN_MAX: usize = 1_024;

/// The name of a bucket: a letter or digit, then letters, digits, `_` and `-`, 63 at most.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BucketName(Arc<str>);

/// The name of a file in a bucket: 1 to 1024 bytes, segments with `/` between them, none of
/// which is empty, `.` or `..`; no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileName(Arc<str>);

impl BucketName {
    /// Reads a name.
    ///
    /// # Errors
    /// SO_003 with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        let is_begun = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let is_spelled =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if is_begun && is_spelled && text.len() <= BUCKET_LEN_MAX {
            return Ok(Self(text.into()));
        }
        let problem =
            Problem::new("bucket", format!("{} is not the name of a bucket", shown(text)));
        let hint = format!(
            "a letter or digit, then letters, digits, \"_\" and \"-\", at most {BUCKET_LEN_MAX}"
        );
        Err(Rejection::of(Code::FileInvalid, vec![problem.suggest(hint)]))
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FileName {
    /// Reads a name.
    ///
    /// # Errors
    /// SO_003 with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        match wrong_with(text) {
            None => Ok(Self(text.into())),
            Some(what) => {
                let problem = Problem::new("name", format!("{} {what}", shown(text)));
                Err(Rejection::of(Code::FileInvalid, vec![problem]))
            }
        }
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of its document: names may be longer than ids.
    pub(crate) fn id(&self, bucket: &BucketName) -> Box<str> {
        let mut hash = Sha256::new();
        hash.update(bucket.as_str());
        hash.update("/");
        hash.update(self.as_str());
        hex::encode(hash.finalize()).into()
    }
}

/// What is wrong with the name of a file.
fn wrong_with(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is no name: it is empty".to_owned());
    }
    if text.len() > FILE_LEN_MAX {
        return Some(format!("has {} bytes, a name has at most {FILE_LEN_MAX}", text.len()));
    }
    if text.contains(char::is_control) {
        return Some("has a control character in it".to_owned());
    }
    text.split('/').find_map(|segment| match segment {
        "" => {
            Some("has an empty segment: no \"/\" at an end, no two beside one another".to_owned())
        }
        "." | ".." => Some(format!("has the segment {segment:?}")),
        _ => None,
    })
}

/// A text as a message shows it.
fn shown(text: &str) -> String {
    const LEN_MAX: usize = 80;
    let mut short: String = text.chars().take(LEN_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// What is told of a metadata entry, a type or a prefix is shown in the same way.
pub(crate) fn quoted(text: &str) -> String {
    shown(text)
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_key_and_never_a_way_out() {
        for good in [
            "a",
            "images/2026/cat.jpg",
            "ünïcode/文件.txt",
            "a b",
            "..a",
            "a..",
            "...",
            "back\\slash",
            "%2e%2e",
            &"x".repeat(1_024),
        ] {
            assert!(FileName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}",
            &"x".repeat(1_025),
            &"ü".repeat(513),
        ] {
            let refused = FileName::parse(bad).unwrap_err();
            assert_eq!(refused.code, Code::FileInvalid, "{bad}");
            assert!(refused.message.len() < 400, "{}", refused.message);
        }
    }

    #[test]
    fn a_bucket_stands_in_the_type_of_events() {
        for good in ["uploads", "a", "7", "a-b_c", &"x".repeat(63)] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a.b", "_files", "-a", "a/b", "ä", "a b", "*", &"x".repeat(64)] {
            assert!(BucketName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_file_has_an_id_of_its_own() {
        let id = |bucket: &str, name: &str| {
            FileName::parse(name).unwrap().id(&BucketName::parse(bucket).unwrap())
        };
        assert_ne!(id("a", "b/c"), id("a-b", "c"));
        assert_eq!(id("a", "b/c").len(), 64);
    }
}

//! Lists of files: by prefix, with what lies below a delimiter folded into one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use evoke_document::{Condition, Op, Query, Scalar, Sort};
use evoke_model::{Code, Problem, Rejection};

use crate::buckets::of_bucket;
use crate::file::File;
use crate::name::BucketName;
use crate::records::{FILES, NAME, field, unreadable};
use crate::start::Storage;

/// Entries of a page at most: what stores promise.
const LIMIT_MAX: u32 = 1_000;

/// Which files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListQuery {
    /// Whose name begins so.
    pub prefix: String,
    /// Names that have this behind the prefix are folded up to it: with `/` a list of folders.
    pub delimiter: Option<String>,
    /// Entries at most, 1 to 1,000.
    pub limit: u32,
    /// From the page before.
    pub cursor: Option<String>,
}

/// A page of files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
    /// The files, by name.
    pub files: Vec<File>,
    /// What names were folded into, by name.
    pub prefixes: Vec<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

enum Entry {
    File(Box<File>),
    Prefix(String),
}

impl Entry {
    fn begin(&self) -> &str {
        match self {
            Self::File(file) => file.name.as_str(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

impl Storage {
    /// A page of the files of a bucket.
    ///
    /// # Errors
    /// SO_001; API_001 for a cursor that is none; ST_001.
    pub async fn list(&self, bucket: &str, query: &ListQuery) -> Result<Listing, Rejection> {
        let bucket = self.inner.bucket(&BucketName::parse(bucket)?)?.name.clone();
        let limit = query.limit.clamp(1, LIMIT_MAX) as usize;
        let mut from = match &query.cursor {
            // One of another list may stand before all that have the prefix.
            Some(cursor) => Some(position(cursor)?.max(query.prefix.clone())),
            None => Some(query.prefix.clone()),
        };
        // One more than asked for tells where the next page begins.
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(begin) = from.take()
            && entries.len() <= limit
        {
            let files = self.names_from(&bucket, &begin, &query.prefix, limit + 1).await?;
            let is_last = files.len() <= limit;
            for file in files {
                if let Some(Entry::Prefix(prefix)) = entries.last()
                    && file.name.as_str().starts_with(prefix.as_str())
                {
                    continue;
                }
                entries.push(match query.folded(file.name.as_str()) {
                    Some(prefix) => Entry::Prefix(prefix),
                    None => Entry::File(Box::new(file)),
                });
            }
            from = match entries.last() {
                Some(_) if is_last => None,
                // What is folded into it need not be looked at.
                Some(Entry::Prefix(prefix)) => after(prefix),
                Some(Entry::File(file)) => Some(format!("{}\0", file.name)),
                None => None,
            };
        }
        let next = entries.get(limit).map(|entry| BASE64.encode(entry.begin()));
        entries.truncate(limit);
        let mut listing = Listing { next, ..Listing::default() };
        for entry in entries {
            match entry {
                Entry::File(file) => listing.files.push(*file),
                Entry::Prefix(prefix) => listing.prefixes.push(prefix),
            }
        }
        Ok(listing)
    }

    /// Files from a name on, as far as they have a prefix; fewer than `limit` only at the end.
    pub(crate) async fn names_from(
        &self,
        bucket: &BucketName,
        begin: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<File>, Rejection> {
        let name = |op| Ok::<_, Rejection>(Condition { field: field(NAME)?, op });
        let mut filter = vec![of_bucket(bucket)?];
        if !begin.is_empty() {
            filter.push(name(Op::Ge(Scalar::Text(begin.to_owned())))?);
        }
        if let Some(end) = after(prefix) {
            filter.push(name(Op::Lt(Scalar::Text(end)))?);
        }
        let order = vec![Sort { field: field(NAME)?, descending: false }];
        let mut query = Query { filter, order, limit: 0, cursor: None };
        let mut files = Vec::new();
        loop {
            query.limit = (limit - files.len()).min(LIMIT_MAX as usize) as u32;
            let page = self.inner.documents.find(FILES, query.clone()).await;
            let page = page.map_err(|error| unreadable(&error))?;
            for document in &page.items {
                files.push(File::read(document)?);
            }
            match page.next {
                Some(next) if files.len() < limit => query.cursor = Some(next),
                _ => return Ok(files),
            }
        }
    }
}

impl ListQuery {
    /// What a name is folded into.
    fn folded(&self, name: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let rest = name.strip_prefix(&self.prefix)?;
        let end = rest.find(delimiter)? + delimiter.len();
        Some(name[..self.prefix.len() + end].to_owned())
    }
}

/// The first text behind all that begin so; `None` where nothing is behind them.
fn after(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The step over the surrogates is part of the iteration.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn position(cursor: &str) -> Result<String, Rejection> {
    let bytes = BASE64.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| {
        let problem = Problem::new("cursor", "is no cursor of this list");
        Rejection::of(Code::InvalidRequest, vec![problem])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_prefix_comes_what_does_not_begin_so() {
        for (prefix, expected) in [
            ("a", Some("b")),
            ("a/", Some("a0")),
            ("", None),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(after(prefix).as_deref(), expected, "{prefix:?}");
        }
    }

    #[test]
    fn names_are_folded_up_to_the_delimiter() {
        let query = |prefix: &str, delimiter: &str| ListQuery {
            prefix: prefix.to_owned(),
            delimiter: Some(delimiter.to_owned()),
            ..ListQuery::default()
        };
        for (prefix, delimiter, name, expected) in [
            ("", "/", "a/b/c", Some("a/")),
            ("a/", "/", "a/b/c", Some("a/b/")),
            ("a/b/", "/", "a/b/c", None),
            ("a", "/", "ab/c", Some("ab/")),
            ("", "", "a/b", None),
            ("", "--", "a--b", Some("a--")),
        ] {
            assert_eq!(query(prefix, delimiter).folded(name).as_deref(), expected, "{name}");
        }
    }
}

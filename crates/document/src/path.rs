//! Paths to fields.

use std::fmt;

/// The path of a field in a document: names with dots between them, `address.city`. 1 to 10 names,
/// 200 characters at most; a name may hold anything but dots, quotes, backslashes and control
/// characters. Names lead through objects only, never into a list.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath(Box<str>);

/// What is kept beside the fields of a document and can be asked for like them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// `id`.
    Id,
    /// `_created_at`.
    CreatedAt,
    /// `_updated_at`.
    UpdatedAt,
}

/// The text is not the path of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadPath {
    /// There is nothing in it, or nothing between two dots.
    #[error("a field has a name, and names have dots between them: address.city")]
    Empty,
    /// Deeper than anybody looks.
    #[error("a path has at most {} names", FieldPath::NAMES_MAX)]
    Deep,
    /// Longer than names are.
    #[error("a path has at most {} characters", FieldPath::LENGTH_MAX)]
    Long,
    /// A character that no path has.
    #[error("a path has no quotes, backslashes and control characters")]
    Character,
    /// A name of the server's own.
    #[error("of the names that begin with _ only _created_at and _updated_at can be asked for")]
    Reserved,
}

impl FieldPath {
    /// The length of a path is the length of a term in a store's query.
    pub const LENGTH_MAX: usize = 200;
    /// Deeper fields are not looked for.
    pub const NAMES_MAX: usize = 10;

    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        // In bytes first, so that nobody counts the characters of a megabyte.
        if text.len() > 4 * Self::LENGTH_MAX || text.chars().count() > Self::LENGTH_MAX {
            return Err(BadPath::Long);
        }
        if text.contains(|c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '`')) {
            return Err(BadPath::Character);
        }
        if text.split('.').any(str::is_empty) {
            return Err(BadPath::Empty);
        }
        if text.split('.').count() > Self::NAMES_MAX {
            return Err(BadPath::Deep);
        }
        let path = Self(text.into());
        if text.starts_with('_') && path.kept().is_none() {
            return Err(BadPath::Reserved);
        }
        Ok(path)
    }

    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// What it names beside the fields, if it does.
    pub fn kept(&self) -> Option<Kept> {
        match &*self.0 {
            "id" => Some(Kept::Id),
            "_created_at" => Some(Kept::CreatedAt),
            "_updated_at" => Some(Kept::UpdatedAt),
            _ => None,
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for FieldPath {
    type Err = BadPath;
    fn from_str(text: &str) -> Result<Self, BadPath> {
        Self::parse(text)
    }
}

impl TryFrom<String> for FieldPath {
    type Error = BadPath;
    fn try_from(text: String) -> Result<Self, BadPath> {
        Self::parse(&text)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_with_dots_between() {
        for good in ["a", "address.city", "größe", "a b", "id", "_created_at", "a._b", "$", "a-b"]
        {
            assert_eq!(FieldPath::parse(good).map(|path| path.to_string()).as_deref(), Ok(good));
        }
        let long = "x".repeat(201);
        let deep = "a.".repeat(10) + "a";
        for (bad, why) in [
            ("", BadPath::Empty),
            ("a..b", BadPath::Empty),
            (".a", BadPath::Empty),
            ("a.", BadPath::Empty),
            ("a\"b", BadPath::Character),
            ("a'b", BadPath::Character),
            ("a\\b", BadPath::Character),
            ("a\0b", BadPath::Character),
            ("_revision", BadPath::Reserved),
            ("_created_at.year", BadPath::Reserved),
            (&long, BadPath::Long),
            (&deep, BadPath::Deep),
        ] {
            assert_eq!(FieldPath::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn json_is_checked_as_well() {
        assert!(serde_json::from_str::<FieldPath>("\"a.b\"").is_ok());
        assert!(serde_json::from_str::<FieldPath>("\"a'b\"").is_err());
    }
}

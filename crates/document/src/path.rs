//! Paths to fields.

/// The path of a field in a document: names with dots between them, `address.city`. 1 to 10 names,
/// 200 characters at most; a name may hold anything but dots, quotes, backslashes and control
/// characters.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct FieldPath(Box<str>);

impl FieldPath {
    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

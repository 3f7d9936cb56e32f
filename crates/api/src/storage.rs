//! Buckets, files and uploads.

mod read;

use evoke_model::Timestamp;
use evoke_storage::{LinkMethod, Metadata};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use read::{BucketBody, CopyBody, FileChange, SignBody, UploadBody, metadata};

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// The name.
    #[schema(example = "uploads")]
    pub name: String,
    /// Bytes of a file at most.
    pub max_file_bytes: u64,
    /// Media types of files, as `image/png` or `image/*`; empty for all.
    #[schema(example = json!(["image/*"]))]
    pub allowed_types: Vec<String>,
    /// Whether everybody may read its files.
    pub public: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its settings were last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&evoke_storage::Bucket> for Bucket {
    fn from(bucket: &evoke_storage::Bucket) -> Self {
        Self {
            name: bucket.name.to_string(),
            max_file_bytes: bucket.settings.max_file_bytes,
            allowed_types: bucket.settings.allowed_types.clone(),
            public: bucket.settings.public,
            created_at: bucket.created_at,
            updated_at: bucket.updated_at,
        }
    }
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct File {
    /// Its bucket.
    pub bucket: String,
    /// Its name.
    #[schema(example = "images/cat.jpg")]
    pub name: String,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// The media type its sender gave it, or its name tells.
    pub content_type: String,
    /// SHA-256 of its bytes in hex. Of a file that came in parts: that of the hashes of its
    /// parts, a hyphen, and how many there were.
    pub etag: String,
    /// What its sender keeps with it.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub metadata: Metadata,
    /// When there was first a file of this name.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last written, or what is known of it was changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&evoke_storage::File> for File {
    fn from(file: &evoke_storage::File) -> Self {
        Self {
            bucket: file.bucket.to_string(),
            name: file.name.to_string(),
            size_bytes: file.size(),
            content_type: file.content_type.to_string(),
            etag: file.etag().to_owned(),
            metadata: file.metadata.clone(),
            created_at: file.created_at,
            updated_at: file.updated_at,
        }
    }
}

/// A page of files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileList {
    /// The files, by name.
    pub data: Vec<File>,
    /// What names were folded into at the delimiter, by name.
    #[schema(example = json!(["images/"]))]
    pub prefixes: Vec<String>,
    /// What to send as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

impl From<&evoke_storage::Listing> for FileList {
    fn from(listing: &evoke_storage::Listing) -> Self {
        Self {
            data: listing.files.iter().map(File::from).collect(),
            prefixes: listing.prefixes.clone(),
            next_cursor: listing.next.clone(),
        }
    }
}

/// Files that were written together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WrittenFiles {
    /// The files, as they came.
    pub data: Vec<File>,
}

/// How many files were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedFiles {
    /// How many.
    pub deleted: u64,
    /// Whether there are more: one call deletes 10,000.
    pub has_more: bool,
}

/// An upload in parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// Its id.
    #[schema(example = "upl_0123456789abcdef0123456789abcdef")]
    pub id: String,
    /// The bucket of the file.
    pub bucket: String,
    /// The name of the file.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// How many bytes it will have, as far as its sender said.
    pub size_bytes: Option<u64>,
    /// Bytes a part should have; any other number will do.
    pub part_size: u64,
    /// The parts that are there, by number.
    pub parts: Vec<UploadPart>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is given up.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadPart {
    /// Its place, from 1.
    pub number: u32,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// SHA-256 of its bytes in hex.
    pub etag: String,
}

impl From<&evoke_storage::PartInfo> for UploadPart {
    fn from(part: &evoke_storage::PartInfo) -> Self {
        Self { number: part.number, size_bytes: part.size, etag: part.etag.clone() }
    }
}

impl Upload {
    /// An upload with its parts.
    pub fn new(upload: &evoke_storage::Upload, parts: &[evoke_storage::PartInfo]) -> Self {
        Self {
            id: upload.id.clone(),
            bucket: upload.bucket.to_string(),
            name: upload.name.to_string(),
            content_type: upload.content_type.to_string(),
            size_bytes: upload.size,
            part_size: upload.part_size(),
            parts: parts.iter().map(UploadPart::from).collect(),
            created_at: upload.created_at,
            expires_at: upload.expires_at(),
        }
    }
}

/// A link that needs no key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedLink {
    /// The link.
    #[schema(
        example = "http://127.0.0.1:8090/storage/uploads/cat.jpg?expires=1790000000&method=GET&signature=..."
    )]
    pub url: String,
    /// What it allows: `GET` or `PUT`.
    pub method: String,
    /// When it is over.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl SignedLink {
    /// A link at the server with this base address.
    pub fn new(link: &evoke_storage::Link, base: &str) -> Self {
        let name: Vec<String> = link.name.as_str().split('/').map(encoded).collect();
        let (bucket, name, method) = (&link.bucket, name.join("/"), link.method.as_str());
        let (expires, signature) = (link.expires, &link.signature);
        Self {
            url: format!(
                "{base}/storage/{bucket}/{name}?expires={expires}&method={method}\
                 &signature={signature}"
            ),
            method: LinkMethod::as_str(link.method).to_owned(),
            expires_at: Timestamp::from_millis(link.expires.saturating_mul(1_000)),
        }
    }
}

/// A segment of a name as it stands in an address.
fn encoded(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

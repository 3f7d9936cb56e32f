//! Reading what callers send, with all that is wrong told at once.

use evoke_model::suggest::did_you_mean;
use evoke_model::{Millis, Problem};
use evoke_storage::{Description, LinkMethod, Metadata, Place, Settings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How long a link is good where nobody says.
const LIFE_DEFAULT: Millis = Millis::from_secs(15 * 60);

/// What a bucket is made from. What is left out has its default.
#[derive(ToSchema)]
#[schema(example = json!({ "max_file_bytes": 10_000_000, "allowed_types": ["image/*"] }))]
pub struct BucketBody {
    /// Bytes of a file at most; 5 GiB if not given.
    pub max_file_bytes: Option<u64>,
    /// Media types of files, as `image/png` or `image/*`; empty for all.
    pub allowed_types: Option<Vec<String>>,
    /// Whether everybody may read its files.
    pub public: Option<bool>,
}

/// What is copied, and where to.
#[derive(ToSchema)]
#[schema(example = json!({ "from": "a.txt", "to": "archive/a.txt" }))]
pub struct CopyBody {
    /// The name of the file.
    pub from: String,
    /// The name of the copy.
    pub to: String,
    /// The bucket of the copy; the same if not given.
    pub to_bucket: Option<String>,
}

/// What is changed of what is known of a file; what is left out stays.
#[derive(ToSchema)]
#[schema(example = json!({ "metadata": { "owner": "ada" } }))]
pub struct FileChange {
    /// Another media type.
    pub content_type: Option<String>,
    /// Entries by name: a text replaces one, `null` takes it away, and `null` for all of it all of
    /// them (JSON Merge Patch).
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
}

/// What a link is to allow.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "a.txt", "method": "GET", "expires_in": "15m" }))]
pub struct SignBody {
    /// The name of the file, which need not be there.
    pub name: String,
    /// `GET` or `PUT`; GET if not given.
    pub method: Option<String>,
    /// How long: `15m`, or a number of seconds; 15 minutes if not given, a week at most.
    #[schema(value_type = Option<String>)]
    pub expires_in: Option<Value>,
}

/// What an upload in parts is begun with.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "film.mp4", "content_type": "video/mp4", "size": 734_003_200 }))]
pub struct UploadBody {
    /// The name of the file.
    pub name: String,
    /// Its media type; guessed from the name if not given.
    pub content_type: Option<String>,
    /// What is kept with it.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// How many bytes it will have. It is held to that.
    pub size: Option<u64>,
}

/// The fields of a body and what is wrong with them.
struct Body {
    fields: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Body {
    fn new(body: Value, known: &[&str]) -> Self {
        let Value::Object(fields) = body else {
            let problems = vec![Problem::new("", "expected an object")];
            return Self { fields: Map::new(), problems };
        };
        let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
        let problem = |name: &String| {
            Problem::new(name, "is not a field here")
                .suggest(did_you_mean(name, known.iter().copied()))
        };
        let problems = unknown.map(problem).collect();
        Self { fields, problems }
    }

    /// A field, if it is given and not `null`.
    fn get<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.fields.remove(name).filter(|value| !value.is_null())?;
        let read = serde_json::from_value(value).ok();
        if read.is_none() {
            self.problems.push(Problem::new(name, format!("expected {expected}")));
        }
        read
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.get(name, "a text")
    }

    /// A text that must be there; empty where it is not, beside the problem.
    fn required(&mut self, name: &str) -> String {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.problems.push(Problem::new(name, "is required"));
        }
        self.text(name).unwrap_or_default()
    }

    fn finish<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }
}

impl BucketBody {
    /// Reads the settings of a bucket.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value) -> Result<Settings, Vec<Problem>> {
        let mut body = Body::new(body, &["max_file_bytes", "allowed_types", "public"]);
        let default = Settings::default();
        let settings = Settings {
            max_file_bytes: body
                .get("max_file_bytes", "a number of bytes")
                .unwrap_or(default.max_file_bytes),
            allowed_types: body.get("allowed_types", "a list of media types").unwrap_or_default(),
            public: body.get("public", "true or false").unwrap_or(default.public),
        };
        body.finish(settings)
    }
}

impl CopyBody {
    /// Reads what is copied from a bucket: from where, and to where.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value, bucket: &str) -> Result<(Place, Place), Vec<Problem>> {
        let mut body = Body::new(body, &["from", "to", "to_bucket"]);
        let from = Place { bucket: bucket.to_owned(), name: body.required("from") };
        let name = body.required("to");
        let to = body.text("to_bucket").unwrap_or_else(|| bucket.to_owned());
        body.finish((from, Place { bucket: to, name }))
    }
}

impl FileChange {
    /// Reads what is changed of what is known of a file with this metadata.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value, known: &Metadata) -> Result<Description, Vec<Problem>> {
        let mut body = Body::new(body, &["content_type", "metadata"]);
        let content_type = body.text("content_type");
        let metadata = match body.fields.remove("metadata") {
            None => None,
            Some(Value::Null) => Some(Metadata::new()),
            Some(Value::Object(changes)) => {
                let mut metadata = known.clone();
                for (name, value) in changes {
                    match value {
                        Value::Null => {
                            metadata.remove(&name);
                        }
                        Value::String(text) => {
                            metadata.insert(name, text);
                        }
                        _ => {
                            let field = format!("metadata.{name}");
                            body.problems.push(Problem::new(field, "expected a text or null"));
                        }
                    }
                }
                Some(metadata)
            }
            Some(_) => {
                body.problems.push(Problem::new("metadata", "expected an object"));
                None
            }
        };
        body.finish(Description { content_type, metadata })
    }
}

impl SignBody {
    /// Reads what a link is to allow: the name, the method, how long.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value) -> Result<(String, LinkMethod, Millis), Vec<Problem>> {
        let mut body = Body::new(body, &["name", "method", "expires_in"]);
        let name = body.required("name");
        let method = match body.text("method") {
            None => LinkMethod::Get,
            Some(text) => LinkMethod::parse(&text).unwrap_or_else(|| {
                body.problems.push(Problem::new("method", "expected GET or PUT"));
                LinkMethod::Get
            }),
        };
        let life =
            body.get("expires_in", "a duration like 15m, or seconds").unwrap_or(LIFE_DEFAULT);
        body.finish((name, method, life))
    }
}

impl UploadBody {
    /// Reads what an upload is begun with.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(body: Value) -> Result<Self, Vec<Problem>> {
        let mut body = Body::new(body, &["name", "content_type", "metadata", "size"]);
        let upload = Self {
            name: body.required("name"),
            content_type: body.text("content_type"),
            metadata: body.get("metadata", "an object"),
            size: body.get("size", "a number of bytes"),
        };
        body.finish(upload)
    }
}

/// Reads what is kept with a file: an object of texts.
///
/// # Errors
/// What is wrong with it.
pub fn metadata(given: Option<Value>) -> Result<Metadata, Vec<Problem>> {
    let Some(given) = given else { return Ok(Metadata::new()) };
    serde_json::from_value(given)
        .map_err(|_| vec![Problem::new("metadata", "expected an object of texts")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let bucket = json!({ "max_file_bytes": -1, "allowed_types": "image/*", "pubic": true });
        let told = fields(BucketBody::read(bucket).unwrap_err());
        assert_eq!(told, ["pubic", "max_file_bytes", "allowed_types"]);
        let copy = CopyBody::read(json!({ "from": 1 }), "b").unwrap_err();
        assert_eq!(fields(copy), ["from", "to"]);
        let sign = SignBody::read(json!({ "method": "POST", "expires_in": "soon" })).unwrap_err();
        assert_eq!(fields(sign), ["name", "method", "expires_in"]);
        assert!(UploadBody::read(json!({ "name": "a", "size": 1.5 })).is_err());
        assert!(metadata(Some(json!({ "a": 1 }))).is_err());
    }

    #[test]
    fn metadata_is_merged() {
        let known: Metadata = [("a".into(), "1".into()), ("b".into(), "2".into())].into();
        let change = |metadata: Value| {
            FileChange::read(json!({ "metadata": metadata }), &known).unwrap().metadata.unwrap()
        };
        assert_eq!(change(json!({ "a": null, "c": "3" })).keys().collect::<Vec<_>>(), ["b", "c"]);
        assert!(change(Value::Null).is_empty());
        assert_eq!(FileChange::read(json!({}), &known).unwrap(), Description::default());
    }
}

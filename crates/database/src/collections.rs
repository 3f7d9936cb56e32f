//! The collections that are there, with their schemas compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_document::Collection;
use evoke_model::{Code, Problem, Rejection};
use evoke_ports::store::{Documents, Error, Why};
use evoke_ports::{Journal, Unkept};
use evoke_schema::Schema;
use parking_lot::RwLock;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::database::Unknown;
use crate::refusal;

/// More are made by a mistake: a collection for each user.
const COLLECTIONS_MAX: usize = 1_000;

/// What begins the names of the server's own collections.
const OWN: char = '_';

/// A collection, ready to be used.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) name: Arc<str>,
    pub(crate) collection: Collection,
    schema: Option<Schema>,
    /// Whether the schema speaks of the id, which is then looked at with the fields.
    names_id: bool,
}

impl Defined {
    /// Compiles what is declared.
    ///
    /// # Errors
    /// What is wrong with the schema.
    fn new(collection: Collection) -> Result<Self, Problem> {
        let schema = collection.schema.as_ref().map(Schema::compile).transpose();
        let schema = schema.map_err(|problem| Problem { field: "schema".to_owned(), ..problem })?;
        let names_id =
            collection.schema.as_ref().is_some_and(|whole| names_id(whole, whole, &mut Vec::new()));
        Ok(Self { name: collection.name.as_str().into(), collection, schema, names_id })
    }

    /// Looks whether a document fits the schema.
    ///
    /// # Errors
    /// Everything in which it does not, with fields under `at`.
    pub(crate) fn check(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        at: &str,
    ) -> Result<(), Vec<Problem>> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let mut whole = fields.clone();
        if self.names_id {
            whole.insert("id".to_owned(), json!(id));
        }
        let broken = schema.violations(&Value::Object(whole));
        if broken.is_empty() {
            return Ok(());
        }
        Err(broken
            .into_iter()
            .map(|problem| Problem { field: field_at(at, &problem.field), ..problem })
            .collect())
    }
}

/// Whether a schema says something of the id of a document, itself or by another one that holds for
/// the same document. References that were `followed` are not again.
fn names_id<'s>(schema: &'s Value, whole: &'s Value, followed: &mut Vec<&'s str>) -> bool {
    let Some(fields) = schema.as_object() else { return false };
    fields.iter().any(|(name, value)| match (name.as_str(), value) {
        ("properties", Value::Object(of)) => of.contains_key("id"),
        ("required", Value::Array(names)) => names.iter().any(|name| name == "id"),
        ("allOf" | "anyOf" | "oneOf", Value::Array(several)) => {
            several.iter().any(|one| names_id(one, whole, followed))
        }
        ("dependentSchemas", Value::Object(of)) => {
            of.contains_key("id") || of.values().any(|one| names_id(one, whole, followed))
        }
        ("not" | "if" | "then" | "else", one) => names_id(one, whole, followed),
        ("$ref", Value::String(to)) if !followed.contains(&to.as_str()) => {
            followed.push(to);
            let other = to.strip_prefix('#').and_then(|pointer| whole.pointer(pointer));
            other.is_some_and(|other| names_id(other, whole, followed))
        }
        _ => false,
    })
}

/// `/items/1/n` under `document` is `document.items[1].n`.
fn field_at(at: &str, pointer: &str) -> String {
    let mut field = at.to_owned();
    for name in pointer.split('/').skip(1) {
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            field.push('[');
            field.push_str(name);
            field.push(']');
        } else {
            field.push('.');
            field.push_str(&name.replace("~1", "/").replace("~0", "~"));
        }
    }
    field
}

/// All collections of a project.
pub(crate) struct Collections {
    journal: Arc<dyn Journal>,
    unknown: Unknown,
    known: RwLock<BTreeMap<String, Arc<Defined>>>,
    /// One definition at a time, so that what is known is what is stored.
    defining: Mutex<()>,
}

impl Collections {
    /// Reads what is stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn read(
        journal: Arc<dyn Journal>,
        documents: &dyn Documents,
        unknown: Unknown,
    ) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        for collection in documents.collections().await? {
            if collection.name.starts_with(OWN) {
                continue;
            }
            let name = collection.name.clone();
            let schema = collection.schema.clone();
            let defined = Defined::new(collection.clone()).or_else(|problem| {
                // It was taken once, by another version. Nothing is written unchecked.
                tracing::error!(collection = %name, "The schema of {name} is not valid: {problem}");
                Defined::new(Collection { schema: Some(Value::Bool(false)), ..collection }).map(
                    |defined| Defined {
                        collection: Collection { schema, ..defined.collection },
                        ..defined
                    },
                )
            });
            if let Ok(defined) = defined {
                known.insert(name, Arc::new(defined));
            }
        }
        Ok(Self { journal, unknown, known: RwLock::new(known), defining: Mutex::default() })
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Collection> {
        self.known.read().values().map(|defined| defined.collection.clone()).collect()
    }

    pub(crate) fn known(&self, name: &str) -> Option<Arc<Defined>> {
        self.known.read().get(name).cloned()
    }

    /// A collection that is there.
    ///
    /// # Errors
    /// DB_001 with the nearest name.
    pub(crate) fn existing(&self, name: &str) -> Result<Arc<Defined>, Rejection> {
        self.known(name).ok_or_else(|| {
            let known = self.known.read();
            refusal::no_collection(name, known.keys().map(String::as_str))
        })
    }

    /// A collection to look into; `None` where there is none yet and it may come with its first
    /// document.
    ///
    /// # Errors
    /// DB_001.
    pub(crate) fn to_read(&self, name: &str) -> Result<Option<Arc<Defined>>, Rejection> {
        match self.unknown {
            Unknown::Refused => self.existing(name).map(Some),
            Unknown::Created => match self.known(name) {
                Some(defined) => Ok(Some(defined)),
                None => check_name(name).map(|()| None),
            },
        }
    }

    /// A collection to create a document in; where there is none yet, one without a schema.
    ///
    /// # Errors
    /// DB_001.
    pub(crate) fn to_fill(&self, name: &str) -> Result<Arc<Defined>, Rejection> {
        if let Some(defined) = self.to_read(name)? {
            return Ok(defined);
        }
        let new = Collection { name: name.to_owned(), ..Collection::default() };
        Ok(Arc::new(Defined { name: name.into(), collection: new, schema: None, names_id: false }))
    }

    /// Makes a collection that is not there yet, for its first document.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(crate) async fn ensure(&self, defined: &Defined) -> Result<(), Rejection> {
        if self.known(&defined.name).is_some() {
            return Ok(());
        }
        let _turn = self.defining.lock().await;
        // Another may have made it meanwhile.
        if self.known(&defined.name).is_none() {
            self.put(defined.collection.clone()).await?;
        }
        Ok(())
    }

    /// Puts a collection with its schema and its indexes.
    ///
    /// # Errors
    /// DB_003 with everything that is wrong; DB_007 where documents that are there stand against
    /// it.
    pub(crate) async fn define(&self, collection: Collection) -> Result<Definition, Rejection> {
        check_name(&collection.name)?;
        let _turn = self.defining.lock().await;
        let definition = match self.known(&collection.name) {
            Some(known) if known.collection == collection => return Ok(Definition::Same),
            Some(_) => Definition::Changed,
            None => Definition::New,
        };
        self.put(collection).await?;
        Ok(definition)
    }

    async fn put(&self, collection: Collection) -> Result<Arc<Defined>, Rejection> {
        let known = self.known.read().len();
        if known >= COLLECTIONS_MAX && self.known(&collection.name).is_none() {
            let message = format!("there are {known} collections, and more are not made");
            return Err(Rejection::new(Code::CollectionConflict, message));
        }
        let invalid = |problem| Rejection::of(Code::DocumentInvalid, vec![problem]);
        let defined = Arc::new(Defined::new(collection.clone()).map_err(invalid)?);
        self.journal.define(collection).await.map_err(|unkept| not_defined(&defined, unkept))?;
        self.known.write().insert(defined.collection.name.clone(), defined.clone());
        Ok(defined)
    }

    /// Removes a collection with all its documents.
    ///
    /// # Errors
    /// DB_001, or the store is not there.
    pub(crate) async fn drop(&self, name: &str) -> Result<(), Rejection> {
        let _turn = self.defining.lock().await;
        self.existing(name)?;
        self.journal.drop_collection(name).await.map_err(|unkept| match unkept {
            Unkept::Rejected(rejection) => rejection,
            Unkept::Conflict(_) => refusal::no_collection(name, []),
        })?;
        self.known.write().remove(name);
        Ok(())
    }
}

/// What became of a collection that was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// It was not there.
    New,
    /// It was another.
    Changed,
    /// It was so already.
    Same,
}

fn not_defined(defined: &Defined, unkept: Unkept) -> Rejection {
    let conflicts = match unkept {
        Unkept::Rejected(rejection) => return rejection,
        Unkept::Conflict(conflicts) => conflicts,
    };
    let name = &defined.name;
    let index = conflicts.iter().find_map(|conflict| match &conflict.why {
        Why::NotUnique { index } => Some(index),
        _ => None,
    });
    let message = match index {
        Some(index) => format!(
            "documents of {name:?} have the same values, which the unique index {index:?} forbids"
        ),
        None => format!("the collection {name:?} is being changed by another"),
    };
    Rejection::new(Code::CollectionConflict, message)
}

/// Whether a collection may be called so.
///
/// # Errors
/// DB_003.
fn check_name(name: &str) -> Result<(), Rejection> {
    if Collection::is_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(100).collect();
    let message = format!("{shown:?} is no name of a collection");
    let hint = "a letter, then letters, digits, \"_\" and \"-\", at most 63";
    let problem = Problem::new("collection", message).suggest(hint);
    Err(Rejection::of(Code::DocumentInvalid, vec![problem]))
}

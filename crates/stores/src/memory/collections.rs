//! The collections with their documents. Changes are made at once and remembered, so that they can
//! be taken back: whether a batch can be written at all is known only when it is decided whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_document::{Collection, Document, FieldValue, Fields, Index};
use evoke_ports::store::{Change, Conflict, DocumentChange, Effect, Expect, Why, Write};
use serde_json::{Map, Value};

/// All collections.
#[derive(Default)]
pub(super) struct Collections {
    kept: BTreeMap<Box<str>, Kept>,
    undo: Vec<Undo>,
}

/// A collection with its documents.
pub(super) struct Kept {
    pub collection: Collection,
    rows: BTreeMap<Box<str>, Row>,
    unique: Vec<Unique>,
}

/// A document with its fields read.
pub(super) struct Row {
    pub document: Arc<Document>,
    body: Map<String, Value>,
}

/// Who has the values of a unique index.
struct Unique {
    index: Index,
    holders: BTreeMap<Vec<FieldValue<'static>>, Box<str>>,
}

/// How the last change is taken back.
enum Undo {
    Row { collection: Box<str>, id: Box<str>, before: Option<Row> },
    Define { name: Box<str>, before: Option<Collection> },
    Drop { name: Box<str>, before: Kept },
}

/// What becomes of the changes of documents and collections in a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// They are made; for each whether it changed something.
    Made(Vec<bool>),
    /// None is, and nothing else of the write.
    Refused(Vec<Conflict>),
}

impl Collections {
    /// A collection.
    pub fn get(&self, name: &str) -> Option<&Kept> {
        self.kept.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Collection> {
        self.kept.values().map(|kept| &kept.collection)
    }

    /// Makes the changes of documents and collections in a write, or none of them.
    pub fn decide(&mut self, write: &Write) -> Decided {
        let writes = match write {
            Write::All(writes) => writes.as_slice(),
            one => std::slice::from_ref(one),
        };
        let begun = self.undo.len();
        let mut made = Vec::new();
        for write in writes {
            let Write::Change(change) = write else { continue };
            match self.change(change) {
                Some(Ok(changed)) => made.push(changed),
                Some(Err(conflict)) => {
                    self.undo_to(begun);
                    return Decided::Refused(vec![conflict]);
                }
                None => {}
            }
        }
        Decided::Made(made)
    }

    /// Forgets how the changes are taken back.
    pub fn keep_all(&mut self) {
        self.undo.clear();
    }

    /// Takes all changes back since they were last kept.
    pub fn undo_all(&mut self) {
        self.undo_to(0);
    }

    fn undo_to(&mut self, mark: usize) {
        for undo in self.undo.drain(mark..).rev() {
            match undo {
                Undo::Row { collection, id, before } => {
                    if let Some(kept) = self.kept.get_mut(&collection) {
                        kept.replace(&id, before);
                    }
                }
                Undo::Define { name, before: None } => {
                    self.kept.remove(&name);
                }
                Undo::Define { name, before: Some(collection) } => {
                    if let Some(kept) = self.kept.get_mut(&name) {
                        kept.define(collection);
                    }
                }
                Undo::Drop { name, before } => {
                    self.kept.insert(name, before);
                }
            }
        }
    }

    /// Makes a change, if it is one of documents or collections.
    fn change(&mut self, change: &Change) -> Option<Result<bool, Conflict>> {
        match change {
            Change::Collection(collection) => Some(self.define(collection)),
            Change::RemoveCollection(name) => Some(Ok(self.remove(name))),
            Change::Documents(changes) => Some(self.change_all(changes)),
            _ => None,
        }
    }

    fn define(&mut self, collection: &Collection) -> Result<bool, Conflict> {
        let name: Box<str> = collection.name.as_str().into();
        let Some(kept) = self.kept.get_mut(&name) else {
            self.kept.insert(name.clone(), Kept::new(collection.clone()));
            self.undo.push(Undo::Define { name, before: None });
            return Ok(true);
        };
        if kept.collection == *collection {
            return Ok(false);
        }
        let before = kept.define(collection.clone());
        let doubled = kept.doubled().map(|index| Why::NotUnique { index: index.into() });
        self.undo.push(Undo::Define { name, before: Some(before) });
        match doubled {
            Some(why) => Err(Conflict { change: 0, why }),
            None => Ok(true),
        }
    }

    fn remove(&mut self, name: &str) -> bool {
        let Some((name, before)) = self.kept.remove_entry(name) else { return false };
        self.undo.push(Undo::Drop { name, before });
        true
    }

    fn change_all(&mut self, changes: &[DocumentChange]) -> Result<bool, Conflict> {
        let mut changed = false;
        for (place, change) in changes.iter().enumerate() {
            let made = self.change_one(change).map_err(|why| Conflict { change: place, why })?;
            changed |= made;
        }
        Ok(changed)
    }

    fn change_one(&mut self, change: &DocumentChange) -> Result<bool, Why> {
        let kept = self.kept.get_mut(&*change.collection).ok_or(Why::NoCollection)?;
        kept.expect(change)?;
        let row = match &change.effect {
            Effect::Keep => return Ok(false),
            Effect::Remove if !kept.rows.contains_key(&change.id) => return Ok(false),
            Effect::Remove => None,
            Effect::Put(document) => {
                let row = Row::new(Arc::clone(document));
                kept.check_unique(&change.id, &row)?;
                Some(row)
            }
        };
        let before = kept.replace(&change.id, row);
        let (collection, id) = (Box::from(&*change.collection), change.id.clone());
        self.undo.push(Undo::Row { collection, id, before });
        Ok(true)
    }
}

impl Kept {
    fn new(collection: Collection) -> Self {
        let unique = unique(&collection);
        Self { collection, rows: BTreeMap::new(), unique }
    }

    /// A document.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    /// All documents, by id.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// Puts another definition in place of the one that is there.
    fn define(&mut self, collection: Collection) -> Collection {
        self.unique = unique(&collection);
        for (id, row) in &self.rows {
            for unique in &mut self.unique {
                unique.take(id, row);
            }
        }
        std::mem::replace(&mut self.collection, collection)
    }

    /// The first unique index that has two documents of the same values.
    fn doubled(&self) -> Option<&str> {
        let doubled = self.unique.iter().find(|unique| {
            let keys = self.rows.values().filter(|row| unique.key(row).is_some());
            keys.count() > unique.holders.len()
        });
        doubled.map(|unique| unique.index.name.as_str())
    }

    fn expect(&self, change: &DocumentChange) -> Result<(), Why> {
        match (change.expect, self.rows.get(&change.id)) {
            (Expect::Anything, _) | (Expect::Absent, None) => Ok(()),
            (Expect::Absent, Some(_)) => Err(Why::Exists),
            (Expect::Revision(_), None) => Err(Why::Missing),
            (Expect::Revision(wanted), Some(row)) if row.document.revision != wanted => {
                Err(Why::Changed)
            }
            (Expect::Revision(_), Some(_)) => Ok(()),
        }
    }

    fn check_unique(&self, id: &str, row: &Row) -> Result<(), Why> {
        let taken = self.unique.iter().find(|unique| {
            let holder = unique.key(row).and_then(|key| unique.holders.get(&key));
            holder.is_some_and(|holder| &**holder != id)
        });
        match taken {
            Some(unique) => Err(Why::NotUnique { index: unique.index.name.as_str().into() }),
            None => Ok(()),
        }
    }

    fn replace(&mut self, id: &str, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(id);
        for unique in &mut self.unique {
            if let Some(key) = before.as_ref().and_then(|row| unique.key(row)) {
                unique.holders.remove(&key);
            }
            if let Some(row) = &row {
                unique.take(id, row);
            }
        }
        if let Some(row) = row {
            self.rows.insert(id.into(), row);
        }
        before
    }
}

fn unique(collection: &Collection) -> Vec<Unique> {
    let indexes = collection.indexes.iter().filter(|index| index.unique).cloned();
    indexes.map(|index| Unique { index, holders: BTreeMap::new() }).collect()
}

impl Unique {
    /// The values of a document, unless one is missing.
    fn key(&self, row: &Row) -> Option<Vec<FieldValue<'static>>> {
        let values = self.index.fields.iter().map(|path| row.fields().value(path).into_owned());
        let key: Vec<_> = values.collect();
        (!key.contains(&FieldValue::Null)).then_some(key)
    }

    fn take(&mut self, id: &str, row: &Row) {
        if let Some(key) = self.key(row) {
            self.holders.insert(key, id.into());
        }
    }
}

impl Row {
    fn new(document: Arc<Document>) -> Self {
        // What is no object has no fields, which is how any other store reads it as well.
        let body = serde_json::from_slice(&document.body).unwrap_or_default();
        Self { document, body }
    }

    /// Its fields.
    pub fn fields(&self) -> Fields<'_> {
        Fields { document: &self.document, body: &self.body }
    }
}

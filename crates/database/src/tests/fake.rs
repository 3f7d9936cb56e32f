//! A journal and documents in memory, with others who come between.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use evoke_document::{Collection, Condition, Document, Fields, Query};
use evoke_model::{Code, Data, Event, EventId, IdSource, Rejection, Timestamp};
use evoke_ports::store::{
    Conflict, DocumentChange, Documents, Effect, Error, EventQuery, Events, Expect, Page, Why,
};
use evoke_ports::{Agreed, Asked, Journal, News, Unkept};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{Database, OldEvents, Parts, Unknown};

/// What somebody says of news: no, or another document.
pub type Hook = Arc<dyn Fn(&str, &Value) -> Result<Option<Value>, Rejection> + Send + Sync>;

/// Somebody who comes between: gets how many commits there were.
pub type Between = Arc<dyn Fn(&World, usize) + Send + Sync>;

/// Everything in one place.
pub struct World {
    ids: IdSource,
    collections: Mutex<BTreeMap<String, Collection>>,
    pub documents: Mutex<BTreeMap<(String, String), Arc<Document>>>,
    pub log: Mutex<Vec<Arc<Event>>>,
    /// What left the log.
    pub archive: Mutex<Vec<Arc<Event>>>,
    /// Since when nothing was forgotten.
    pub kept_since: Mutex<Timestamp>,
    /// Commits that are tried, the refused ones included.
    pub commits: Mutex<usize>,
    pub hook: Mutex<Option<Hook>>,
    /// Called before each commit.
    pub between: Mutex<Option<Between>>,
    /// Commits under way: each takes a place.
    pub places: Semaphore,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            ids: IdSource::new(1, 0),
            collections: Mutex::default(),
            documents: Mutex::default(),
            log: Mutex::default(),
            archive: Mutex::default(),
            kept_since: Mutex::default(),
            commits: Mutex::default(),
            hook: Mutex::default(),
            between: Mutex::default(),
            places: Semaphore::new(1_000),
        })
    }

    pub async fn open(self: &Arc<Self>, unknown: Unknown) -> Database {
        let parts = Parts {
            journal: self.clone(),
            documents: self.clone(),
            events: self.clone(),
            archive: Arc::new(Archive(self.clone())),
            unknown,
        };
        Database::open(parts).await.unwrap()
    }

    fn id(&self) -> EventId {
        self.ids.event(NOW)
    }

    /// Changes a document behind everybody's back.
    pub fn touch(&self, collection: &str, id: &str, body: &str) {
        let document = Document {
            id: id.into(),
            revision: self.id().as_u64(),
            created_at: NOW,
            updated_at: NOW,
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        };
        let key = (collection.to_owned(), id.to_owned());
        self.documents.lock().insert(key, Arc::new(document));
    }

    /// The types of what is in the log, oldest first.
    pub fn told(&self) -> Vec<String> {
        let mut log = self.log.lock().clone();
        log.sort_by_key(|event| event.id);
        log.iter().map(|event| event.kind.to_string()).collect()
    }

    /// Why a change cannot be made.
    fn against(&self, change: &DocumentChange) -> Option<Why> {
        let collections = self.collections.lock();
        let Some(collection) = collections.get(&*change.collection) else {
            return Some(Why::NoCollection);
        };
        let documents = self.documents.lock();
        let there = documents.get(&(change.collection.to_string(), change.id.to_string()));
        match (change.expect, there) {
            (Expect::Absent, Some(_)) => return Some(Why::Exists),
            (Expect::Revision(_), None) => return Some(Why::Missing),
            (Expect::Revision(revision), Some(there)) if there.revision != revision => {
                return Some(Why::Changed);
            }
            _ => {}
        }
        let Effect::Put(new) = &change.effect else { return None };
        let new_fields = new.fields().unwrap();
        let index = collection.indexes.iter().filter(|index| index.unique).find(|index| {
            documents.iter().any(|((name, id), other)| {
                let other_fields = other.fields().unwrap();
                let new = Fields { document: new, body: &new_fields };
                let other = Fields { document: other, body: &other_fields };
                **name == *change.collection
                    && **id != *change.id
                    && index.fields.iter().all(|field| {
                        new.json(field).is_some() && new.json(field) == other.json(field)
                    })
            })
        });
        index.map(|index| Why::NotUnique { index: index.name.as_str().into() })
    }
}

pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

#[async_trait]
impl Journal for World {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn fresh_id(&self) -> EventId {
        self.id()
    }

    async fn ask(&self, news: News) -> Result<Agreed, Rejection> {
        let News { kind, source, subject, mut data, revise, .. } = news;
        let id = self.id();
        let hook = self.hook.lock().clone();
        let given = match hook {
            Some(hook) => hook(&kind, &data)?,
            None => None,
        };
        let mut revised = None;
        if let (Some(given), Some(revise)) = (given, revise) {
            data = revise(&data, given)
                .map_err(|problems| Rejection::of(Code::HookFailed, problems))?;
            revised = Some(data.clone());
        }
        let event = Event {
            id,
            sender_id: None,
            source,
            kind,
            subject,
            time: NOW,
            content_type: None,
            data_schema: None,
            data: Data::from_value(&data),
            extensions: None,
            lineage: None,
            traceparent: None,
            ordering_key: None,
            due: None,
            is_test_run: false,
            replay_of: None,
        };
        Ok(Agreed { event: Arc::new(event), hooks: Asked::default(), revised })
    }

    async fn commit(
        &self,
        changes: Vec<DocumentChange>,
        agreed: Vec<Agreed>,
    ) -> Result<(), Unkept> {
        let count = {
            let mut commits = self.commits.lock();
            *commits += 1;
            *commits
        };
        let _place = self.places.acquire().await.unwrap();
        let between = self.between.lock().clone();
        if let Some(between) = between {
            between(self, count);
        }
        let against = changes.iter().enumerate().filter_map(|(place, change)| {
            self.against(change).map(|why| Conflict { change: place, why })
        });
        let against: Vec<Conflict> = against.collect();
        if !against.is_empty() {
            return Err(Unkept::Conflict(against));
        }
        let mut documents = self.documents.lock();
        for change in changes {
            let key = (change.collection.to_string(), change.id.to_string());
            match change.effect {
                Effect::Put(document) => drop(documents.insert(key, document)),
                Effect::Remove => drop(documents.remove(&key)),
                Effect::Keep => {}
            }
        }
        self.log.lock().extend(agreed.into_iter().map(|agreed| agreed.event));
        Ok(())
    }

    async fn define(&self, collection: Collection) -> Result<(), Unkept> {
        self.collections.lock().insert(collection.name.clone(), collection);
        Ok(())
    }

    async fn drop_collection(&self, name: &str) -> Result<(), Unkept> {
        self.collections.lock().remove(name);
        self.documents.lock().retain(|(collection, _), _| collection != name);
        Ok(())
    }
}

#[async_trait]
impl Documents for World {
    async fn collections(&self) -> Result<Vec<Collection>, Error> {
        Ok(self.collections.lock().values().cloned().collect())
    }

    async fn document(&self, collection: &str, id: &str) -> Result<Option<Arc<Document>>, Error> {
        let key = (collection.to_owned(), id.to_owned());
        Ok(self.documents.lock().get(&key).cloned())
    }

    async fn find(&self, collection: &str, query: Query) -> Result<Page<Arc<Document>>, Error> {
        let after = query.cursor.clone().unwrap_or_default();
        let documents = self.documents.lock();
        let mut found = documents.iter().filter(|((name, id), document)| {
            let fields = document.fields().unwrap();
            let fields = Fields { document, body: &fields };
            name == collection && *id > after && query.holds(fields)
        });
        let items: Vec<_> =
            found.by_ref().take(query.limit as usize).map(|(_, one)| one.clone()).collect();
        let next = found.next().and(items.last()).map(|last| last.id.to_string());
        Ok(Page { items, next })
    }

    async fn count(&self, collection: &str, filter: Vec<Condition>) -> Result<u64, Error> {
        let query = Query { filter, limit: 1_000, ..Query::default() };
        Ok(self.find(collection, query).await?.items.len() as u64)
    }

    async fn plan(&self, _: &str, _: Query) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Events for World {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error> {
        Ok(self.log.lock().iter().find(|event| event.id == id).cloned())
    }

    async fn by_key(&self, _: &str) -> Result<Option<EventId>, Error> {
        Ok(None)
    }

    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Error> {
        Ok(page(&self.log, query))
    }

    async fn newest(&self) -> Result<u64, Error> {
        Ok(0)
    }
}

/// What left the log.
struct Archive(Arc<World>);

#[async_trait]
impl OldEvents for Archive {
    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Rejection> {
        Ok(page(&self.0.archive, query))
    }

    async fn kept_since(&self, _: &str) -> Result<Timestamp, Rejection> {
        Ok(*self.0.kept_since.lock())
    }
}

/// Two at a time, so that pages are really turned.
fn page(log: &Mutex<Vec<Arc<Event>>>, query: EventQuery) -> Page<Arc<Event>> {
    let after = query.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0_u64);
    let prefix = query.kind.unwrap_or_default().trim_end_matches('*').to_owned();
    let mut log = log.lock().clone();
    log.sort_by_key(|event| event.id);
    log.retain(|event| event.id.as_u64() > after && event.kind.starts_with(&prefix));
    let next = log.get(2).map(|_| log[1].id.as_u64().to_string());
    log.truncate(2);
    Page { items: log, next }
}

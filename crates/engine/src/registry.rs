//! The functions that can be called at this moment. Made before the engine, because the target that
//! runs functions needs it too.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use evoke_model::{Code, Failure, suggest};
use evoke_ports::Functions;
use evoke_ports::runtime::{DeployError, Deployed};
use parking_lot::Mutex;

/// What there is under a name.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    /// The last version that worked.
    pub(crate) deployed: Option<Deployed>,
    /// Why the last deployment did not work, if it did not.
    pub(crate) error: Option<DeployError>,
}

/// The functions that can be called, by name. Reading takes no lock.
#[derive(Default)]
pub struct Registry {
    entries: ArcSwap<HashMap<String, Entry>>,
    change: Mutex<()>,
}

impl Registry {
    /// A registry without functions.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn update(&self, apply: impl FnOnce(&mut HashMap<String, Entry>)) {
        let _one_at_a_time = self.change.lock();
        let mut entries = HashMap::clone(&self.entries.load());
        apply(&mut entries);
        self.entries.store(Arc::new(entries));
    }

    /// Puts a version in place and gives back the one it replaces.
    pub(crate) fn swap(&self, name: &str, deployed: Deployed) -> Option<Deployed> {
        let mut old = None;
        self.update(|entries| {
            let entry = Entry { deployed: Some(deployed), error: None };
            old = entries.insert(name.to_owned(), entry).and_then(|entry| entry.deployed);
        });
        old
    }

    /// Notes that a deployment failed; what worked before keeps working.
    pub(crate) fn failed(&self, name: &str, error: DeployError) {
        self.update(|entries| entries.entry(name.to_owned()).or_default().error = Some(error));
    }

    /// Takes a function away.
    pub(crate) fn remove(&self, name: &str) -> Option<Deployed> {
        let mut old = None;
        self.update(|entries| old = entries.remove(name).and_then(|entry| entry.deployed));
        old
    }

    /// What there is under a name.
    pub(crate) fn entry(&self, name: &str) -> Option<Entry> {
        self.entries.load().get(name).cloned()
    }

    /// All that can be called.
    pub(crate) fn all(&self) -> Vec<Deployed> {
        self.entries.load().values().filter_map(|entry| entry.deployed.clone()).collect()
    }
}

impl Functions for Registry {
    fn current(&self, name: &str) -> Result<Deployed, Failure> {
        let entries = self.entries.load();
        match entries.get(name) {
            Some(Entry { deployed: Some(deployed), .. }) => Ok(deployed.clone()),
            Some(Entry { error: Some(error), .. }) => Err(Failure {
                stack: error.stack.clone(),
                ..Failure::new(error.code, error.message.clone())
            }),
            _ => Err(Failure::new(
                Code::FunctionNotFound,
                match suggest::nearest(name, entries.keys().map(String::as_str)) {
                    Some(known) => {
                        format!("there is no function {name:?}, did you mean {known:?}?")
                    }
                    None => format!("there is no function {name:?}"),
                },
            )),
        }
    }
}

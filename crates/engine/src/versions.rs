//! Versions that are not current. The last ones of each function are kept: their records with the
//! function's, their code with the runtime. One that is asked for is opened in a pool of its own,
//! which ends when nobody has called it for a while.
//!
//! Reading order: this file (opening), [`rollback`], [`prune`].

mod prune;
mod rollback;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use evoke_model::function::{FunctionRecord, VersionRecord};
use evoke_model::{
    Code, Failure, FunctionId, FunctionVersion, Millis, Redirect, Scaling, Timestamp, suggest,
};
use evoke_ports::runtime::{DeployError, Deployed};
use evoke_ports::{Clock, Functions};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub use rollback::VersionView;

use crate::start::Inner;

/// A version by its function and its number. One that takes the name of a function that was removed
/// begins to count anew, so a name would not do.
type Name = (FunctionId, u32);

/// The old versions that are open.
pub(crate) struct Versions {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<Name, Arc<Slot>>>,
    /// Versions that were replaced and still have calls under way, by their hashes.
    draining: Mutex<Vec<(Box<str>, String)>>,
    stop: CancellationToken,
}

/// A place for the workers of a version.
struct Slot {
    /// The name of the function and the hash of the code.
    code: (Box<str>, String),
    /// Opened by the first who comes; the others wait for that.
    deployed: tokio::sync::Mutex<Option<Deployed>>,
    /// Who calls it now, or waits for it to be opened.
    users: AtomicUsize,
    /// When the last of them left, in microseconds.
    left_at: AtomicI64,
    /// Its function was removed: it is opened no more.
    is_over: AtomicBool,
}

/// A version to be called for as long as this is held.
pub(crate) struct Lent {
    /// The version with its workers.
    pub(crate) deployed: Deployed,
    /// `None` where it is the current one.
    _stay: Option<Stay>,
}

/// Keeps the workers of an old version from ending.
struct Stay {
    slot: Arc<Slot>,
    clock: Arc<dyn Clock>,
}

/// Keeps the code of a replaced version from being removed.
pub(crate) struct Draining {
    versions: Arc<Versions>,
    own: (Box<str>, String),
}

impl Versions {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            slots: Mutex::default(),
            draining: Mutex::default(),
            stop: CancellationToken::new(),
        })
    }

    fn stay(&self, name: Name, code: (&str, &str)) -> (Stay, Arrival) {
        let mut slots = self.slots.lock();
        let arrival = if slots.contains_key(&name) { Arrival::Later } else { Arrival::First };
        let slot = slots.entry(name).or_insert_with(|| {
            let left_at = AtomicI64::new(self.clock.now().as_micros());
            Arc::new(Slot {
                code: (code.0.into(), code.1.to_owned()),
                deployed: Default::default(),
                users: AtomicUsize::new(0),
                left_at,
                is_over: AtomicBool::new(false),
            })
        });
        // Counted under the lock, so that a slot somebody has just found is not taken away.
        slot.users.fetch_add(1, Ordering::AcqRel);
        (Stay { slot: slot.clone(), clock: self.clock.clone() }, arrival)
    }

    /// Ends the workers of a version when nobody has called it for a while.
    async fn watch(self: Arc<Self>, name: Name, idle: Millis) {
        loop {
            let Some(slot) = self.slots.lock().get(&name).cloned() else { return };
            let left_at = Timestamp::from_micros(slot.left_at.load(Ordering::Acquire));
            let now = self.clock.now();
            let is_used = slot.users.load(Ordering::Acquire) > 0;
            let until = if is_used { now.plus(idle) } else { left_at.plus(idle) };
            if until <= now && self.take(&name) {
                let open = slot.deployed.lock().await.take();
                if let Some(deployed) = open {
                    deployed.pool.drain(Millis::ZERO).await;
                }
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.clock.sleep_until(until.max(now.plus(Millis::new(1)))) => {}
            }
        }
    }

    /// Takes a slot away that nobody uses.
    fn take(&self, name: &Name) -> bool {
        let mut slots = self.slots.lock();
        let is_free = slots.get(name).is_some_and(|slot| slot.users.load(Ordering::Acquire) == 0);
        is_free && slots.remove(name).is_some()
    }

    /// Takes the old versions of a function away that was removed. Gives those that are open: calls
    /// may be under way.
    pub(crate) async fn remove(&self, function: FunctionId) -> Vec<Deployed> {
        let own = |name: &Name, _: &mut Arc<Slot>| name.0 == function;
        let slots: Vec<_> = self.slots.lock().extract_if(own).map(|(_, slot)| slot).collect();
        let mut open = Vec::with_capacity(slots.len());
        for slot in slots {
            slot.is_over.store(true, Ordering::Release);
            open.extend(slot.deployed.lock().await.take());
        }
        open
    }

    /// The hashes of the code that old versions of a function run, or finish running.
    fn hashes(&self, function: &str) -> Vec<String> {
        let own = |code: &(Box<str>, String)| (*code.0 == *function).then(|| code.1.clone());
        let mut hashes: Vec<_> = self.draining.lock().iter().filter_map(own).collect();
        hashes.extend(self.slots.lock().values().filter_map(|slot| own(&slot.code)));
        hashes
    }

    /// The old versions that are open.
    pub(crate) async fn open(&self) -> Vec<Deployed> {
        let slots: Vec<_> = self.slots.lock().values().cloned().collect();
        let mut open = Vec::with_capacity(slots.len());
        for slot in slots {
            open.extend(slot.deployed.lock().await.clone());
        }
        open
    }

    /// Ends all workers.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        for deployed in self.open().await {
            deployed.pool.drain(Millis::ZERO).await;
        }
    }

    /// Keeps the code of a version that is replaced until its calls are over.
    pub(crate) fn draining(self: &Arc<Self>, old: &Deployed) -> Draining {
        let own = (old.version.spec.name.as_str().into(), old.version.hash.clone());
        self.draining.lock().push(own.clone());
        Draining { versions: self.clone(), own }
    }
}

/// Whether a slot was there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    First,
    Later,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.slot.left_at.store(self.clock.now().as_micros(), Ordering::Release);
        self.slot.users.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let mut draining = self.versions.draining.lock();
        if let Some(at) = draining.iter().position(|own| *own == self.own) {
            draining.swap_remove(at);
        }
    }
}

impl Inner {
    /// A version of a function, opened if it is not.
    ///
    /// # Errors
    /// FN_001 for good when it is not kept; why it cannot be opened.
    pub(crate) async fn version(&self, redirect: &Redirect) -> Result<Lent, Failure> {
        let function = &*redirect.function;
        let current = self.registry.current(function);
        let is_meant = |own: &Deployed| redirect.version.is_none_or(|n| n == own.version.number);
        if redirect.version.is_none() || current.as_ref().is_ok_and(is_meant) {
            return Ok(Lent { deployed: current?, _stay: None });
        }
        let number = redirect.version.unwrap_or_default();
        let record = self.catalog.load().functions.get(function).cloned();
        let kept = record.as_ref().and_then(|record| Some((record, record.kept(number)?)));
        let (record, version) = kept.ok_or_else(|| {
            let message = self.not_kept(function, number);
            Failure::new(Code::FunctionNotFound, message).for_good()
        })?;
        let name = (record.id, number);
        let (stay, arrival) = self.versions.stay(name, (function, &version.hash));
        if arrival == Arrival::First {
            let idle = self.settings.version_idle;
            self.tasks.spawn(self.versions.clone().watch(name, idle));
        }
        let mut deployed = stay.slot.deployed.lock().await;
        let open = match &*deployed {
            Some(open) => open.clone(),
            None if stay.slot.is_over.load(Ordering::Acquire) => {
                let message = format!("there is no function {function:?} any more");
                return Err(Failure::new(Code::FunctionNotFound, message).for_good());
            }
            None => {
                // Called now and then, it needs no workers that wait for it.
                let scaling = Scaling { min_instances: 0, ..version.spec.scaling.clone() };
                let opened = self.open_kept(record, version, scaling).await;
                let opened = opened.map_err(|error| failure(function, number, error))?;
                deployed.insert(opened).clone()
            }
        };
        drop(deployed);
        Ok(Lent { deployed: open, _stay: Some(stay) })
    }

    /// Makes a kept version ready.
    pub(crate) async fn open_kept(
        &self,
        record: &FunctionRecord,
        kept: &VersionRecord,
        scaling: Scaling,
    ) -> Result<Deployed, DeployError> {
        let runtime = self.runtime(&kept.spec.runtime)?.clone();
        let environment = self.settings.fill.fill(&kept.spec.environment)?;
        let mut spec = kept.spec.clone();
        spec.scaling = scaling;
        let version = Arc::new(FunctionVersion {
            function: record.id,
            number: kept.number,
            spec,
            environment,
            code: record.code.clone(),
            hash: kept.hash.clone(),
            created_at: kept.created_at,
        });
        let host = self.host(&record.spec.name);
        let pool = runtime.reopen(version.clone(), host).await?;
        Ok(Deployed { version, pool })
    }

    /// What is said of a version that cannot be run.
    pub(crate) fn not_kept(&self, function: &str, number: u32) -> String {
        let snapshot = self.catalog.load();
        match snapshot.functions.get(function) {
            Some(record) => {
                let kept = numbers(&record.versions);
                format!("version {number} of function {function:?} is not kept; {kept}")
            }
            None => {
                let known = snapshot.functions.keys().map(String::as_str);
                let hint = suggest::nearest(function, known)
                    .map(|name| format!(", did you mean {name:?}?"))
                    .unwrap_or_default();
                format!("there is no function {function:?}{hint}")
            }
        }
    }
}

/// Says which versions are kept: `kept are 3, 5, 6`.
fn numbers(versions: &[VersionRecord]) -> String {
    let numbers: Vec<_> = versions.iter().map(|version| version.number.to_string()).collect();
    match numbers.as_slice() {
        [] => "none is".to_owned(),
        [only] => format!("kept is {only}"),
        all => format!("kept are {}", all.join(", ")),
    }
}

fn failure(function: &str, number: u32, error: DeployError) -> Failure {
    let DeployError { code, message, stack, .. } = error;
    let message = format!("version {number} of {function} cannot be opened: {message}");
    Failure { stack, ..Failure::new(code, message) }
}

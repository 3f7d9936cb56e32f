//! Functions: a deployment opens a new version beside the old one, swaps them and lets the old one
//! finish. A deployment that fails changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use evoke_model::function::{FunctionRecord, VersionRecord};
use evoke_model::trigger::Owner;
use evoke_model::{
    Code, FunctionSpec, FunctionVersion, Millis, Policy, Problem, Rejection, Target, Trigger,
    suggest,
};
use evoke_ports::runtime::{DeployError, Deployed, Found, Host};
use evoke_ports::store::{Change, Write};
use evoke_ports::{PoolStatus, Runtime};
use serde_json::Value;

use crate::feed::Notice;
use crate::logs::Stray;
use crate::start::{Engine, Inner};
use crate::triggers::{Declared, Made, NewTrigger};

/// How long calls of a replaced version may still take: the longest timeout a manifest allows.
const DRAIN_GRACE: Millis = Millis::from_secs(15 * 60);

/// A version to be deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// What the manifest says.
    pub spec: FunctionSpec,
    /// Where the code lies.
    pub code: PathBuf,
    /// SHA-256 over code and manifest.
    pub hash: String,
    /// The environment with references filled in.
    pub environment: BTreeMap<String, String>,
    /// Its triggers; their targets are this function.
    pub triggers: Vec<Declared>,
}

/// A function as it is now.
#[derive(Clone, Debug)]
pub struct FunctionView {
    /// What is stored.
    pub record: FunctionRecord,
    /// Its workers.
    pub status: Option<PoolStatus>,
    /// Why the last deployment failed, if it did.
    pub error: Option<DeployError>,
    /// Its triggers.
    pub triggers: Vec<Arc<Trigger>>,
}

impl Engine {
    /// All functions, by name.
    pub fn functions(&self) -> Vec<FunctionView> {
        let snapshot = self.inner.catalog.load();
        let mut records: Vec<_> = snapshot.functions.values().cloned().collect();
        records.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        records.into_iter().map(|record| self.view(record)).collect()
    }

    /// One function, by name or id.
    ///
    /// # Errors
    /// FN_001.
    pub fn function(&self, name_or_id: &str) -> Result<FunctionView, Rejection> {
        let snapshot = self.inner.catalog.load();
        let found = snapshot.functions.get(name_or_id).or_else(|| {
            snapshot.functions.values().find(|record| record.id.to_string() == name_or_id)
        });
        match found {
            Some(record) => Ok(self.view(record.clone())),
            None => {
                let names = snapshot.functions.keys().map(String::as_str);
                let hint = suggest::nearest(name_or_id, names)
                    .map(|name| format!(", did you mean {name:?}?"))
                    .unwrap_or_default();
                let message = format!("there is no function {name_or_id:?}{hint}");
                Err(Rejection::new(Code::FunctionNotFound, message))
            }
        }
    }

    fn view(&self, record: FunctionRecord) -> FunctionView {
        let entry = self.inner.registry.entry(&record.spec.name).unwrap_or_default();
        let snapshot = self.inner.catalog.load();
        let mut triggers: Vec<_> = snapshot
            .triggers
            .values()
            .filter(|trigger| trigger.deleted_at.is_none())
            .filter(|trigger| trigger.target.function_name() == Some(&record.spec.name))
            .cloned()
            .collect();
        triggers.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        FunctionView {
            record,
            status: entry.deployed.map(|deployed| deployed.pool.status()),
            error: entry.error,
            triggers,
        }
    }

    /// Deploys a version: its workers are started and its handler is loaded before anything
    /// changes; then it takes all new calls, and those under way end on the old version. Where that
    /// fails and nothing ran before, its hooks are there nonetheless, and asked in vain.
    ///
    /// # Errors
    /// FN_005 when its code cannot be loaded or installed, FN_006 when its manifest is at fault.
    pub async fn deploy(&self, deployment: Deployment) -> Result<FunctionView, DeployError> {
        let name = deployment.spec.name.clone();
        let wished = deployment.clone();
        let result = self.inner.deploy(deployment).await;
        let function: Arc<str> = name.as_str().into();
        match result {
            Ok(record) => {
                let version = Some(record.version);
                self.inner.prune(&name);
                self.inner.feed.tell(|| Notice::Deployed { function, version, error: None });
                Ok(self.view(record))
            }
            Err(error) => {
                self.inner.registry.failed(&name, error.clone());
                self.inner.note_broken(&wished).await;
                self.inner.restore(&name).await;
                self.inner.feed.tell(|| Notice::Deployed {
                    function,
                    version: None,
                    error: Some(error.to_string().into()),
                });
                Err(error)
            }
        }
    }

    /// Takes a function and its triggers away. What runs may finish, what waits is cancelled. One
    /// that is being deployed is taken away after that.
    ///
    /// # Errors
    /// FN_001.
    pub async fn remove_function(&self, name: &str) -> Result<(), Rejection> {
        let inner = &self.inner;
        let name = self.function(name)?.record.spec.name;
        // Whoever makes a version of it, or forgets one, would write it back.
        let _turn = inner.deployments.of(&name).await;
        let gate = inner.catalog.gate.lock().await;
        let view = self.function(&name)?;
        for trigger in &view.triggers {
            if matches!(&trigger.owner, Owner::Manifest(own) | Owner::Function(own) if *own == name)
            {
                inner.delete(trigger).await?;
            }
        }
        let id = view.record.id;
        let record = FunctionRecord { deleted_at: Some(inner.clock.now()), ..view.record };
        inner.committer.change(Write::from(Change::Function(record))).await?;
        let snapshot = inner.catalog.load();
        let mut functions = snapshot.functions.clone();
        functions.remove(&name);
        inner.catalog.replace(snapshot.triggers.clone(), functions);
        drop(gate);
        let current = inner.registry.remove(&name);
        for old in inner.versions.remove(id).await.into_iter().chain(current) {
            inner.retire(old);
        }
        inner.prune(&name);
        Ok(())
    }

    /// What this machine has for each runtime.
    pub async fn probe(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for runtime in &self.inner.runtimes {
            found.extend(runtime.probe().await);
        }
        found
    }
}

impl Inner {
    pub(crate) fn runtime(&self, name: &str) -> Result<&Arc<dyn Runtime>, DeployError> {
        let named = |runtime: &&Arc<dyn Runtime>| runtime.names().contains(&name);
        self.runtimes.iter().find(named).ok_or_else(|| {
            let known: Vec<_> =
                self.runtimes.iter().flat_map(|runtime| runtime.names().iter().copied()).collect();
            let problem = Problem::new("runtime", format!("there is no runtime {name:?}"))
                .suggest(suggest::did_you_mean(name, known));
            DeployError {
                code: Code::InvalidConfiguration,
                message: problem.to_string(),
                stack: None,
                problems: vec![problem],
            }
        })
    }

    async fn deploy(
        self: &Arc<Self>,
        deployment: Deployment,
    ) -> Result<FunctionRecord, DeployError> {
        let runtime = self.runtime(&deployment.spec.runtime)?.clone();
        let name = deployment.spec.name.clone();
        // One deployment of a function at a time, so that versions are numbered in order.
        let _turn = self.deployments.of(&name).await;
        let old = self.catalog.load().functions.get(&name).cloned();
        let (Deployed { version, pool }, record) = match old {
            Some(old) if old.rolled_back.as_ref() == Some(&deployment.hash) => {
                (self.rolled_back(&old).await?, old)
            }
            old => {
                let (version, record) = self.next_version(&deployment, old);
                let pool = runtime.open(version.clone(), self.host(&name)).await?;
                (Deployed { version, pool }, record)
            }
        };
        let result = self.activate(deployment.triggers, &record).await;
        if let Err(rejection) = result {
            let current = self.registry.entry(&name).and_then(|entry| entry.deployed);
            if current.is_none_or(|current| !Arc::ptr_eq(&current.pool, &pool)) {
                pool.drain(Millis::ZERO).await;
            }
            return Err(DeployError {
                code: Code::InvalidConfiguration,
                message: rejection.message,
                stack: None,
                problems: rejection.problems,
            });
        }
        self.take_over(Deployed { version, pool });
        Ok(record)
    }

    /// The current version of a function that was rolled back from what its folder holds.
    async fn rolled_back(&self, record: &FunctionRecord) -> Result<Deployed, DeployError> {
        let name = &record.spec.name;
        if let Some(current) = self.registry.entry(name).and_then(|entry| entry.deployed)
            && current.version.number == record.version
        {
            return Ok(current);
        }
        let kept = record.kept(record.version).ok_or_else(|| {
            let message = self.not_kept(name, record.version);
            DeployError { code: Code::DeploymentFailed, message, stack: None, problems: Vec::new() }
        })?;
        self.open_kept(record, kept, kept.spec.scaling.clone()).await
    }

    /// Has a version take all new calls; those under way end on the one before.
    pub(crate) fn take_over(self: &Arc<Self>, new: Deployed) {
        let (name, pool) = (new.version.spec.name.clone(), new.pool.clone());
        let old = self.registry.swap(&name, new);
        if let Some(old) = old.filter(|old| !Arc::ptr_eq(&old.pool, &pool)) {
            self.retire(old);
        }
        self.dispatcher.wake_function(&name);
    }

    /// Has a version work whose function is marked as broken, and stays so.
    pub(crate) fn put_back(self: &Arc<Self>, deployed: Deployed) {
        let name = deployed.version.spec.name.clone();
        let error = self.registry.entry(&name).and_then(|entry| entry.error);
        self.take_over(deployed);
        if let Some(error) = error {
            self.registry.failed(&name, error);
        }
    }

    /// Ends a version when its calls are over.
    fn retire(self: &Arc<Self>, old: Deployed) {
        let draining = self.versions.draining(&old);
        let inner = self.clone();
        self.tasks.spawn(async move {
            old.pool.drain(DRAIN_GRACE).await;
            drop(draining);
            let (name, number) = (&old.version.spec.name, old.version.number);
            let is_kept = |record: &FunctionRecord| record.kept(number).is_some();
            if !inner.catalog.load().functions.get(name).is_some_and(is_kept) {
                inner.prune(name);
            }
        });
    }

    /// Lists a function that never worked, as version 0, so that people see why. Its hooks are put
    /// to work all the same: what they guard is not open because they are broken.
    async fn note_broken(&self, wished: &Deployment) {
        let _gate = self.catalog.gate.lock().await;
        let name = &wished.spec.name;
        let known = self.catalog.load().functions.get(name).cloned();
        if known.as_ref().is_some_and(|record| record.version > 0) {
            return;
        }
        let (_, record) = self.next_version(wished, known);
        let record = FunctionRecord { version: 0, versions: Vec::new(), ..record };
        if let Err(rejection) = self.declare_hooks(&wished.triggers, &record).await {
            tracing::error!(function = %name, "The hooks of {name} do not work: {rejection}");
            self.enter_function(record);
        }
    }

    /// Puts the hooks of a function to work that has no version. Called with the gate held.
    async fn declare_hooks(
        &self,
        wished: &[Declared],
        record: &FunctionRecord,
    ) -> Result<(), Rejection> {
        let owned = self.owned(&record.spec.name);
        let owner = Owner::Manifest(record.spec.name.clone());
        let is_hook =
            |wished: &&Declared| self.catalog.is_hook(&wished.new.kind, &wished.new.policy);
        let mut made = Vec::new();
        for declared in wished.iter().filter(is_hook).cloned() {
            let old = owned.iter().find(|old| old.owner == owner && old.name == declared.new.name);
            let hook = self.make(declared, owner.clone(), old.map(Arc::as_ref))?;
            made.push((old.cloned(), hook));
        }
        if made.is_empty() && owned.is_empty() {
            // It is not stored: there is nothing to come back to.
            self.enter_function(record.clone());
            return Ok(());
        }
        self.store_function(record, owned, made).await
    }

    /// The triggers that go with a function.
    fn owned(&self, name: &str) -> Vec<Arc<Trigger>> {
        let is_own = |trigger: &&Arc<Trigger>| {
            trigger.deleted_at.is_none()
                && matches!(&trigger.owner,
                    Owner::Manifest(own) | Owner::Function(own) if own == name)
        };
        self.catalog.load().triggers.values().filter(is_own).cloned().collect()
    }

    /// The version of a deployment: the next number, or the same one when nothing changed (after a
    /// restart).
    fn next_version(
        &self,
        deployment: &Deployment,
        old: Option<FunctionRecord>,
    ) -> (Arc<FunctionVersion>, FunctionRecord) {
        let now = self.clock.now();
        let same = old.as_ref().is_some_and(|old| old.hash == deployment.hash && old.version > 0);
        let number = old.as_ref().map_or(1, |old| if same { old.version } else { old.version + 1 });
        let mut versions = old.as_ref().map_or_else(Vec::new, |old| old.versions.clone());
        if versions.last().is_none_or(|last| last.number != number) {
            versions.push(VersionRecord {
                number,
                hash: deployment.hash.clone(),
                spec: deployment.spec.clone(),
                created_at: now,
                rollback_to: None,
            });
        }
        let record = FunctionRecord {
            id: old.as_ref().map_or_else(|| self.ids.function(now), |old| old.id),
            version: number,
            hash: deployment.hash.clone(),
            spec: deployment.spec.clone(),
            code: deployment.code.clone(),
            created_at: old.as_ref().map_or(now, |old| old.created_at),
            updated_at: old.as_ref().filter(|_| same).map_or(now, |old| old.updated_at),
            deleted_at: None,
            versions,
            rolled_back: None,
        };
        let version = FunctionVersion {
            function: record.id,
            number,
            spec: deployment.spec.clone(),
            environment: deployment.environment.clone(),
            code: deployment.code.clone(),
            hash: deployment.hash.clone(),
            created_at: record.updated_at,
        };
        (Arc::new(version), record)
    }

    pub(crate) fn host(&self, name: &str) -> Host {
        let function: Arc<str> = name.into();
        let teller = function.clone();
        let metrics = self.metrics.clone();
        Host {
            url: self.settings.url.clone(),
            scratch: self.settings.scratch.clone(),
            progress: Arc::new(move |line| {
                tracing::info!(function = %teller, "{line}");
            }),
            stray_logs: Arc::new(Stray::new(function, self.feed.clone())),
            cold_start: Arc::new(move |took| metrics.cold_started(took)),
        }
    }

    /// Stores a function and puts its triggers to work: all of them are checked before the first is
    /// changed.
    async fn activate(
        &self,
        wished: Vec<Declared>,
        record: &FunctionRecord,
    ) -> Result<(), Rejection> {
        let name = &record.spec.name;
        let _gate = self.catalog.gate.lock().await;
        let owned = self.owned(name);
        let mut made = Vec::new();
        let mut problems = Vec::new();
        let invoke = invoke_trigger(name);
        for (index, (owner, declared)) in wished
            .into_iter()
            .map(|declared| (Owner::Manifest(name.clone()), declared))
            .chain(std::iter::once((Owner::Function(name.clone()), invoke.into())))
            .enumerate()
        {
            let old = owned.iter().find(|old| old.owner == owner && old.name == declared.new.name);
            match self.make(declared, owner, old.map(Arc::as_ref)) {
                Ok(trigger) => made.push((old.cloned(), trigger)),
                Err(rejection) => problems.extend(crate::catalog::under(
                    &format!("triggers[{index}]"),
                    rejection.problems,
                )),
            }
        }
        if !problems.is_empty() {
            return Err(Rejection::of(Code::InvalidConfiguration, problems));
        }
        self.store_function(record, owned, made).await
    }

    async fn store_function(
        &self,
        record: &FunctionRecord,
        owned: Vec<Arc<Trigger>>,
        made: Vec<(Option<Arc<Trigger>>, Made)>,
    ) -> Result<(), Rejection> {
        let known = self.catalog.load().functions.get(&record.spec.name) == Some(record);
        if !known {
            self.committer.change(Write::from(Change::Function(record.clone()))).await?;
            self.enter_function(record.clone());
        }
        let kept: Vec<_> = made.iter().map(|(_, made)| made.trigger.id).collect();
        for (old, made) in made {
            self.put_declared(old, made).await?;
        }
        for old in owned.iter().filter(|old| !kept.contains(&old.id)) {
            self.delete(old).await?;
        }
        Ok(())
    }
}

impl Inner {
    /// Has everybody see a function as it is stored. Called with the gate held.
    pub(crate) fn enter_function(&self, record: FunctionRecord) {
        let snapshot = self.catalog.load();
        let mut functions = snapshot.functions.clone();
        functions.insert(record.spec.name.clone(), record);
        self.catalog.replace(snapshot.triggers.clone(), functions);
    }
}

/// The trigger every function has.
fn invoke_trigger(function: &str) -> NewTrigger {
    NewTrigger {
        name: format!("{function}/invoke"),
        kind: Trigger::INVOKE.to_owned(),
        config: Value::Object(serde_json::Map::new()),
        target: Target::function(function),
        policy: Policy::default(),
        enabled: true,
    }
}

//! A project's desired state brought to the engine: what changed is deployed, what is gone is taken
//! away, what is broken keeps running as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evoke_database::{Database, Definition};
use evoke_engine::{Declared, Deployment, Engine, NewTrigger};
use evoke_model::trigger::Owner;
use evoke_ports::runtime::DeployError;
use evoke_ports::{Runtime, Source};
use evoke_project::{
    Desired, DesiredFunction, DesiredTrigger, ReadContext, Reference, RuntimeName, runtime_names,
};

/// Deployments at once: each starts a worker and may install packages.
const AT_ONCE: usize = 2;

/// Reads a project's folder again and again.
pub struct Project {
    root: PathBuf,
    runtimes: Vec<RuntimeName>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    environment: BTreeMap<String, String>,
}

/// What came of one function.
pub struct Deployed {
    /// The function.
    pub name: String,
    /// Its version, or why it has none.
    pub result: Result<u32, DeployError>,
}

impl Project {
    /// The project in `root`.
    pub fn new(
        root: &Path,
        runtimes: &[Arc<dyn Runtime>],
        sources: BTreeMap<String, Arc<dyn Source>>,
        environment: BTreeMap<String, String>,
    ) -> Self {
        let runtimes = runtime_names(runtimes);
        Self { root: root.to_path_buf(), runtimes, sources, environment }
    }

    /// Reads it, all of it or only the folders that changed since `before`.
    pub fn read(&self, before: Option<(&Desired, &BTreeSet<String>)>) -> Desired {
        let lookup = |reference: &Reference| reference.find(&self.environment);
        let check_cel = |text: &str| match evoke_matching::Expression::compile(text) {
            Ok(_) => Ok(()),
            Err(problem) => Err(problem.message),
        };
        let context = ReadContext {
            runtimes: &self.runtimes,
            sources: &self.sources,
            lookup: &lookup,
            check_cel: &check_cel,
            environment: &self.environment,
        };
        match before {
            Some((before, changed)) => evoke_project::reread(&self.root, &context, before, changed),
            None => evoke_project::read(&self.root, &context),
        }
    }
}

/// Declares the collections of `desired`. One that cannot be had is told of and stops no other.
pub async fn declare(database: &Database, desired: &Desired) {
    for collection in &desired.collections {
        let name = &collection.name;
        match database.define(collection.clone()).await {
            Ok(Definition::Same) => {}
            Ok(_) => tracing::info!(collection = %name, "Collection {name} is declared"),
            Err(rejection) => {
                tracing::error!(collection = %name, "Collection {name} stays as it is: {rejection}");
            }
        }
    }
}

/// Brings the functions of `desired` to the engine; `running` is what was brought before.
pub async fn apply(engine: &Engine, desired: &Desired, running: Option<&Desired>) -> Vec<Deployed> {
    remove_gone(engine, desired).await;
    restore_broken(engine, desired).await;
    let is_new = |function: &&DesiredFunction| {
        running.and_then(|running| running.function(&function.spec.name)) != Some(*function)
    };
    let mut waiting = desired.functions.iter().filter(is_new).cloned();
    let mut under_way = tokio::task::JoinSet::new();
    let mut done = Vec::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(function) = waiting.next()
        {
            let engine = engine.clone();
            under_way.spawn(async move { deploy(&engine, function).await });
        }
        match under_way.join_next().await {
            Some(Ok(deployed)) => done.push(deployed),
            Some(Err(error)) => tracing::error!("A deployment ended in a panic: {error}"),
            None => break,
        }
    }
    let triggers = desired.triggers.iter().cloned().map(new_trigger).collect();
    for refused in engine.declare_triggers(triggers, &desired.broken_triggers).await {
        let evoke_engine::NotDeclared { name, rejection } = refused;
        tracing::error!(trigger = %name, "Trigger {name} does not work: {rejection}");
    }
    done
}

async fn deploy(engine: &Engine, function: DesiredFunction) -> Deployed {
    let name = function.spec.name.clone();
    let result = engine.deploy(deployment(function)).await.map(|view| view.record.version);
    Deployed { name, result }
}

fn deployment(function: DesiredFunction) -> Deployment {
    let DesiredFunction { spec, code, hash, triggers, environment } = function;
    let triggers = triggers.into_iter().map(new_trigger).collect();
    Deployment { spec, code, hash, environment, triggers }
}

pub(crate) fn new_trigger(trigger: DesiredTrigger) -> Declared {
    let DesiredTrigger { name, kind, config, target, policy, enabled, written } = trigger;
    let new = NewTrigger { name, kind, config, target, policy, enabled };
    Declared { new, written: written.map(|written| (written.config, written.target)) }
}

/// Has functions run as they were that are there but broken, where nothing runs of them since a
/// restart.
async fn restore_broken(engine: &Engine, desired: &Desired) {
    for view in engine.functions() {
        let record = &view.record;
        let name = &record.spec.name;
        let is_broken = desired.function(name).is_none() && desired.keeps(name, &record.code);
        if is_broken && view.status.is_none() {
            engine.restore(name).await;
        }
    }
}

/// Takes away functions whose folder is gone. Those that are there but broken stay.
async fn remove_gone(engine: &Engine, desired: &Desired) {
    for view in engine.functions() {
        let name = &view.record.spec.name;
        let is_declared = view
            .triggers
            .iter()
            .any(|trigger| matches!(&trigger.owner, Owner::Function(own) if own == name));
        let is_kept = desired.function(name).is_some() || desired.keeps(name, &view.record.code);
        if is_kept || (!is_declared && view.record.version > 0) {
            continue;
        }
        match engine.remove_function(name).await {
            Ok(()) => tracing::info!(function = %name, "Function {name} is gone"),
            Err(rejection) => tracing::error!(function = %name, "{rejection}"),
        }
    }
}

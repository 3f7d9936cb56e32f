//! Looking at versions, and making an old one current again.

use std::sync::Arc;

use evoke_model::function::{FunctionRecord, VersionRecord};
use evoke_model::{Code, FunctionVersion, Problem, Rejection};
use evoke_ports::runtime::{DeployError, Deployed};
use evoke_ports::store::Change;
use serde_json::json;

use super::numbers;
use crate::audit::{Actor, action};
use crate::feed::Notice;
use crate::functions::FunctionView;
use crate::start::{Engine, Inner};

/// A version that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionView {
    /// What is kept of it.
    pub record: VersionRecord,
    /// Whether it is the current one.
    pub is_current: bool,
}

impl Engine {
    /// The versions of a function that can be run, newest first.
    ///
    /// # Errors
    /// FN_001.
    pub fn versions(&self, name_or_id: &str) -> Result<Vec<VersionView>, Rejection> {
        let FunctionRecord { version: current, versions, .. } = self.function(name_or_id)?.record;
        let view = |record: VersionRecord| {
            let is_current = record.number == current;
            VersionView { record, is_current }
        };
        Ok(versions.into_iter().rev().map(view).collect())
    }

    /// Makes the code of an older version current again, as a new version: that with this number,
    /// or the newest of other code than the current one has. What its manifest said holds with it,
    /// except for triggers, which stay as they are. The function's folder is deployed again when it
    /// changes.
    ///
    /// # Errors
    /// FN_001; API_001 when that version is not kept or is current; FN_005 and FN_006 when it
    /// cannot be opened.
    pub async fn rollback(
        &self,
        name_or_id: &str,
        to: Option<u32>,
        actor: &Actor,
    ) -> Result<FunctionView, Rejection> {
        let name = self.function(name_or_id)?.record.spec.name;
        let record = self.inner.roll_back(&name, to, actor).await?;
        let (function, version) = (name.as_str().into(), Some(record.version));
        self.inner.feed.tell(|| Notice::Deployed { function, version, error: None });
        self.inner.prune(&name);
        self.function(&name)
    }
}

impl Engine {
    /// Has a function run as it did before, where nothing runs of it since the start and what its
    /// folder holds cannot be deployed.
    pub async fn restore(&self, name: &str) {
        self.inner.restore(name).await;
    }
}

impl Inner {
    async fn roll_back(
        self: &Arc<Self>,
        name: &str,
        to: Option<u32>,
        actor: &Actor,
    ) -> Result<FunctionRecord, Rejection> {
        let _turn = self.deployments.of(name).await;
        let old = self.catalog.load().functions.get(name).cloned();
        let old = old.ok_or_else(|| {
            Rejection::new(Code::FunctionNotFound, format!("there is no function {name:?}"))
        })?;
        let target = target(&old, to)?;
        let record = rolled_back(&old, target, self.clock.now());
        let opened = self.open_kept(&record, target, target.spec.scaling.clone()).await;
        let Deployed { version, pool } = opened.map_err(rejection)?;
        let version = Arc::new(FunctionVersion {
            number: record.version,
            created_at: record.updated_at,
            ..FunctionVersion::clone(&version)
        });
        let _gate = self.catalog.gate.lock().await;
        let detail = json!({ "from": old.version, "to": target.number, "version": record.version });
        let entry = self.audit_entry(actor, action::ROLL_BACK, record.id.to_string(), detail);
        if let Err(rejection) = self.change_all([Change::Function(record.clone()), entry]).await {
            pool.drain(evoke_model::Millis::ZERO).await;
            return Err(rejection);
        }
        self.enter_function(record.clone());
        self.take_over(Deployed { version, pool });
        Ok(record)
    }

    /// Has the version work that a deployment did not replace, where nothing runs since a restart.
    pub(crate) async fn restore(self: &Arc<Self>, name: &str) {
        let _turn = self.deployments.of(name).await;
        let is_there = self.registry.entry(name).is_some_and(|entry| entry.deployed.is_some());
        let record = self.catalog.load().functions.get(name).cloned();
        let Some(record) = record.filter(|record| !is_there && record.version > 0) else { return };
        let Some(kept) = record.kept(record.version) else { return };
        match self.open_kept(&record, kept, kept.spec.scaling.clone()).await {
            Ok(deployed) => {
                let number = kept.number;
                tracing::warn!(function = %name, "Version {number} of {name} runs, as before");
                self.put_back(deployed);
            }
            Err(error) => {
                tracing::warn!(function = %name, "Nor does the version before it run: {error}");
            }
        }
    }
}

fn target(record: &FunctionRecord, to: Option<u32>) -> Result<&VersionRecord, Rejection> {
    let refuse = |message: String, hint: &str| {
        let problem = Problem::new("version", message).suggest(hint);
        Rejection::of(Code::InvalidRequest, vec![problem])
    };
    let kept = numbers(&record.versions);
    match to {
        Some(number) if number == record.version => {
            Err(refuse(format!("version {number} is the current one"), &kept))
        }
        Some(number) => record
            .kept(number)
            .ok_or_else(|| refuse(format!("version {number} is not kept"), &kept)),
        None => record
            .versions
            .iter()
            .rev()
            .find(|version| version.hash != record.hash)
            .ok_or_else(|| refuse("no version with other code is kept".to_owned(), &kept)),
    }
}

/// The function with the code of an older version as its newest.
fn rolled_back(
    old: &FunctionRecord,
    target: &VersionRecord,
    now: evoke_model::Timestamp,
) -> FunctionRecord {
    let version = VersionRecord {
        number: old.version + 1,
        created_at: now,
        rollback_to: Some(target.number),
        ..target.clone()
    };
    let mut versions = old.versions.clone();
    versions.push(version);
    FunctionRecord {
        version: old.version + 1,
        hash: target.hash.clone(),
        spec: target.spec.clone(),
        updated_at: now,
        versions,
        rolled_back: Some(old.rolled_back.clone().unwrap_or_else(|| old.hash.clone())),
        ..old.clone()
    }
}

fn rejection(error: DeployError) -> Rejection {
    let DeployError { code, message, problems, .. } = error;
    Rejection { problems, ..Rejection::new(code, message) }
}

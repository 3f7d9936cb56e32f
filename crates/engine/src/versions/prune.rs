//! Which versions are kept: the last ones, and those that something still open names.

use std::collections::BTreeSet;
use std::sync::Arc;

use evoke_model::function::{FunctionRecord, VersionRecord};
use evoke_model::{Redirect, Rejection};
use evoke_ports::store::{Change, Write};

use crate::record::unavailable;
use crate::start::Inner;

impl Inner {
    /// Forgets the versions of a function that are kept no longer, in the background.
    pub(crate) fn prune(self: &Arc<Self>, function: &str) {
        let (inner, function) = (self.clone(), function.to_owned());
        self.tasks.spawn(async move {
            if let Err(rejection) = inner.forget_versions(&function).await {
                tracing::warn!(%function, "Old versions of {function} stay: {rejection}");
            }
        });
    }

    async fn forget_versions(&self, function: &str) -> Result<(), Rejection> {
        // No version is made meanwhile, whose code is not yet in any record.
        let _turn = self.deployments.of(function).await;
        let record = self.catalog.load().functions.get(function).cloned();
        let mut kept = Vec::new();
        if let Some(record) = record {
            let named = self.named(&record).await?;
            kept = keep(&record, self.settings.keep_versions, &named);
            self.note_kept(&record, &kept).await?;
        }
        let mut hashes: Vec<_> = kept.into_iter().map(|version| version.hash).collect();
        hashes.extend(self.versions.hashes(function));
        for runtime in &self.runtimes {
            if let Err(error) = runtime.retain(function, &hashes, &self.settings.scratch).await {
                tracing::warn!(%function, "Code of old versions of {function} stays: {error}");
            }
        }
        Ok(())
    }

    /// The versions that operations under way and waiting executions name. Not asked for where
    /// nothing is to be forgotten.
    async fn named(&self, record: &FunctionRecord) -> Result<BTreeSet<u32>, Rejection> {
        if record.versions.len() <= self.settings.keep_versions {
            return Ok(BTreeSet::new());
        }
        let waiting = self.store.executions().redirects().await;
        let waiting = waiting.map_err(|error| unavailable(&error))?;
        let asked = self.operations.redirects();
        let own = |to: &Redirect| *to.function == *record.spec.name;
        let all = waiting.into_iter().chain(asked).filter(own);
        let open = self.versions.slots.lock();
        let open = open.keys().filter(|(function, _)| *function == record.id).map(|(_, n)| *n);
        Ok(all.filter_map(|to| to.version).chain(open).collect())
    }

    async fn note_kept(
        &self,
        record: &FunctionRecord,
        kept: &[VersionRecord],
    ) -> Result<(), Rejection> {
        if kept.len() == record.versions.len() {
            return Ok(());
        }
        let _gate = self.catalog.gate.lock().await;
        let record = FunctionRecord { versions: kept.to_vec(), ..record.clone() };
        self.committer.change(Write::from(Change::Function(record.clone()))).await?;
        self.enter_function(record);
        Ok(())
    }
}

/// The versions that stay, oldest first: the current one, the last `count`, and those that are
/// named.
fn keep(record: &FunctionRecord, count: usize, named: &BTreeSet<u32>) -> Vec<VersionRecord> {
    let surplus = record.versions.len().saturating_sub(count);
    let stays = |(place, version): &(usize, &VersionRecord)| {
        *place >= surplus || version.number == record.version || named.contains(&version.number)
    };
    record.versions.iter().enumerate().filter(stays).map(|(_, version)| version.clone()).collect()
}

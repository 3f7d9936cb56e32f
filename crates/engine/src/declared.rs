//! Triggers that a project declares in files of their own, not in the manifest of a function: the
//! way to a target that is no function.

use std::collections::BTreeSet;
use std::sync::Arc;

use evoke_model::trigger::Owner;
use evoke_model::{Rejection, Trigger};

use crate::start::{Engine, Inner};
use crate::triggers::Declared;

/// A declared trigger that could not be put to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDeclared {
    /// Its name.
    pub name: String,
    /// Why.
    pub rejection: Rejection,
}

impl Engine {
    /// Makes the project's own triggers these and no others. Those in `keep` stay as they are when
    /// they are not given: their files are there, but cannot be read at this moment. What waits for
    /// one that is gone is cancelled.
    ///
    /// One that is wrong stops none of the others; it is given back with what is wrong.
    pub async fn declare_triggers(
        &self,
        wished: Vec<Declared>,
        keep: &BTreeSet<String>,
    ) -> Vec<NotDeclared> {
        let inner = &self.inner;
        let _gate = inner.catalog.gate.lock().await;
        let mut refused = Vec::new();
        let mut names = keep.clone();
        for new in wished {
            let name = new.new.name.clone();
            names.insert(name.clone());
            if let Err(rejection) = inner.declare(new).await {
                refused.push(NotDeclared { name, rejection });
            }
        }
        for old in inner.declared().into_iter().filter(|old| !names.contains(&old.name)) {
            if let Err(rejection) = inner.delete(&old).await {
                refused.push(NotDeclared { name: old.name.clone(), rejection });
            }
        }
        refused
    }
}

impl Inner {
    fn declared(&self) -> Vec<Arc<Trigger>> {
        let snapshot = self.catalog.load();
        let declared = snapshot
            .triggers
            .values()
            .filter(|trigger| trigger.deleted_at.is_none() && trigger.owner == Owner::Project);
        declared.cloned().collect()
    }

    /// Stores a declared trigger, unless it is there already just so.
    async fn declare(&self, declared: Declared) -> Result<(), Rejection> {
        let old = self.declared().into_iter().find(|old| old.name == declared.new.name);
        let trigger = self.make(declared, Owner::Project, old.as_deref())?;
        self.put_declared(old, trigger).await
    }
}

//! What executions have to agree in to share a call, and so to stand in one line.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use evoke_model::KeySet;
use evoke_model::policy::DebounceMode;

use super::super::LanePolicy;

/// The keys of a line. Those that do not matter under the policy of the lane are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct LineKey {
    pub(super) concurrency: Option<Box<str>>,
    pub(super) rate: Option<Box<str>>,
    batch: Option<Box<str>>,
    debounce: Option<Box<str>>,
}

/// The same without owning anything: lines are found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View<'a>([Option<&'a str>; 4]);

impl View<'_> {
    /// Whether there is any key in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub(super) fn to_key(self) -> LineKey {
        let [concurrency, rate, batch, debounce] = self.0.map(|key| key.map(Into::into));
        LineKey { concurrency, rate, batch, debounce }
    }
}

/// Which keys tell the lines of a lane apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matters {
    any: bool,
    concurrency: bool,
    rate: bool,
    batch: bool,
    debounce: bool,
}

impl Matters {
    pub(super) fn under(policy: &LanePolicy) -> Self {
        let concurrency = policy.concurrency.as_ref().is_some_and(|limit| limit.key.is_some());
        let rate = policy.rate.as_ref().is_some_and(|rate| rate.key.is_some());
        let batch = policy.batch.as_ref().is_some_and(|batch| batch.key.is_some());
        // What was waited for together goes together, and with nobody else.
        let debounce = policy
            .debounce
            .as_ref()
            .is_some_and(|debounce| debounce.mode == DebounceMode::All && debounce.key.is_some());
        let any = concurrency || rate || batch || debounce;
        Self { any, concurrency, rate, batch, debounce }
    }

    /// The keys that matter, if any does.
    pub(super) fn of(self, keys: &KeySet) -> Option<View<'_>> {
        if !self.any {
            return None;
        }
        let view = View([
            keys.concurrency.as_deref().filter(|_| self.concurrency),
            keys.rate.as_deref().filter(|_| self.rate),
            keys.batch.as_deref().filter(|_| self.batch),
            keys.debounce.as_deref().filter(|_| self.debounce),
        ]);
        (!view.is_empty()).then_some(view)
    }
}

/// Lets a map with owned keys be asked with borrowed ones, without making a copy first.
pub(super) trait AsView {
    fn view(&self) -> View<'_>;
}

impl AsView for View<'_> {
    fn view(&self) -> View<'_> {
        *self
    }
}

impl AsView for LineKey {
    fn view(&self) -> View<'_> {
        View([
            self.concurrency.as_deref(),
            self.rate.as_deref(),
            self.batch.as_deref(),
            self.debounce.as_deref(),
        ])
    }
}

impl<'a> Borrow<dyn AsView + 'a> for LineKey {
    fn borrow(&self) -> &(dyn AsView + 'a) {
        self
    }
}

impl Hash for dyn AsView + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view().0.hash(state);
    }
}

impl PartialEq for dyn AsView + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for dyn AsView + '_ {}

impl Hash for LineKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view().0.hash(state);
    }
}

impl PartialEq for LineKey {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Eq for LineKey {}

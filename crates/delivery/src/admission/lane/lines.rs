//! All lines of a lane. The one of executions without any key is always there; the others exist
//! while somebody stands in them.

use std::ops::{Index, IndexMut};

use ahash::AHashMap;

use evoke_model::KeySet;

use super::super::LanePolicy;
use super::line::Line;
use super::line_key::{AsView, LineKey, Matters};
use super::queue::Order;

/// A line of this lane. The number is used again once the line is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId(usize);

impl LineId {
    /// The line of executions without any key: most lanes have no other.
    pub(super) const PLAIN: Self = Self(0);
}

#[derive(Debug)]
pub(super) struct Lines<T> {
    slots: Vec<Line<T>>,
    free: Vec<LineId>,
    by_key: AHashMap<LineKey, LineId>,
    matters: Matters,
    order: Order,
}

impl<T> Lines<T> {
    pub(super) fn new(policy: &LanePolicy) -> Self {
        let order = if policy.ordered { Order::Rank } else { Order::Arrival };
        Self {
            slots: vec![Line::new(LineKey::default(), order)],
            free: Vec::new(),
            by_key: AHashMap::new(),
            matters: Matters::under(policy),
            order,
        }
    }

    /// The line for executions with these keys, if there is one.
    pub(super) fn find(&self, keys: &KeySet) -> Option<LineId> {
        match self.matters.of(keys) {
            None => Some(LineId::PLAIN),
            Some(view) => self.by_key.get(&view as &dyn AsView).copied(),
        }
    }

    /// The line for executions with these keys.
    pub(super) fn line_of(&mut self, keys: &KeySet) -> LineId {
        let Some(view) = self.matters.of(keys) else { return LineId::PLAIN };
        if let Some(id) = self.by_key.get(&view as &dyn AsView) {
            return *id;
        }
        let line = Line::new(view.to_key(), self.order);
        let id = match self.free.pop() {
            Some(id) => {
                self[id] = line;
                id
            }
            None => {
                self.slots.push(line);
                LineId(self.slots.len() - 1)
            }
        };
        self.by_key.insert(view.to_key(), id);
        id
    }

    /// Forgets a line that nobody stands in.
    pub(super) fn forget(&mut self, id: LineId) {
        if id != LineId::PLAIN {
            let key = std::mem::take(&mut self[id].key);
            self.by_key.remove(&key);
            self.free.push(id);
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = LineId> + use<T> {
        (0..self.slots.len()).map(LineId)
    }
}

impl<T> Index<LineId> for Lines<T> {
    type Output = Line<T>;
    fn index(&self, id: LineId) -> &Line<T> {
        &self.slots[id.0]
    }
}

impl<T> IndexMut<LineId> for Lines<T> {
    fn index_mut(&mut self, id: LineId) -> &mut Line<T> {
        &mut self.slots[id.0]
    }
}

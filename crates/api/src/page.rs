//! Pages of lists.

use evoke_ports::store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items. There may be fewer than asked for and still a next page.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is given whole.
    pub const fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }

    /// A window of a list that is kept in memory: `limit` items from the place `cursor` names.
    pub fn window(items: Vec<T>, limit: u32, cursor: usize) -> Self {
        let end = cursor.saturating_add(limit as usize);
        let next_cursor = (end < items.len()).then(|| end.to_string());
        Self { data: items.into_iter().skip(cursor).take(limit as usize).collect(), next_cursor }
    }

    /// The page of a store with its items turned into bodies.
    pub fn of<U>(page: store::Page<U>, item: impl FnMut(U) -> T) -> Self {
        Self { data: page.items.into_iter().map(item).collect(), next_cursor: page.next }
    }
}

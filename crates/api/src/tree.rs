//! What an event led to.

use evoke_engine::tree;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::Event;
use crate::execution::Execution;

/// What an event led to, from the first event of its chain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tree {
    /// The first event.
    pub root: TreeEvent,
    /// There is more than stands here: more than 10,000 events, or some whose cause left the
    /// record.
    pub truncated: bool,
}

/// An event with its executions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TreeEvent {
    /// The event, without its payload.
    pub event: Event,
    /// Its executions, by trigger. One that the loop brake did not let begin is `cancelled`, with
    /// the error EV_004.
    pub executions: Vec<TreeExecution>,
}

/// An execution with the events it caused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TreeExecution {
    /// The execution, as lists show it.
    pub execution: Execution,
    /// The events its function sent, oldest first.
    #[schema(no_recursion)]
    pub events: Vec<TreeEvent>,
}

impl From<tree::Tree> for Tree {
    fn from(tree: tree::Tree) -> Self {
        Self { root: tree.root.into(), truncated: tree.truncated }
    }
}

impl From<tree::TreeEvent> for TreeEvent {
    /// As deep as chains of causes may be, which the loop brake bounds.
    fn from(tree: tree::TreeEvent) -> Self {
        let executions = tree.executions.into_iter().map(|one| TreeExecution {
            execution: Execution::summary(&one.view),
            events: one.events.into_iter().map(Self::from).collect(),
        });
        let executions = executions.collect();
        Self { event: Event::without_data(&tree.event), executions }
    }
}

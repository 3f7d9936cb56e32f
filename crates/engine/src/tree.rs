//! What an event led to: from its root through the executions to the events they caused, with what
//! the loop brake cut off.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use evoke_model::{Event, EventId, ExecutionId, Rejection};
use evoke_ports::store::{EventQuery, ExecutionQuery, Order};

use crate::record::{ExecutionView, unavailable};
use crate::start::{Engine, Inner};

/// Events of one tree. A larger one is a loop or a flood, and its beginning tells of it.
const EVENTS_MAX: usize = 10_000;

/// Events and executions read at a time.
const PAGE: u32 = 1_000;

/// Pages of the archive that are looked through, each some 50 ms of unpacking: what an event led to
/// stands near it.
const ARCHIVE_PAGES_MAX: usize = 8;

/// What an event led to.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The first event of the chain.
    pub root: TreeEvent,
    /// Whether there may be more than stands here: more than 10,000 events, some whose cause was
    /// removed, or a long archive of which only a part was looked through.
    pub truncated: bool,
}

/// An event with its executions.
#[derive(Clone, Debug)]
pub struct TreeEvent {
    /// The event.
    pub event: Arc<Event>,
    /// Its executions, by trigger. One that the loop brake did not let begin is `cancelled`, with
    /// the error EV_004.
    pub executions: Vec<TreeExecution>,
}

/// An execution with the events it caused.
#[derive(Clone, Debug)]
pub struct TreeExecution {
    /// The execution.
    pub view: ExecutionView,
    /// The events, oldest first.
    pub events: Vec<TreeEvent>,
}

impl Engine {
    /// The whole tree an event is part of, from its root down.
    ///
    /// # Errors
    /// EV_002, ST_001.
    pub async fn tree(&self, id: &str) -> Result<Tree, Rejection> {
        let event = self.event(id).await?;
        // Where the root left the record, the tree begins with the event that was asked for.
        let root = match event.root() {
            root if root == event.id => event,
            root => self.event(&root.to_string()).await.unwrap_or(event),
        };
        let Chain { events, archived, is_all } = self.inner.events_after(&root).await?;
        // Calls under way are in the record only when they have ended.
        let mut under_way: HashMap<EventId, Vec<ExecutionId>> = HashMap::new();
        for running in self.inner.running.all() {
            under_way.entry(running.id.event).or_default().push(running.id);
        }
        let mut executions = HashMap::new();
        for event in &events {
            let under_way = under_way.remove(&event.id).unwrap_or_default();
            let mut views = self.executions_of(event.id, under_way).await?;
            if archived.contains(&event.id) {
                let query = of_event(event.id);
                views.extend(self.archived_executions(query).await?.items);
            }
            views.sort_by_key(|view| view.execution.id);
            executions.insert(event.id, views);
        }
        let (root, is_whole) = assemble(root, events, executions);
        Ok(Tree { root, truncated: !(is_all && is_whole) })
    }

    /// The executions of an event, those under way included.
    async fn executions_of(
        &self,
        event: EventId,
        under_way: Vec<ExecutionId>,
    ) -> Result<Vec<ExecutionView>, Rejection> {
        let mut views = self.executions(of_event(event)).await?.items;
        for id in under_way {
            if views.iter().all(|view| view.execution.id != id) {
                views.extend(self.execution(id).await.ok());
            }
        }
        Ok(views)
    }
}

fn of_event(event: EventId) -> ExecutionQuery {
    let event = Some(event);
    let order = Order::OldestFirst;
    ExecutionQuery { event, order, limit: PAGE, ..ExecutionQuery::default() }
}

/// The events of a chain, oldest first.
struct Chain {
    events: Vec<Arc<Event>>,
    /// Those that came from the archive.
    archived: HashSet<EventId>,
    /// Whether there are no more.
    is_all: bool,
}

impl Inner {
    /// The events of a chain, its root first: from the record, then from the archive, so that none
    /// is missed that moves meanwhile.
    async fn events_after(&self, root: &Arc<Event>) -> Result<Chain, Rejection> {
        let mut query = EventQuery {
            root: Some(root.root()),
            since: Some(root.id.made_at()),
            order: Order::OldestFirst,
            limit: PAGE,
            ..EventQuery::default()
        };
        let mut events = BTreeMap::from([(root.id, root.clone())]);
        loop {
            let page = self.store.events().events(query.clone()).await;
            let page = page.map_err(|error| unavailable(&error))?;
            let more = page.items.into_iter().filter(|event| event.id > root.id);
            events.extend(more.map(|event| (event.id, event)));
            query.cursor = page.next.filter(|_| events.len() <= EVENTS_MAX);
            if query.cursor.is_none() {
                break;
            }
        }
        let mut archived = HashSet::new();
        let recorded = self.store.events().event(root.id).await;
        if recorded.map_err(|error| unavailable(&error))?.is_none() {
            archived.insert(root.id);
        }
        for _ in 0..ARCHIVE_PAGES_MAX {
            let page = self.list_events(&query).await.map_err(|error| unavailable(&error))?;
            for event in page.items.into_iter().filter(|event| event.id > root.id) {
                archived.insert(event.id);
                events.insert(event.id, event);
            }
            query.cursor = page.next.filter(|_| events.len() <= EVENTS_MAX);
            if query.cursor.is_none() {
                break;
            }
        }
        let is_all = query.cursor.is_none() && events.len() <= EVENTS_MAX;
        let events = events.into_values().take(EVENTS_MAX).collect();
        Ok(Chain { events, archived, is_all })
    }
}

/// Puts the parts together, the newest event first: what an event led to is newer than it is. Says
/// whether each found its place.
fn assemble(
    root: Arc<Event>,
    events: Vec<Arc<Event>>,
    mut executions: HashMap<EventId, Vec<ExecutionView>>,
) -> (TreeEvent, bool) {
    let mut caused: HashMap<ExecutionId, Vec<TreeEvent>> = HashMap::new();
    let mut whole = |event: Arc<Event>, caused: &mut HashMap<ExecutionId, Vec<TreeEvent>>| {
        let own = executions.remove(&event.id).unwrap_or_default();
        let own = own.into_iter().map(|view| {
            let mut events = caused.remove(&view.execution.id).unwrap_or_default();
            events.reverse();
            TreeExecution { view, events }
        });
        let executions = own.collect();
        TreeEvent { event, executions }
    };
    for event in events.into_iter().rev().filter(|event| event.id != root.id) {
        let cause = event.lineage.as_ref().and_then(|lineage| lineage.cause);
        let tree = whole(event, &mut caused);
        if let Some(cause) = cause {
            caused.entry(cause).or_default().push(tree);
        }
    }
    let root = whole(root, &mut caused);
    (root, caused.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{Data, Execution, Lineage, State, Timestamp, TriggerId};

    fn id(event: u64, trigger: u64) -> ExecutionId {
        ExecutionId { event: EventId::from_u64(event), trigger: TriggerId::from_u64(trigger) }
    }

    fn event(number: u64, cause: Option<ExecutionId>) -> Arc<Event> {
        let lineage = cause.map(|cause| {
            let root = Some(EventId::from_u64(1));
            Box::new(Lineage { root, cause: Some(cause), ..Lineage::default() })
        });
        Arc::new(Event {
            id: EventId::from_u64(number),
            sender_id: None,
            source: "/api/events".into(),
            kind: "a".into(),
            subject: None,
            time: Timestamp::EPOCH,
            content_type: None,
            data_schema: None,
            data: Data::None,
            extensions: None,
            lineage,
            traceparent: None,
            ordering_key: None,
            due: None,
            is_test_run: false,
            replay_of: None,
        })
    }

    fn view(id: ExecutionId) -> ExecutionView {
        let execution = Execution {
            id,
            state: State::Success,
            due: Timestamp::EPOCH,
            attempts: 1,
            order_key: None,
            concurrency_key: None,
            last: None,
            is_test_run: false,
            is_replay: false,
            cause: None,
            redirect: None,
            is_edited: false,
        };
        ExecutionView { execution, trigger: None, function: None }
    }

    /// The tree as text: `1(1:2,3 2:)` is event 1, whose execution of trigger 1 caused 2 and 3.
    fn text(tree: &TreeEvent) -> String {
        let executions = tree.executions.iter().map(|one| {
            let events: Vec<_> = one.events.iter().map(text).collect();
            format!("{}:{}", one.view.execution.id.trigger.as_u64(), events.join(","))
        });
        let executions: Vec<_> = executions.collect();
        format!("{}({})", tree.event.id.as_u64(), executions.join(" "))
    }

    #[test]
    fn events_stand_below_the_executions_that_caused_them() {
        let root = event(1, None);
        let events = vec![
            root.clone(),
            event(2, Some(id(1, 1))),
            event(3, Some(id(1, 1))),
            event(4, Some(id(2, 2))),
        ];
        let executions = HashMap::from([
            (EventId::from_u64(1), vec![view(id(1, 1)), view(id(1, 2))]),
            (EventId::from_u64(2), vec![view(id(2, 2))]),
        ]);
        let (tree, is_whole) = assemble(root, events, executions);
        assert_eq!(text(&tree), "1(1:2(2:4()),3() 2:)");
        assert!(is_whole);
    }

    #[test]
    fn an_event_whose_cause_is_gone_has_no_place() {
        let root = event(1, None);
        let events = vec![root.clone(), event(2, Some(id(1, 9)))];
        let (tree, is_whole) = assemble(root, events, HashMap::new());
        assert_eq!((text(&tree).as_str(), is_whole), ("1()", false));
    }
}

//! The reading side. A read holds the lock for as long as it looks, which is bounded by the page.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::{
    Attempt, Data, Event, EventId, Execution, ExecutionId, Redirect, Timestamp, TriggerId,
};
use evoke_ports::store::{
    DeadLetters, Due, Error, EventQuery, Events, ExecutionQuery, Executions, Order, Page, Spent,
    Waiting,
};

use super::MemoryStore;
use super::tables::{Row, Tables, queued};
use crate::cursor::PAGE_BYTES_MAX;
use crate::groups::Groups;
use crate::page::{
    self, EventFields, EventPlace, ExecutionFields, ExecutionPlace, Fits, Look, Pager,
};

/// The event of an execution is not in the log.
#[derive(Debug, thiserror::Error)]
#[error("execution {0} has no event")]
struct NoEvent(ExecutionId);

#[async_trait]
impl Events for MemoryStore {
    async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Error> {
        Ok(self.shared.tables.read().events.get(&id).cloned())
    }

    async fn by_key(&self, key: &str) -> Result<Option<EventId>, Error> {
        Ok(self.shared.tables.read().once.get(key).map(|(event, _)| *event))
    }

    async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, Error> {
        let range = page::event_range(&query).map_err(|bad| Error::new("list events", bad))?;
        let mut pager = Pager::new(query.limit);
        if range.is_empty() {
            return Ok(pager.finish());
        }
        let tables = self.shared.tables.read();
        let first = EventId::from_u64((range.after.0 + 1) as u64);
        let end = EventId::from_u64(range.before.0 as u64);
        let mut rows = tables.events.range(first..end);
        let mut bytes = 0;
        while let Some((id, event)) = match query.order {
            Order::NewestFirst => rows.next_back(),
            Order::OldestFirst => rows.next(),
        } {
            let is_under = query.root.is_none_or(|root| *id == root || event.root() == root);
            let fits = Fits::from(is_under && page::event_fits(&query, fields_of(event)));
            match pager.look(EventPlace(id.as_u64() as i64), fits) {
                Look::Take => {
                    bytes += event.data.len();
                    pager.push(Arc::clone(event));
                    if bytes > PAGE_BYTES_MAX {
                        pager.break_off(EventPlace(id.as_u64() as i64));
                        break;
                    }
                }
                Look::Skip => {}
                Look::Stop => break,
            }
        }
        Ok(pager.finish())
    }

    async fn newest(&self) -> Result<u64, Error> {
        let tables = self.shared.tables.read();
        Ok(tables.events.last_key_value().map_or(0, |(id, _)| id.as_u64()))
    }
}

#[async_trait]
impl Executions for MemoryStore {
    async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, Error> {
        let tables = self.shared.tables.read();
        Ok(tables.executions.get(&ExecutionPlace::of(id)).map(|row| row.execution.clone()))
    }

    async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Error> {
        let tables = self.shared.tables.read();
        let Some(row) = tables.executions.get(&ExecutionPlace::of(id)) else {
            return Ok(Vec::new());
        };
        Ok(row.attempts().cloned().collect())
    }

    async fn executions(&self, query: ExecutionQuery) -> Result<Page<Execution>, Error> {
        let range =
            page::execution_range(&query).map_err(|bad| Error::new("list executions", bad))?;
        let mut pager = Pager::new(query.limit);
        if range.is_empty() {
            return Ok(pager.finish());
        }
        let tables = self.shared.tables.read();
        let bounds = (Bound::Excluded(range.after), Bound::Excluded(range.before));
        let mut rows = tables.executions.range(bounds);
        while let Some((place, Row { execution, .. })) = match query.order {
            Order::NewestFirst => rows.next_back(),
            Order::OldestFirst => rows.next(),
        } {
            let fits = Fits::from(page::execution_fits(&query, execution_fields_of(execution)));
            match pager.look(*place, fits) {
                Look::Take => pager.push(execution.clone()),
                Look::Skip => {}
                Look::Stop => break,
            }
        }
        Ok(pager.finish())
    }

    async fn due(&self, query: Due) -> Result<Vec<Waiting>, Error> {
        let tables = self.shared.tables.read();
        match &query.order_key {
            Some(key) => tables.due_by_key(&query, key),
            None => tables.due(&query),
        }
        .map_err(|missing| Error::new("read due executions", missing))
    }

    async fn backlog(&self) -> Result<Vec<(TriggerId, u64, Timestamp)>, Error> {
        let tables = self.shared.tables.read();
        let mut backlog: Vec<(TriggerId, u64, Timestamp)> = Vec::new();
        for (trigger, due, _) in &tables.open {
            match backlog.last_mut() {
                Some((last, count, _)) if last == trigger => *count += 1,
                _ => backlog.push((*trigger, 1, *due)),
            }
        }
        Ok(backlog)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetters>, Error> {
        let tables = self.shared.tables.read();
        let mut groups = Groups::default();
        for Row { execution, .. } in tables.executions.values() {
            if let Some(cause) = execution.cause {
                groups.add(execution.id, cause);
            }
        }
        Ok(groups.finish())
    }

    async fn edited(&self, id: ExecutionId) -> Result<Option<Data>, Error> {
        let tables = self.shared.tables.read();
        Ok(tables.executions.get(&ExecutionPlace::of(id)).and_then(|row| row.edited.clone()))
    }

    async fn redirects(&self) -> Result<Vec<Redirect>, Error> {
        let tables = self.shared.tables.read();
        let mut found: Vec<Redirect> = Vec::new();
        for (trigger, _, event) in &tables.open {
            let place = ExecutionPlace::of(ExecutionId { event: *event, trigger: *trigger });
            let redirect =
                tables.executions.get(&place).and_then(|row| row.execution.redirect.as_ref());
            found.extend(redirect.filter(|redirect| !found.contains(redirect)).cloned());
        }
        Ok(found)
    }

    async fn spent(&self, now: Timestamp) -> Result<Vec<Spent>, Error> {
        let tables = self.shared.tables.read();
        let spent = tables.spent.iter().filter(|(_, until)| **until > now);
        let spent = spent.map(|((owner, key), until)| Spent {
            owner: owner.clone(),
            key: key.clone(),
            until: *until,
        });
        Ok(spent.collect())
    }
}

fn fields_of(event: &Event) -> EventFields<'_> {
    EventFields { kind: &event.kind, source: &event.source, subject: event.subject.as_deref() }
}

fn execution_fields_of(execution: &Execution) -> ExecutionFields {
    ExecutionFields {
        trigger: execution.id.trigger,
        state: execution.state,
        is_test_run: execution.is_test_run,
        is_replay: execution.is_replay,
        cause: execution.cause,
    }
}

impl Tables {
    fn due(&self, query: &Due) -> Result<Vec<Waiting>, NoEvent> {
        let trigger = query.trigger;
        let after = match query.after {
            Some((queued, event)) => Bound::Excluded((trigger, queued, event)),
            None => {
                Bound::Included((trigger, Timestamp::from_micros(i64::MIN), EventId::from_u64(0)))
            }
        };
        self.open
            .range((after, Bound::Unbounded))
            .take_while(|(of, queued, _)| *of == trigger && *queued <= query.until)
            .filter_map(|(_, _, event)| self.row(*event, trigger))
            .take(query.limit as usize)
            .map(|row| self.waiting(row))
            .collect()
    }

    fn due_by_key(&self, query: &Due, key: &str) -> Result<Vec<Waiting>, NoEvent> {
        let trigger = query.trigger;
        let place = |event| (trigger, Box::<str>::from(key), event);
        let after = match query.after {
            Some((_, event)) => Bound::Excluded(place(event)),
            None => Bound::Included(place(EventId::from_u64(0))),
        };
        self.open_by_key
            .range((after, Bound::Unbounded))
            .take_while(|(of, with, event)| {
                *of == trigger && **with == *key && event.made_at() <= query.until
            })
            .filter_map(|(_, _, event)| self.row(*event, trigger))
            .take(query.limit as usize)
            .map(|row| self.waiting(row))
            .collect()
    }

    fn row(&self, event: EventId, trigger: TriggerId) -> Option<&Row> {
        self.executions.get(&ExecutionPlace::of(ExecutionId { event, trigger }))
    }

    fn waiting(&self, row: &Row) -> Result<Waiting, NoEvent> {
        let execution = &row.execution;
        let event = self.events.get(&execution.id.event).ok_or(NoEvent(execution.id))?;
        let event = match &row.edited {
            Some(data) => Arc::new(Event { data: data.clone(), ..Event::clone(event) }),
            None => Arc::clone(event),
        };
        Ok(Waiting {
            id: execution.id,
            due: execution.due,
            queued: queued(execution),
            attempts: execution.attempts,
            order_key: execution.order_key.clone(),
            concurrency_key: execution.concurrency_key.clone(),
            redirect: execution.redirect.clone().map(Box::new),
            event,
        })
    }
}

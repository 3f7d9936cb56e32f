//! The reading side. A read holds the lock for as long as it looks, which is bounded by the page.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use evoke_model::function::FunctionRecord;
use evoke_model::{Attempt, Event, EventId, Execution, ExecutionId, Timestamp, Trigger, TriggerId};
use evoke_ports::store::{
    Definitions, Due, Error, EventQuery, Events, ExecutionQuery, Executions, Key, Order, Page,
    Waiting,
};

use super::MemoryStore;
use super::tables::{Row, Tables};
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
        while let Some((id, event)) = match query.order {
            Order::NewestFirst => rows.next_back(),
            Order::OldestFirst => rows.next(),
        } {
            let fits = Fits::from(page::event_fits(&query, fields_of(event)));
            match pager.look(EventPlace(id.as_u64() as i64), fits) {
                Look::Take => pager.push(Arc::clone(event)),
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
        Ok(row.earlier.iter().chain(&row.execution.last).cloned().collect())
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
        let trigger = query.trigger;
        let after = match query.after {
            Some((due, event)) => Bound::Excluded((trigger, due, event)),
            None => {
                Bound::Included((trigger, Timestamp::from_micros(i64::MIN), EventId::from_u64(0)))
            }
        };
        tables
            .open
            .range((after, Bound::Unbounded))
            .take_while(|(of, due, _)| *of == trigger && *due <= query.until)
            .filter_map(|(_, _, event)| {
                tables.executions.get(&ExecutionPlace::of(ExecutionId { event: *event, trigger }))
            })
            .filter(|row| query.order_key.is_none() || query.order_key == row.execution.order_key)
            .take(query.limit as usize)
            .map(|row| waiting(&tables, &row.execution))
            .collect::<Result<_, _>>()
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

    async fn dead_letters(&self) -> Result<Vec<(TriggerId, u64)>, Error> {
        let tables = self.shared.tables.read();
        let mut counts = std::collections::BTreeMap::new();
        for Row { execution, .. } in tables.executions.values() {
            if execution.state.is_dead_letter() {
                *counts.entry(execution.id.trigger).or_insert(0) += 1;
            }
        }
        Ok(counts.into_iter().collect())
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
    }
}

fn waiting(tables: &Tables, execution: &Execution) -> Result<Waiting, NoEvent> {
    let event = tables.events.get(&execution.id.event).ok_or(NoEvent(execution.id))?;
    Ok(Waiting {
        id: execution.id,
        due: execution.due,
        attempts: execution.attempts,
        order_key: execution.order_key.clone(),
        concurrency_key: execution.concurrency_key.clone(),
        event: Arc::clone(event),
    })
}

#[async_trait]
impl Definitions for MemoryStore {
    async fn functions(&self) -> Result<Vec<FunctionRecord>, Error> {
        Ok(self.shared.tables.read().functions.values().cloned().collect())
    }

    async fn triggers(&self) -> Result<Vec<Arc<Trigger>>, Error> {
        Ok(self.shared.tables.read().triggers.values().cloned().collect())
    }

    async fn keys(&self) -> Result<Vec<Key>, Error> {
        Ok(self.shared.tables.read().keys.values().cloned().collect())
    }
}

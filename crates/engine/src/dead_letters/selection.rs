//! The dead letters that fit a filter, read page by page.

use std::collections::{HashMap, VecDeque};

use evoke_matching::Filter;
use evoke_model::{
    Cause, Code, EventId, Execution, ExecutionId, Problem, Rejection, Timestamp, TriggerId,
};
use evoke_ports::store::{DeadLetters, ExecutionQuery, Order};

use super::{DeadLetterFilter, check_span};
use crate::record::unavailable;
use crate::start::Inner;

/// Dead letters named one by one in a request.
const IDS_MAX: usize = 1_000;

/// Dead letters read at a time.
const PAGE: u32 = 500;

/// A filter that was checked.
pub(crate) struct Selection {
    /// `None` means all.
    triggers: Option<Vec<TriggerId>>,
    cause: Option<Cause>,
    ids: Vec<ExecutionId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    filter: Option<Filter>,
}

impl Selection {
    /// # Errors
    /// API_001 with everything that is wrong.
    pub(crate) fn of(inner: &Inner, filter: &DeadLetterFilter) -> Result<Self, Rejection> {
        let mut problems = Vec::new();
        if filter.ids.len() > IDS_MAX {
            let message = format!("at most {IDS_MAX}, there are {}", filter.ids.len());
            problems.push(Problem::new("ids", message));
        }
        problems.extend(check_span(filter.since, filter.until));
        let compiled = compile(filter.filter.as_deref(), &mut problems);
        if !problems.is_empty() {
            return Err(Rejection::of(Code::InvalidRequest, problems));
        }
        let mut ids = filter.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        Ok(Self {
            triggers: triggers(inner, filter),
            cause: filter.cause,
            ids,
            since: filter.since,
            until: filter.until,
            filter: compiled,
        })
    }

    /// How many of each trigger and cause.
    pub(crate) async fn groups(&self, inner: &Inner) -> Result<Vec<DeadLetters>, Rejection> {
        let is_walked = !self.ids.is_empty()
            || self.since.is_some()
            || self.until.is_some()
            || self.filter.is_some();
        if !is_walked {
            let groups = inner.store.executions().dead_letters().await;
            let groups = groups.map_err(|error| unavailable(&error))?;
            let is_wanted = |group: &DeadLetters| {
                self.takes_trigger(group.trigger) && self.takes_cause(Some(group.cause))
            };
            return Ok(groups.into_iter().filter(is_wanted).collect());
        }
        let mut groups = HashMap::new();
        let mut walk = Walk::from(self, None, inner.newest());
        while let Some(found) = walk.one(inner).await? {
            let (id, Some(cause)) = (found.id, found.cause) else { continue };
            let group = groups.entry((id.trigger, cause)).or_insert(DeadLetters {
                trigger: id.trigger,
                cause,
                count: 0,
                first: id.event,
                last: id.event,
            });
            group.count += 1;
            group.last = id.event;
        }
        Ok(groups.into_values().collect())
    }

    /// All of them, oldest first.
    pub(crate) async fn ids(&self, inner: &Inner) -> Result<Vec<ExecutionId>, Rejection> {
        let mut walk = Walk::from(self, None, inner.newest());
        let mut ids = Vec::new();
        while let Some(found) = walk.one(inner).await? {
            ids.push(found.id);
        }
        Ok(ids)
    }

    /// Whether an execution is a dead letter that fits, its event's content aside.
    pub(crate) fn takes(&self, execution: &Execution) -> bool {
        let accepted = execution.id.event.made_at();
        execution.is_dead_letter()
            && self.takes_trigger(execution.id.trigger)
            && self.takes_cause(execution.cause)
            && self.since.is_none_or(|since| accepted >= since)
            && self.until.is_none_or(|until| accepted < until)
    }

    fn takes_trigger(&self, trigger: TriggerId) -> bool {
        self.triggers.as_ref().is_none_or(|wanted| wanted.contains(&trigger))
    }

    fn takes_cause(&self, cause: Option<Cause>) -> bool {
        self.cause.is_none_or(|wanted| cause == Some(wanted))
    }

    async fn takes_event(&self, inner: &Inner, id: EventId) -> Result<bool, Rejection> {
        let Some(filter) = &self.filter else { return Ok(true) };
        let event = inner.store.events().event(id).await.map_err(|error| unavailable(&error))?;
        // A condition without an answer is no match, as in a trigger.
        Ok(event.is_some_and(|event| filter.takes(&event).unwrap_or(false)))
    }
}

/// The triggers a filter names; `None` for all.
fn triggers(inner: &Inner, filter: &DeadLetterFilter) -> Option<Vec<TriggerId>> {
    let Some(function) = &filter.function else { return filter.trigger.map(|id| vec![id]) };
    let snapshot = inner.catalog.load();
    let own = snapshot.triggers.values();
    let own = own.filter(|trigger| trigger.target.function_name() == Some(function));
    let own = own.map(|trigger| trigger.id);
    Some(own.filter(|id| filter.trigger.is_none_or(|wanted| wanted == *id)).collect())
}

/// Compiles the condition of a request.
pub(crate) fn compile(text: Option<&str>, problems: &mut Vec<Problem>) -> Option<Filter> {
    let named = |problem| Problem { field: "filter".to_owned(), ..problem };
    evoke_matching::filter(text?).map_err(|problem| problems.push(named(problem))).ok()
}

/// The dead letters of a selection one after the other, oldest first.
pub(crate) struct Walk<S> {
    selection: S,
    after: Option<ExecutionId>,
    /// What came later than this was accepted after somebody asked.
    newest: EventId,
    page: VecDeque<Execution>,
    next: Next,
    /// How many were looked at.
    pub(crate) seen: u64,
    /// The last one that was looked at.
    pub(crate) at: Option<ExecutionId>,
}

/// Where a walk through the record goes on.
pub(crate) enum Next {
    /// From its beginning.
    Begin,
    /// At a cursor of the store.
    Page(String),
    /// Nowhere.
    End,
}

impl Next {
    /// Behind a page, by what the page says of the next one.
    pub(crate) fn behind(cursor: Option<String>) -> Self {
        cursor.map_or(Self::End, Self::Page)
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Self::End)
    }

    pub(crate) fn cursor(&self) -> Option<String> {
        match self {
            Self::Page(cursor) => Some(cursor.clone()),
            Self::Begin | Self::End => None,
        }
    }
}

/// What a step of a walk brought.
pub(crate) enum Found<T> {
    /// One that fits.
    One(T),
    /// A part of the record was read; the next step tells what was in it.
    Read,
    /// There are no more.
    End,
}

impl<S: AsRef<Selection>> Walk<S> {
    /// Begins behind `after` and ends with the event `newest`.
    pub(crate) fn from(selection: S, after: Option<ExecutionId>, newest: EventId) -> Self {
        let (page, next) = (VecDeque::new(), Next::Begin);
        Self { selection, after, newest, page, next, seen: 0, at: after }
    }

    /// What it looks for.
    pub(crate) fn selection(&self) -> &Selection {
        self.selection.as_ref()
    }

    /// One step. Dropped before its end it has done nothing.
    pub(crate) async fn next(&mut self, inner: &Inner) -> Result<Found<Execution>, Rejection> {
        while let Some(found) = self.page.front() {
            if found.id.event > self.newest {
                self.page.clear();
                self.next = Next::End;
                break;
            }
            let (id, fits) = (found.id, self.selection.as_ref().takes(found));
            // It stays in the page until its event was read: a read that fails is made again.
            let fits = fits && self.selection.as_ref().takes_event(inner, id.event).await?;
            let found = self.page.pop_front();
            self.seen += 1;
            self.at = Some(id);
            if let Some(found) = found.filter(|_| fits) {
                return Ok(Found::One(found));
            }
        }
        Ok(if self.read(inner).await? { Found::Read } else { Found::End })
    }

    /// The next one that fits.
    async fn one(&mut self, inner: &Inner) -> Result<Option<Execution>, Rejection> {
        loop {
            match self.next(inner).await? {
                Found::One(found) => return Ok(Some(found)),
                Found::Read => {}
                Found::End => return Ok(None),
            }
        }
    }

    /// Reads more; says whether there was somewhere to read.
    async fn read(&mut self, inner: &Inner) -> Result<bool, Rejection> {
        if !self.next.is_open() {
            return Ok(false);
        }
        let executions = inner.store.executions();
        let selection = self.selection.as_ref();
        let is_behind = |id: ExecutionId| self.after.is_none_or(|after| id > after);
        if !selection.ids.is_empty() {
            let mut named = VecDeque::new();
            for id in selection.ids.iter().copied().filter(|id| is_behind(*id)) {
                let found = executions.execution(id).await.map_err(|error| unavailable(&error))?;
                named.extend(found);
            }
            (self.page, self.next) = (named, Next::End);
            return Ok(true);
        }
        if selection.triggers.as_ref().is_some_and(Vec::is_empty) {
            self.next = Next::End;
            return Ok(false);
        }
        // On the way on from a restart the walk begins in the millisecond where it was.
        let since = self.after.map(|after| after.event.made_at()).max(selection.since);
        let query = ExecutionQuery {
            triggers: selection.triggers.clone().unwrap_or_default(),
            only_dead_letters: true,
            cause: selection.cause,
            since,
            until: selection.until,
            order: Order::OldestFirst,
            limit: PAGE,
            cursor: self.next.cursor(),
            ..ExecutionQuery::default()
        };
        let page = executions.executions(query).await.map_err(|error| unavailable(&error))?;
        self.next = Next::behind(page.next);
        self.page.extend(page.items.into_iter().filter(|found| is_behind(found.id)));
        Ok(true)
    }
}

impl AsRef<Self> for Selection {
    fn as_ref(&self) -> &Self {
        self
    }
}

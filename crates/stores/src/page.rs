//! Pages: limits, cursors and how far a page looks.

use std::fmt::Display;

use evoke_model::{Cause, EventId, ExecutionId, State, Timestamp, TriggerId};
use evoke_ports::store::{AuditQuery, BadCursor, EventQuery, ExecutionQuery, Order, Page};

/// More items in one answer hold a reader, and the memory of the answer, for too long.
const LIMIT_MAX: u32 = 1_000;

/// A page looks at no more rows than this, about 20 ms of reading, so that a rare filter over a
/// long log neither holds a reader nor keeps the write-ahead log from being reset.
pub(crate) const SCAN_MAX: usize = 20_000;

/// Collects a page from rows that come in the order of the list.
pub(crate) struct Pager<T, C> {
    items: Vec<T>,
    limit: usize,
    seen: usize,
    last: Option<C>,
    more: bool,
}

/// What to do with a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It belongs to the page.
    Take,
    /// It does not; look on.
    Skip,
    /// The page is complete.
    Stop,
}

impl<T, C: Copy + Display> Pager<T, C> {
    /// A page of at most `limit` items, 1 to 1,000.
    pub(crate) fn new(limit: u32) -> Self {
        let limit = limit.clamp(1, LIMIT_MAX) as usize;
        Self { items: Vec::new(), limit, seen: 0, last: None, more: false }
    }

    /// How many items the page holds at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Judges the row at `place`, told whether it fits the query.
    pub(crate) fn look(&mut self, place: C, fits: Fits) -> Look {
        let full = fits == Fits::Yes && self.items.len() == self.limit;
        if full || self.seen == SCAN_MAX {
            self.more = true;
            return Look::Stop;
        }
        self.seen += 1;
        self.last = Some(place);
        if fits == Fits::Yes { Look::Take } else { Look::Skip }
    }

    /// Adds the row that was to be taken.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Ends the page at `place`, up to which everything was looked at, with more behind it.
    pub(crate) fn break_off(&mut self, place: C) {
        self.last = Some(place);
        self.more = true;
    }

    /// The page.
    pub(crate) fn finish(self) -> Page<T> {
        let next = self.last.filter(|_| self.more).map(|place| place.to_string());
        Page { items: self.items, next }
    }
}

/// Whether a row fits a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fits {
    Yes,
    No,
}

impl From<bool> for Fits {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Where a row stands in its list, as the number of the store.
pub(crate) trait Place: Sized + Copy + Ord + Display {
    /// From the text of a cursor.
    fn parse(text: &str) -> Option<Self>;
}

/// The place of an event in the log. As a cursor it is the number in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventPlace(pub i64);

impl Display for EventPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl Place for EventPlace {
    fn parse(text: &str) -> Option<Self> {
        i64::from_str_radix(text, 16).ok().filter(|place| *place >= 0).map(Self)
    }
}

/// The place of an execution: its event, then its trigger. As a cursor both in hex with a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExecutionPlace(pub i64, pub i64);

impl ExecutionPlace {
    pub(crate) fn of(id: ExecutionId) -> Self {
        Self(id.event.as_u64() as i64, id.trigger.as_u64() as i64)
    }

    pub(crate) fn id(self) -> ExecutionId {
        ExecutionId {
            event: EventId::from_u64(self.0 as u64),
            trigger: TriggerId::from_u64(self.1 as u64),
        }
    }
}

impl Display for ExecutionPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}.{:x}", self.0, self.1)
    }
}

impl Place for ExecutionPlace {
    fn parse(text: &str) -> Option<Self> {
        let (event, trigger) = text.split_once('.')?;
        Some(Self(EventPlace::parse(event)?.0, EventPlace::parse(trigger)?.0))
    }
}

/// The part of a list a page may come from, both ends excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range<P> {
    pub after: P,
    pub before: P,
}

impl<P: Place> Range<P> {
    fn cut(mut self, order: Order, cursor: Option<&str>) -> Result<Self, BadCursor> {
        if let Some(text) = cursor {
            let place = P::parse(text).ok_or_else(|| BadCursor(text.to_owned()))?;
            match order {
                Order::NewestFirst => self.before = self.before.min(place),
                Order::OldestFirst => self.after = self.after.max(place),
            }
        }
        Ok(self)
    }

    /// Whether nothing can be in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.after >= self.before
    }
}

/// The first and the last event number, the last excluded, that was made in this time.
fn numbers(since: Option<Timestamp>, until: Option<Timestamp>) -> (i64, i64) {
    let first = |instant| EventId::first_at(instant).as_u64() as i64;
    (since.map_or(0, first), until.map_or(i64::MAX, first))
}

/// Where the events of a query lie.
pub(crate) fn event_range(query: &EventQuery) -> Result<Range<EventPlace>, BadCursor> {
    let (from, to) = numbers(query.since, query.until);
    Range { after: EventPlace(from - 1), before: EventPlace(to) }
        .cut(query.order, query.cursor.as_deref())
}

/// Where the executions of a query lie.
pub(crate) fn execution_range(query: &ExecutionQuery) -> Result<Range<ExecutionPlace>, BadCursor> {
    let (mut from, mut to) = numbers(query.since, query.until);
    if let Some(event) = query.event {
        let event = event.as_u64() as i64;
        from = from.max(event);
        to = to.min(event.saturating_add(1));
    }
    // No trigger has a negative number, so these exclude exactly what is outside.
    Range { after: ExecutionPlace(from - 1, i64::MAX), before: ExecutionPlace(to, -1) }
        .cut(query.order, query.cursor.as_deref())
}

/// Where the audit entries of a query lie, newest first.
pub(crate) fn audit_range(query: &AuditQuery) -> Result<Range<EventPlace>, BadCursor> {
    Range { after: EventPlace(-1), before: EventPlace(i64::MAX) }
        .cut(Order::NewestFirst, query.cursor.as_deref())
}

/// Whether a word is the wanted one, or begins with the wanted prefix that ends in `*`.
fn word_fits(wanted: Option<&str>, word: &str) -> bool {
    match wanted {
        None => true,
        Some(wanted) => match wanted.strip_suffix('*') {
            Some(prefix) => word.starts_with(prefix),
            None => word == wanted,
        },
    }
}

/// Whether an audit entry with these words fits a query.
pub(crate) fn audit_fits(query: &AuditQuery, action: &str, subject: &str) -> bool {
    word_fits(query.action.as_deref(), action)
        && query.subject.as_deref().is_none_or(|wanted| wanted == subject)
}

/// Whether an event fits all of a query but its place and its root.
pub(crate) fn event_fits(query: &EventQuery, event: EventFields<'_>) -> bool {
    word_fits(query.kind.as_deref(), event.kind)
        && query.source.as_deref().is_none_or(|source| source == event.source)
        && query.subject.as_deref().is_none_or(|subject| Some(subject) == event.subject)
}

/// The fields of an event a query asks for.
pub(crate) struct EventFields<'e> {
    pub kind: &'e str,
    pub source: &'e str,
    pub subject: Option<&'e str>,
}

/// Whether an execution fits all of a query but its place.
pub(crate) fn execution_fits(query: &ExecutionQuery, execution: ExecutionFields) -> bool {
    (query.triggers.is_empty() || query.triggers.contains(&execution.trigger))
        && (query.states.is_empty() || query.states.contains(&execution.state))
        && query.is_test_run.is_none_or(|wanted| wanted == execution.is_test_run)
        && query.is_replay.is_none_or(|wanted| wanted == execution.is_replay)
        && (!query.only_dead_letters || execution.cause.is_some())
        && (query.cause.is_none() || query.cause == execution.cause)
}

/// The fields of an execution a query asks for.
pub(crate) struct ExecutionFields {
    pub trigger: TriggerId,
    pub state: State,
    pub is_test_run: bool,
    pub is_replay: bool,
    pub cause: Option<Cause>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_foreign_ones_are_refused() {
        let place = ExecutionPlace(77, 3);
        assert_eq!(ExecutionPlace::parse(&place.to_string()), Some(place));
        assert_eq!(EventPlace::parse(&EventPlace(255).to_string()), Some(EventPlace(255)));
        for text in ["", "-1", "g", "1.2", "ffffffffffffffff"] {
            assert_eq!(EventPlace::parse(text), None, "{text}");
        }
        for text in ["", "1", ".", "1.", "1.-2", "1.2.3"] {
            assert_eq!(ExecutionPlace::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_page_has_a_next_one_only_where_another_item_may_follow() {
        // (rows, fitting rows, limit) -> (items, more)
        let cases = [
            (3, 3, 3, 3, false),
            (4, 4, 3, 3, true),
            (10, 3, 3, 3, false),
            (SCAN_MAX, 1, 3, 1, false),
            (SCAN_MAX + 1, 1, 3, 1, true),
        ];
        for (rows, fitting, limit, items, more) in cases {
            let mut pager = Pager::new(limit);
            for row in 0..rows {
                match pager.look(EventPlace(row as i64), Fits::from(row < fitting)) {
                    Look::Take => pager.push(row),
                    Look::Skip => {}
                    Look::Stop => break,
                }
            }
            let page = pager.finish();
            assert_eq!((page.items.len(), page.next.is_some()), (items, more), "{rows} {fitting}");
        }
    }

    #[test]
    fn a_type_is_exact_or_a_prefix() {
        let cases = [
            (None, true),
            (Some("order.paid"), true),
            (Some("order.*"), true),
            (Some("*"), true),
            (Some("order"), false),
            (Some("user.*"), false),
        ];
        for (wanted, fits) in cases {
            assert_eq!(word_fits(wanted, "order.paid"), fits, "{wanted:?}");
        }
    }
}

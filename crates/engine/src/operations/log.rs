//! The events of the log that a replay asks for, read page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use evoke_matching::{Filter, Pattern, Separator};
use evoke_model::{Code, Event, EventId, Millis, Problem, Rejection};
use evoke_ports::store::{EventQuery, Order};

use super::request::Replay;
use crate::dead_letters::{Found, Next, check_span, compile};
use crate::record::unavailable;
use crate::start::Inner;

/// Events read at a time.
const PAGE: u32 = 100;

/// The events of a request, checked.
pub(super) struct Wanted {
    kind: Option<Pattern>,
    source: Option<Pattern>,
    subject: Option<Pattern>,
    filter: Option<Filter>,
    /// What the store can pick by itself.
    query: EventQuery,
}

impl Wanted {
    /// # Errors
    /// API_001 with everything that is wrong.
    pub(super) fn of(replay: &Replay) -> Result<Self, Rejection> {
        let mut problems = Vec::new();
        problems.extend(check_span(replay.since, replay.until));
        let mut part = |field: &str, text: &Option<String>, separator| {
            let named = |problem| Problem { field: field.to_owned(), ..problem };
            let pattern = Pattern::parse(text.as_deref()?, separator);
            pattern.map_err(|problem| problems.push(named(problem))).ok()
        };
        let kind = part("type", &replay.kind, Separator::Dot);
        let source = part("source", &replay.source, Separator::Slash);
        let subject = part("subject", &replay.subject, Separator::Slash);
        let filter = compile(replay.filter.as_deref(), &mut problems);
        if !problems.is_empty() {
            return Err(Rejection::of(Code::InvalidRequest, problems));
        }
        let query = EventQuery {
            kind: replay.kind.as_deref().and_then(beginning),
            source: replay.source.clone().filter(|text| !text.contains('*')),
            subject: replay.subject.clone().filter(|text| !text.contains('*')),
            since: replay.since,
            until: replay.until,
            order: Order::OldestFirst,
            limit: PAGE,
            ..EventQuery::default()
        };
        Ok(Self { kind, source, subject, filter, query })
    }

    /// Whether an event is to be sent again. Test runs are not, and neither is what is a repetition
    /// itself: its original is in the log as well.
    pub(super) fn takes(&self, event: &Event) -> bool {
        let accepted = event.id.made_at();
        !event.is_test_run
            && event.replay_of.is_none()
            && self.query.since.is_none_or(|since| accepted >= since)
            && self.query.until.is_none_or(|until| accepted < until)
            && self.kind.as_ref().is_none_or(|pattern| pattern.matches(&event.kind))
            && self.source.as_ref().is_none_or(|pattern| pattern.matches(&event.source))
            && self.subject.as_ref().is_none_or(|pattern| {
                event.subject.as_deref().is_some_and(|subject| pattern.matches(subject))
            })
            // A condition without an answer is no match, as in a trigger.
            && self.filter.as_ref().is_none_or(|filter| filter.takes(event).unwrap_or(false))
    }
}

/// What all types that fit a pattern begin with, as the store takes it: the pattern itself where it
/// has no stars, otherwise what stands before the first one.
fn beginning(pattern: &str) -> Option<String> {
    if pattern.contains('|') {
        return None;
    }
    match pattern.split_once('*') {
        None => Some(pattern.to_owned()),
        Some((begin, _)) => {
            // `order.**` takes `order` too.
            let begin = begin.trim_end_matches('.');
            (!begin.is_empty()).then(|| format!("{begin}*"))
        }
    }
}

/// The wanted events one after the other, oldest first, from the record and the archive.
///
/// Retention may move an event from the one to the other at any moment. None is missed, because a
/// part of the log is read from the record first and from the archive after that: what is not in
/// the record any more by then is in the archive already.
pub(super) struct Log {
    wanted: Wanted,
    after: Option<EventId>,
    /// What came later than this was accepted after somebody asked.
    newest: EventId,
    record: Part,
    /// Up to here the record was read.
    read_to: EventId,
    archive: Part,
    /// Behind this the archive is read now, up to where the record was read.
    archive_after: EventId,
    /// How many were looked at.
    pub(super) seen: u64,
    /// The last one that was looked at.
    pub(super) at: Option<EventId>,
}

/// What was read of one of the places where events are.
struct Part {
    page: VecDeque<Arc<Event>>,
    next: Next,
}

impl Part {
    const fn new(next: Next) -> Self {
        Self { page: VecDeque::new(), next }
    }

    fn head(&self) -> Option<EventId> {
        self.page.front().map(|event| event.id)
    }
}

impl Log {
    /// Begins behind `after` and ends with `newest`.
    pub(super) fn from(wanted: Wanted, after: Option<EventId>, newest: EventId) -> Self {
        let begin = after.unwrap_or(EventId::from_u64(0));
        Self {
            wanted,
            after,
            newest,
            record: Part::new(Next::Begin),
            read_to: begin,
            archive: Part::new(Next::End),
            archive_after: begin,
            seen: 0,
            at: after,
        }
    }

    /// One step. Dropped before its end it has done nothing.
    pub(super) async fn next(&mut self, inner: &Inner) -> Result<Found<Arc<Event>>, Rejection> {
        loop {
            if self.archive.page.is_empty() && self.archive.next.is_open() {
                self.read_archive(inner).await?;
                return Ok(Found::Read);
            }
            let Some(event) = self.pop() else { break };
            self.seen += 1;
            self.at = Some(event.id);
            if self.wanted.takes(&event) {
                return Ok(Found::One(event));
            }
        }
        if !self.record.next.is_open() {
            return Ok(Found::End);
        }
        self.read_record(inner).await?;
        Ok(Found::Read)
    }

    /// The oldest of what was read. One that is in both places counts once.
    fn pop(&mut self) -> Option<Arc<Event>> {
        match (self.record.head(), self.archive.head()) {
            (Some(recorded), Some(archived)) if archived <= recorded => {
                if archived == recorded {
                    self.archive.page.pop_front();
                    return self.record.page.pop_front();
                }
                self.archive.page.pop_front()
            }
            (Some(_), _) => self.record.page.pop_front(),
            (None, _) => self.archive.page.pop_front(),
        }
    }

    async fn read_record(&mut self, inner: &Inner) -> Result<(), Rejection> {
        // On the way on from a restart it begins in the millisecond where it was.
        let since = self.after.map(EventId::made_at).max(self.wanted.query.since);
        let cursor = self.record.next.cursor();
        let query = EventQuery { since, cursor, ..self.wanted.query.clone() };
        let page = inner.store.events().events(query).await.map_err(|error| unavailable(&error))?;
        let last = page.items.last().map(|event| event.id);
        let is_over = last.is_some_and(|last| last > self.newest);
        self.record.next = Next::behind(page.next.filter(|_| !is_over));
        let is_asked = |event: &Arc<Event>| {
            event.id <= self.newest && self.after.is_none_or(|after| event.id > after)
        };
        self.record.page.extend(page.items.into_iter().filter(is_asked));
        // The archive is read as far as the record was.
        let read_to = if self.record.next.is_open() { last } else { Some(self.newest) };
        if let Some(read_to) = read_to {
            self.archive_after = self.read_to;
            self.read_to = self.read_to.max(read_to);
            self.archive.next = Next::Begin;
        }
        Ok(())
    }

    async fn read_archive(&mut self, inner: &Inner) -> Result<(), Rejection> {
        let behind = self.read_to.made_at().plus(Millis::new(1));
        let until = self.wanted.query.until.map_or(behind, |until| until.min(behind));
        let since = Some(self.archive_after.made_at()).max(self.wanted.query.since);
        let cursor = self.archive.next.cursor();
        let query = EventQuery { since, until: Some(until), cursor, ..self.wanted.query.clone() };
        let page = inner.list_events(&query).await.map_err(|error| unavailable(&error))?;
        let is_part =
            |event: &Arc<Event>| event.id > self.archive_after && event.id <= self.read_to;
        self.archive.page.extend(page.items.into_iter().filter(is_part));
        self.archive.next = Next::behind(page.next);
        Ok(())
    }
}

/// An event as it is sent again, under an id of its own: nothing but its own content takes it
/// anywhere, so it stands at the beginning of a chain of causes and is due at once.
pub(super) fn again(original: &Event, id: EventId) -> Event {
    Event {
        id,
        sender_id: None,
        lineage: None,
        traceparent: None,
        due: None,
        replay_of: Some(original.id),
        ..original.clone()
    }
}

/// Whether an event went to one function without being wanted by any trigger: a request, a direct
/// call.
pub(super) fn is_direct(event: &Event) -> bool {
    match &*event.source {
        "/http" => &*event.kind == "http.request",
        "/invoke" => event.kind.starts_with("invoke."),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{Data, Timestamp};

    fn event(kind: &str) -> Event {
        Event {
            id: EventId::from_u64(1 << 40),
            sender_id: Some("s-1".into()),
            source: "/shop/eu".into(),
            kind: kind.into(),
            subject: Some("order/7".into()),
            time: Timestamp::EPOCH,
            content_type: None,
            data_schema: None,
            data: Data::Json(r#"{"total": 5}"#.into()),
            extensions: None,
            lineage: None,
            traceparent: Some("00-1".into()),
            ordering_key: Some("7".into()),
            due: Some(Timestamp::EPOCH),
            is_test_run: false,
            replay_of: None,
        }
    }

    #[test]
    fn what_is_wanted_fits_everything_that_was_asked_for() {
        let text = |text: &str| Some(text.to_owned());
        let kind = |kind| Replay { kind: text(kind), ..Replay::default() };
        for (replay, fits) in [
            (Replay::default(), true),
            (kind("order.*"), true),
            (kind("order"), false),
            (kind("user.*|order.paid"), true),
            (Replay { source: text("/shop/*"), ..Replay::default() }, true),
            (Replay { source: text("/shop"), ..Replay::default() }, false),
            (Replay { subject: text("order/*"), ..Replay::default() }, true),
            (Replay { filter: text("event.data.total > 4"), ..Replay::default() }, true),
            (Replay { filter: text("event.data.total > 5"), ..Replay::default() }, false),
            (Replay { filter: text("event.data.sum > 5"), ..Replay::default() }, false),
            (Replay { until: Some(Timestamp::EPOCH), ..Replay::default() }, false),
            (Replay { since: Some(Timestamp::EPOCH), ..Replay::default() }, true),
        ] {
            let wanted = Wanted::of(&replay).expect("a good request");
            assert_eq!(wanted.takes(&event("order.paid")), fits, "{replay:?}");
        }
    }

    #[test]
    fn test_runs_and_repetitions_are_never_sent_again() {
        let wanted = Wanted::of(&Replay::default()).expect("a good request");
        let test = Event { is_test_run: true, ..event("a") };
        let repetition = again(&event("a"), EventId::from_u64(2 << 40));
        assert!(!wanted.takes(&test) && !wanted.takes(&repetition));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let replay = Replay {
            kind: Some(String::new()),
            filter: Some("1 +".into()),
            since: Some(Timestamp::from_millis(5)),
            until: Some(Timestamp::from_millis(5)),
            ..Replay::default()
        };
        let rejection = Wanted::of(&replay).err().expect("it is refused");
        let fields: Vec<_> = rejection.problems.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["until", "type", "filter"]);
    }

    #[test]
    fn the_store_is_asked_for_no_less_than_what_fits() {
        for (pattern, begin) in [
            ("order.paid", Some("order.paid")),
            ("order.*", Some("order*")),
            ("order.**", Some("order*")),
            ("user-*.created", Some("user-*")),
            ("*", None),
            ("**.paid", None),
            ("a|b", None),
        ] {
            assert_eq!(beginning(pattern).as_deref(), begin, "{pattern}");
        }
    }

    #[test]
    fn an_event_keeps_its_content_and_nothing_of_its_way() {
        let original = event("order.paid");
        let id = EventId::from_u64(2 << 40);
        let again = again(&original, id);
        assert_eq!(again.replay_of, Some(original.id));
        assert_eq!((again.public_id(), again.time), (id.to_string(), original.time));
        assert_eq!((&again.data, &again.ordering_key), (&original.data, &original.ordering_key));
        assert_eq!((again.due, again.traceparent, again.lineage), (None, None, None));
    }

    #[test]
    fn requests_and_direct_calls_are_known_by_where_they_came_from() {
        for (source, kind, is_one) in [
            ("/http", "http.request", true),
            ("/invoke", "invoke.resize", true),
            ("/api/events", "http.request", false),
            ("/api/events", "invoke.resize", false),
            ("/http", "order.paid", false),
        ] {
            let event = Event { source: source.into(), ..event(kind) };
            assert_eq!(is_direct(&event), is_one, "{source} {kind}");
        }
    }
}

//! The events of the log that a replay asks for, read page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use evoke_matching::{Filter, Pattern, Separator};
use evoke_model::{Code, Event, EventId, Problem, Rejection};
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
            root: None,
            since: replay.since,
            until: replay.until,
            order: Order::OldestFirst,
            limit: PAGE,
            cursor: None,
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

/// The wanted events one after the other, oldest first.
pub(super) struct Log {
    wanted: Wanted,
    after: Option<EventId>,
    /// What came later than this was accepted after somebody asked.
    newest: EventId,
    page: VecDeque<Arc<Event>>,
    next: Next,
    /// How many were looked at.
    pub(super) seen: u64,
    /// The last one that was looked at.
    pub(super) at: Option<EventId>,
}

impl Log {
    /// Begins behind `after` and ends with `newest`.
    pub(super) fn from(wanted: Wanted, after: Option<EventId>, newest: EventId) -> Self {
        let (page, next) = (VecDeque::new(), Next::Begin);
        Self { wanted, after, newest, page, next, seen: 0, at: after }
    }

    /// One step. Dropped before its end it has done nothing.
    pub(super) async fn next(&mut self, inner: &Inner) -> Result<Found<Arc<Event>>, Rejection> {
        while let Some(event) = self.page.pop_front() {
            if event.id > self.newest {
                self.page.clear();
                self.next = Next::End;
                break;
            }
            self.seen += 1;
            self.at = Some(event.id);
            if self.wanted.takes(&event) {
                return Ok(Found::One(event));
            }
        }
        Ok(if self.read(inner).await? { Found::Read } else { Found::End })
    }

    async fn read(&mut self, inner: &Inner) -> Result<bool, Rejection> {
        let cursor = match &self.next {
            Next::End => return Ok(false),
            Next::Begin => None,
            Next::Page(cursor) => Some(cursor.clone()),
        };
        // On the way on from a restart it begins in the millisecond where it was.
        let since = self.after.map(EventId::made_at).max(self.wanted.query.since);
        let query = EventQuery { since, cursor, ..self.wanted.query.clone() };
        let page = inner.store.events().events(query).await.map_err(|error| unavailable(&error))?;
        let is_behind = |event: &Arc<Event>| self.after.is_none_or(|after| event.id > after);
        self.page.extend(page.items.into_iter().filter(is_behind));
        self.next = page.next.map_or(Next::End, Next::Page);
        Ok(true)
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

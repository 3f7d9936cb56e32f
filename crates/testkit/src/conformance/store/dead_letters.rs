//! Dead letters: what makes one, what is done with it by hand.

use bytes::Bytes;
use evoke_model::{Cause, Data, Event, ExecutionId, Millis, Redirect, State};
use evoke_ports::store::{Change, DeadLetters, ExecutionQuery, Finish, NewExecution, Next, Write};

use super::bench::{Bench, done, failed, pending, succeeded};
use super::{Harness, bench};

pub(super) async fn run<H: Harness>(harness: &H) {
    a_cause_makes_a_dead_letter(&mut bench(harness).1).await;
    what_is_opened_again_is_none_any_more(&mut bench(harness).1).await;
    discarded_ones_leave_the_list(&mut bench(harness).1).await;
    edited_data_is_what_an_execution_gets(&mut bench(harness).1).await;
    only_what_is_final_is_edited(&mut bench(harness).1).await;
    a_redirect_is_kept_until_there_is_another(&mut bench(harness).1).await;
    they_are_filtered(&mut bench(harness).1).await;
    a_rare_cause_gives_short_pages(&mut bench(harness).1).await;
}

const CAUSE: Cause = Cause(u64::MAX - 1);

async fn groups(bench: &Bench) -> Vec<DeadLetters> {
    bench.store.executions().dead_letters().await.expect("count dead letters")
}

async fn listed(bench: &Bench, query: ExecutionQuery) -> Vec<ExecutionId> {
    let query = ExecutionQuery { only_dead_letters: true, limit: 1_000, ..query };
    let page = bench.store.executions().executions(query).await.expect("list dead letters");
    page.items.iter().map(|execution| execution.id).collect()
}

fn one(id: ExecutionId, cause: Cause) -> DeadLetters {
    DeadLetters { trigger: id.trigger, cause, count: 1, first: id.event, last: id.event }
}

async fn a_cause_makes_a_dead_letter(bench: &mut Bench) {
    let (dead, failed_only, never_ran, retried) =
        (bench.waiting(), bench.waiting(), bench.waiting(), bench.waiting());
    bench.bury(dead, State::TimedOut, CAUSE);
    bench.finish(failed_only, Some(failed(1)), done(State::Failed));
    let finish = |id, next, attempt| {
        Write::Finish(vec![Finish { id, attempt, next, cause: Some(Cause(0)) }])
    };
    bench.commit(finish(never_ran, done(State::Failed), None));
    // Another attempt follows, so that it is none yet.
    let retry = Next::Retry { due: bench.now };
    bench.commit(finish(retried, retry.clone(), Some(failed(1))));
    bench.commit(finish(retried, retry, None));

    let found = bench.execution(dead).await;
    assert_eq!(
        (found.state, found.cause, found.is_dead_letter()),
        (State::TimedOut, Some(CAUSE), true)
    );
    assert_eq!(bench.execution(failed_only).await.cause, None);
    assert_eq!(bench.execution(never_ran).await.cause, Some(Cause(0)));
    assert_eq!(bench.execution(retried).await.cause, None);
    assert_eq!(groups(bench).await, [one(dead, CAUSE), one(never_ran, Cause(0))]);
    assert_eq!(listed(bench, ExecutionQuery::default()).await, [never_ran, dead]);
    // A later attempt of one that is final changes nothing about it.
    assert!(bench.finish(dead, Some(succeeded(2)), done(State::Success)));
    assert_eq!(bench.execution(dead).await.cause, Some(CAUSE));
    // The second attempt makes one of what the first did not.
    bench.bury(retried, State::Failed, CAUSE);
    assert_eq!(bench.execution(retried).await.cause, Some(CAUSE));
}

async fn what_is_opened_again_is_none_any_more(bench: &mut Bench) {
    let id = bench.waiting();
    bench.bury(id, State::Failed, CAUSE);
    assert!(bench.change(Change::Reopen { id, due: bench.now, redirect: None }));
    assert_eq!(bench.execution(id).await.cause, None);
    assert_eq!(groups(bench).await, []);
    assert_eq!(listed(bench, ExecutionQuery::default()).await, []);
    bench.bury(id, State::Failed, Cause(3));
    assert_eq!(groups(bench).await, [one(id, Cause(3))]);
}

async fn discarded_ones_leave_the_list(bench: &mut Bench) {
    let (dead, kept, waiting) = (bench.waiting(), bench.waiting(), bench.waiting());
    bench.bury(dead, State::Failed, CAUSE);
    bench.bury(kept, State::Failed, CAUSE);
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: dead.trigger };
    assert!(bench.change(Change::Discard(vec![waiting, unknown, dead])));
    assert!(!bench.change(Change::Discard(vec![dead, waiting])));
    assert!(!bench.change(Change::Discard(Vec::new())));
    let found = bench.execution(dead).await;
    assert_eq!((found.state, found.cause, found.last), (State::Failed, None, Some(failed(1))));
    assert_eq!(groups(bench).await, [one(kept, CAUSE)]);
    assert_eq!(bench.execution(waiting).await.state, State::Pending);
}

async fn edited(bench: &Bench, id: ExecutionId) -> Option<Data> {
    bench.store.executions().edited(id).await.expect("read edited data")
}

async fn edited_data_is_what_an_execution_gets(bench: &mut Bench) {
    let event = bench.event("edited");
    let (trigger, other) = (bench.trigger(), bench.trigger());
    let executions = [trigger, other].map(|trigger| pending(&event, trigger, bench.now)).to_vec();
    let id = executions[0].id;
    bench.ingest_planned(std::slice::from_ref(&event), executions);
    bench.bury(id, State::Failed, CAUSE);
    let texts = [
        Data::Json(Bytes::from_static(b"{\"fixed\":1}")),
        Data::Binary(Bytes::from_static(&[0, 255])),
        Data::None,
    ];
    for data in texts {
        assert!(bench.change(Change::Edit { id, data: data.clone() }));
        assert_eq!(edited(bench, id).await, Some(data.clone()));
        assert!(bench.execution(id).await.is_edited);
        assert_eq!(bench.execution(id).await.cause, Some(CAUSE), "it is dead still");
        bench.change(Change::Reopen { id, due: bench.now, redirect: None });
        let waiting = bench.due(trigger).await;
        assert_eq!(*waiting[0].event, Event { data, ..event.clone() });
        bench.bury(id, State::Failed, CAUSE);
    }
    assert_eq!(bench.stored_event(id.event).await, Some(event.clone()), "the event stays");
    assert_eq!(*bench.due(other).await[0].event, event, "and so does what others get");
    assert_eq!(edited(bench, ExecutionId { trigger: other, ..id }).await, None);
}

async fn only_what_is_final_is_edited(bench: &mut Bench) {
    let (waiting, over) = (bench.waiting(), bench.waiting());
    let data = Data::Text(Bytes::from_static(b"x"));
    let unknown = ExecutionId { event: bench.event("lost").id, trigger: over.trigger };
    for id in [waiting, unknown] {
        assert!(!bench.change(Change::Edit { id, data: data.clone() }));
        assert_eq!(edited(bench, id).await, None);
    }
    assert!(!bench.execution(waiting).await.is_edited);
    bench.finish(over, Some(succeeded(1)), done(State::Success));
    assert!(bench.change(Change::Edit { id: over, data }));
}

async fn a_redirect_is_kept_until_there_is_another(bench: &mut Bench) {
    let redirect = |function: &str, version| Redirect { function: function.into(), version };
    let (first, second) = (redirect("new \"one\"", Some(3)), redirect("newer", None));
    let event = bench.event("redirected");
    let execution = NewExecution {
        redirect: Some(Box::new(first.clone())),
        is_replay: true,
        ..pending(&event, bench.trigger(), bench.now)
    };
    let id = execution.id;
    bench.ingest_planned(&[event], vec![execution]);
    let found = bench.execution(id).await;
    assert_eq!((found.redirect.as_ref(), found.is_replay), (Some(&first), true));
    for (asked, expected) in [(None, &first), (Some(second.clone()), &second), (None, &second)] {
        bench.bury(id, State::Failed, CAUSE);
        bench.change(Change::Reopen { id, due: bench.now, redirect: asked });
        assert_eq!(bench.execution(id).await.redirect.as_ref(), Some(expected));
        assert_eq!(bench.due(id.trigger).await[0].redirect.as_deref(), Some(expected));
        let named = bench.store.executions().redirects().await.expect("read redirects");
        assert_eq!(named.iter().collect::<Vec<_>>(), [expected]);
    }
    bench.bury(id, State::Failed, CAUSE);
    let named = bench.store.executions().redirects().await.expect("read redirects");
    assert_eq!(named, [], "only what waits counts");
}

async fn they_are_filtered(bench: &mut Bench) {
    let triggers = [bench.trigger(), bench.trigger()];
    let mut ids = Vec::new();
    for n in 0..8_u64 {
        bench.now = bench.now.plus(Millis::from_secs(1));
        let event = bench.event("filtered");
        let mut execution = pending(&event, triggers[n as usize % 2], bench.now);
        execution.is_test_run = n < 2;
        execution.is_replay = n >= 6;
        ids.push(execution.id);
        bench.ingest_planned(&[event], vec![execution]);
        let state = if n == 3 { State::TimedOut } else { State::Failed };
        bench.bury(ids[n as usize], state, Cause(n % 4));
    }
    let all = ExecutionQuery::default();
    let cases: Vec<(ExecutionQuery, &[usize])> = vec![
        (all.clone(), &[7, 6, 5, 4, 3, 2, 1, 0]),
        (ExecutionQuery { cause: Some(Cause(1)), ..all.clone() }, &[5, 1]),
        (ExecutionQuery { cause: Some(Cause(9)), ..all.clone() }, &[]),
        (ExecutionQuery { triggers: vec![triggers[0]], ..all.clone() }, &[6, 4, 2, 0]),
        (ExecutionQuery { states: vec![State::TimedOut], ..all.clone() }, &[3]),
        (ExecutionQuery { states: vec![State::Success], ..all.clone() }, &[]),
        (ExecutionQuery { is_test_run: Some(true), ..all.clone() }, &[1, 0]),
        (ExecutionQuery { is_replay: Some(true), cause: Some(Cause(2)), ..all.clone() }, &[6]),
        (ExecutionQuery { event: Some(ids[5].event), ..all.clone() }, &[5]),
        (ExecutionQuery { event: Some(ids[5].event), cause: Some(Cause(0)), ..all.clone() }, &[]),
        (ExecutionQuery { since: Some(ids[6].event.made_at()), ..all }, &[7, 6]),
    ];
    for (query, expected) in cases {
        let expected: Vec<ExecutionId> = expected.iter().map(|n| ids[*n]).collect();
        assert_eq!(listed(bench, query.clone()).await, expected, "{query:?}");
    }
}

/// Many of one cause, and two of another at the ends of the list: each page looks at a bounded
/// number of rows, and the pages together have everything once.
async fn a_rare_cause_gives_short_pages(bench: &mut Bench) {
    const MANY: usize = 30_000;
    let (trigger, other) = (bench.trigger(), bench.trigger());
    let first = dead(bench, trigger, (1, Cause(1)));
    dead(bench, trigger, (MANY, Cause(2)));
    let between = dead(bench, other, (1, Cause(1)));
    dead(bench, trigger, (10, Cause(2)));
    let last = dead(bench, trigger, (1, Cause(1)));
    let mut query =
        ExecutionQuery { cause: Some(Cause(1)), limit: 10, ..ExecutionQuery::default() };
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = bench.store.executions().executions(query.clone()).await.expect("list");
        found.extend(page.items.iter().map(|execution| execution.id));
        pages += 1;
        match page.next {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(found, [last[0], between[0], first[0]]);
    assert!(pages > 1, "a page that looked at every row");
}

fn dead(
    bench: &mut Bench,
    trigger: evoke_model::TriggerId,
    (count, cause): (usize, Cause),
) -> Vec<ExecutionId> {
    let events: Vec<Event> = (0..count).map(|_| bench.event("dead")).collect();
    bench.ingest(&events, trigger);
    let ids: Vec<_> = events.iter().map(|event| ExecutionId { event: event.id, trigger }).collect();
    let finish = |id: &ExecutionId| Finish {
        id: *id,
        attempt: None,
        next: done(State::Failed),
        cause: Some(cause),
    };
    bench.commit(Write::Finish(ids.iter().map(finish).collect()));
    ids
}

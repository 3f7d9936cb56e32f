//! Dead letters: grouped, edited, purged, run again.

#![expect(clippy::expect_used, reason = "a failing test says where")]

#[path = "support/over.rs"]
mod over;
mod support;
#[path = "support/wait.rs"]
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evoke_engine::{Actor, DeadLetterFilter, Draft, Engine, Redrive};
use evoke_model::operation::OperationStatus;
use evoke_model::{Code, Data, ExecutionId, Failure, State};
use evoke_ports::store::{AuditQuery, ExecutionQuery};
use evoke_stores::memory::MemoryStore;
use over::{dead, once, over, somebody};
use serde_json::json;
use support::{Script, draft, engine, script, trigger};
use wait::{query, reach};

/// An endpoint that fails with what the data says until it is mended; what it got is kept.
struct Broken {
    endpoint: Arc<Script>,
    mended: Arc<AtomicBool>,
    got: Arc<parking_lot::Mutex<Vec<String>>>,
}

fn broken() -> Broken {
    let mended = Arc::<AtomicBool>::default();
    let got = Arc::<parking_lot::Mutex<Vec<String>>>::default();
    let (switch, list) = (mended.clone(), got.clone());
    let endpoint = script(4, move |job| {
        let data = job.event.data.to_value();
        list.lock().push(data.to_string());
        if switch.load(Ordering::Relaxed) {
            return Ok(Data::None);
        }
        let message = format!("order {} {}", data["n"], data["why"].as_str().unwrap_or("failed"));
        Err(Failure::new(Code::FunctionError, message))
    });
    Broken { endpoint, mended, got }
}

fn order(n: u64, why: &str) -> Draft {
    Draft { data: Data::from_value(&json!({ "n": n, "why": why })), ..draft("order") }
}

/// An engine with five dead letters of two causes.
async fn with_dead_letters(broken: &Broken) -> Engine {
    let engine = engine(Arc::new(MemoryStore::new()), broken.endpoint.clone()).await;
    engine.create_trigger(trigger("order", once()), &Actor::local()).await.expect("a trigger");
    let orders = (0..5).map(|n| order(n, if n < 3 { "is lost" } else { "is late" }));
    engine.emit(orders.collect()).await.expect("accepted");
    reach(&engine, dead(), 5).await;
    engine
}

async fn ids(engine: &Engine) -> Vec<ExecutionId> {
    let page = engine.executions(dead()).await.expect("a page");
    let mut ids: Vec<_> = page.items.iter().map(|view| view.execution.id).collect();
    ids.sort_unstable();
    ids
}

fn metric(engine: &Engine, line: &str) -> bool {
    engine.render_metrics().lines().any(|own| own == line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_made_by_cause_and_counted() {
    let broken = broken();
    let engine = with_dead_letters(&broken).await;
    let groups = engine.dead_letter_groups(&DeadLetterFilter::default()).await.expect("groups");
    let counts: Vec<_> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [3, 2]);
    let sample = groups[0].sample.as_ref().expect("the newest's failure");
    assert_eq!(sample.message, "order 2 is lost");
    assert_eq!(groups[0].sample_id, ids(&engine).await[2]);
    assert!(groups[0].first_at <= groups[0].last_at);
    let cause = Some(groups[1].cause);
    let own = engine.executions(ExecutionQuery { cause, ..dead() }).await.expect("a page");
    assert_eq!(own.items.len(), 2);
    assert!(metric(&engine, "evoke_dead_letters{trigger=\"on order\"} 5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_picks_by_everything_it_names() {
    let broken = broken();
    let engine = with_dead_letters(&broken).await;
    let all = ids(&engine).await;
    let groups = engine.dead_letter_groups(&DeadLetterFilter::default()).await.expect("groups");
    let trigger = all[0].trigger;
    let other = evoke_model::TriggerId::from_u64(1);
    let filter = DeadLetterFilter::default;
    let far = evoke_model::Timestamp::from_millis(1);
    for (filter, wanted) in [
        (filter(), 5),
        (DeadLetterFilter { trigger: Some(trigger), ..filter() }, 5),
        (DeadLetterFilter { trigger: Some(other), ..filter() }, 0),
        (DeadLetterFilter { function: Some("none".into()), ..filter() }, 0),
        (DeadLetterFilter { cause: Some(groups[1].cause), ..filter() }, 2),
        (DeadLetterFilter::of(all[..2].to_vec()), 2),
        (DeadLetterFilter { cause: Some(groups[1].cause), ..DeadLetterFilter::of(all.clone()) }, 2),
        (DeadLetterFilter { filter: Some("event.data.n >= 1".into()), ..filter() }, 4),
        (DeadLetterFilter { filter: Some("event.data.none == 1".into()), ..filter() }, 0),
        (DeadLetterFilter { until: Some(far), ..filter() }, 0),
        (DeadLetterFilter { since: Some(far), ..filter() }, 5),
    ] {
        let request = Redrive { filter: filter.clone(), ..Redrive::default() };
        assert_eq!(engine.count_redrive(&request).await.expect("a count"), wanted, "{filter:?}");
        let groups = engine.dead_letter_groups(&filter).await.expect("groups");
        assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), wanted, "{filter:?}");
    }
    let wrong = DeadLetterFilter { filter: Some("1 +".into()), ..filter() };
    let refused = engine.dead_letter_groups(&wrong).await.map(|groups| groups.len());
    assert_eq!(refused.map_err(|rejection| rejection.code), Err(Code::InvalidRequest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_payload_is_what_it_gets_from_then_on() {
    let broken = broken();
    let engine = with_dead_letters(&broken).await;
    let id = ids(&engine).await[0];
    let data = Data::from_value(&json!({ "n": 77 }));
    engine.edit_dead_letter(id, data.clone(), &somebody()).await.expect("edited");
    assert_eq!(engine.payload_of(id).await.expect("a payload"), Some(data));
    let view = engine.execution(id).await.expect("it is there");
    assert!(view.execution.is_edited && view.execution.is_dead_letter());
    let event = engine.event(&id.event.to_string()).await.expect("it is there");
    assert_eq!(event.data.to_value()["n"], 0, "the event stays as it was");

    broken.mended.store(true, Ordering::Relaxed);
    let filter = DeadLetterFilter::of(vec![id]);
    let request = Redrive { filter, ..Redrive::default() };
    let operation = engine.redrive(request, &somebody()).await.expect("it begins");
    let operation = over(&engine, operation.id).await;
    assert_eq!((operation.progress.taken, operation.progress.succeeded), (1, 1));
    assert_eq!(broken.got.lock().last().map(String::as_str), Some(r#"{"n":77}"#));
    reach(&engine, dead(), 4).await;
    // It is no dead letter any more.
    let again = engine.edit_dead_letter(id, Data::None, &somebody()).await;
    assert_eq!(again.map_err(|rejection| rejection.code), Err(Code::NoDeadLetter));
    let nobody = ExecutionId { event: id.event, trigger: evoke_model::TriggerId::from_u64(1) };
    let nobody = engine.edit_dead_letter(nobody, Data::None, &somebody()).await;
    assert_eq!(nobody.map_err(|rejection| rejection.code), Err(Code::ExecutionNotFound));

    let query = AuditQuery { action: Some("dead_letter.edit".into()), limit: 10, ..audit() };
    let entries = engine.audit(query).await.expect("a page").items;
    assert_eq!(entries.len(), 1, "what was refused is no change");
    assert_eq!((entries[0].actor.as_str(), &entries[0].subject), ("deploy", &id.to_string()));
    assert_eq!(entries[0].detail["before"], json!({ "n": 0, "why": "is lost" }));
    assert_eq!(entries[0].detail["after"], json!({ "n": 77 }));
}

fn audit() -> AuditQuery {
    AuditQuery { action: Some("dead_letter.*".into()), limit: 100, ..AuditQuery::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_ones_leave_the_list_and_stay_in_the_record() {
    let broken = broken();
    let engine = with_dead_letters(&broken).await;
    let filter = DeadLetterFilter { filter: Some("event.data.n < 2".into()), ..Default::default() };
    let purged = engine.purge_dead_letters(filter.clone(), &somebody()).await.expect("purged");
    assert_eq!(purged, 2);
    reach(&engine, dead(), 3).await;
    reach(&engine, query(&[State::Failed]), 5).await;
    assert!(metric(&engine, "evoke_dead_letters{trigger=\"on order\"} 3"));
    let again = engine.purge_dead_letters(filter, &somebody()).await.expect("purged");
    assert_eq!(again, 0);
    let entries = engine.audit(audit()).await.expect("a page").items;
    assert_eq!(entries.len(), 1, "nothing was purged the second time");
    assert_eq!(entries[0].action, "dead_letter.purge");
    assert_eq!(entries[0].detail["count"], 2);
    assert_eq!(entries[0].detail["filter"]["filter"], "event.data.n < 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redrive_takes_only_what_it_was_asked_for() {
    let broken = broken();
    let engine = with_dead_letters(&broken).await;
    let groups = engine.dead_letter_groups(&DeadLetterFilter::default()).await.expect("groups");
    broken.mended.store(true, Ordering::Relaxed);
    let filter = DeadLetterFilter { cause: Some(groups[0].cause), ..Default::default() };
    let request = Redrive { filter, limit: Some(2), ..Redrive::default() };
    let operation = engine.redrive(request, &somebody()).await.expect("it begins");
    let operation = over(&engine, operation.id).await;
    assert_eq!(operation.status, OperationStatus::Done);
    let progress = operation.progress;
    assert_eq!((progress.taken, progress.executions, progress.succeeded), (2, 2, 2));
    reach(&engine, dead(), 3).await;
    assert!(metric(&engine, "evoke_dead_letters{trigger=\"on order\"} 3"));
    // One by hand counts as well.
    engine.retry(ids(&engine).await[0]).await.expect("it may be retried");
    reach(&engine, query(&[State::Success]), 3).await;
    assert!(metric(&engine, "evoke_dead_letters{trigger=\"on order\"} 2"));
    let entries = engine.audit(audit()).await.expect("a page").items;
    assert_eq!(entries[0].action, "dead_letter.redrive");
    assert_eq!(entries[0].subject, operation.id.to_string());
    assert_eq!(entries[0].detail["limit"], 2);
}

mod fake;

use std::sync::Arc;

use evoke_document::{Collection, Condition, Query, parse_filter};
use evoke_model::{Code, Event, EventId, Problem, Rejection, Timestamp};
use evoke_ports::Origin;
use serde_json::{Value, json};

use crate::{
    Action, Asked, Changes, Database, Definition, Operation, Tally, Told, Unknown, Wanted,
};
use fake::World;

fn origin() -> Origin {
    Origin::default()
}

async fn one(database: &Database, operation: Operation) -> Result<Value, Rejection> {
    let outcome = database.change(operation, &origin()).await?;
    let mut json = outcome.document.to_json().unwrap();
    let fields = json.as_object_mut().unwrap();
    fields.retain(|name, _| !name.starts_with('_'));
    fields.insert("action".to_owned(), json!(outcome.action.map(Action::as_str)));
    Ok(json)
}

fn on(id: &str, wanted: Wanted) -> Operation {
    Operation::new("users", Some(id), wanted)
}

fn users(schema: Option<Value>, indexes: Value) -> Collection {
    Collection::declared("users", schema, Some(&indexes)).unwrap()
}

async fn open() -> (Arc<World>, Database) {
    let world = World::new();
    let database = world.open(Unknown::Created).await;
    (world, database)
}

/// The next change somebody is told of.
async fn next(changes: &mut Changes) -> Arc<Event> {
    loop {
        match changes.next().await.unwrap() {
            Told::Change(event) => return event,
            Told::UpTo(_) => {}
            missed @ Told::Missed(_) => panic!("{missed:?}"),
        }
    }
}

/// The document a change is about.
async fn subject(changes: &mut Changes) -> String {
    next(changes).await.subject.clone().unwrap().into()
}

fn filter(given: Value) -> Vec<Condition> {
    parse_filter(&given, "where").unwrap()
}

#[tokio::test]
async fn a_document_lives_from_create_to_delete() {
    let (world, database) = open().await;
    let create = Wanted::Create(json!({ "n": 1, "deep": { "a": 1, "b": 2 } }));
    let made = one(&database, on("x", create)).await.unwrap();
    assert_eq!(made, json!({ "id": "x", "n": 1, "deep": { "a": 1, "b": 2 }, "action": "create" }));
    let merge = Wanted::Merge(json!({ "deep": { "a": null }, "m": [1] }));
    let merged = one(&database, on("x", merge.clone())).await.unwrap();
    let expected = json!({ "id": "x", "n": 1, "deep": { "b": 2 }, "m": [1], "action": "update" });
    assert_eq!(merged, expected);
    let again = one(&database, on("x", merge)).await.unwrap();
    assert_eq!(again["action"], Value::Null);
    let replaced = one(&database, on("x", Wanted::Replace(json!({ "n": 1 })))).await.unwrap();
    assert_eq!(replaced, json!({ "id": "x", "n": 1, "action": "update" }));
    let upserted = one(&database, on("y", Wanted::Upsert(json!({ "id": "y" })))).await.unwrap();
    assert_eq!(upserted, json!({ "id": "y", "action": "create" }));
    let gone = one(&database, on("x", Wanted::Delete)).await.unwrap();
    assert_eq!(gone, json!({ "id": "x", "n": 1, "action": "delete" }));
    assert_eq!(database.get("users", "x").await.unwrap_err().code, Code::DocumentNotFound);
    let told = ["create", "update", "update", "create", "delete"];
    assert_eq!(world.told(), told.map(|action| format!("database.users.{action}")));
    assert_eq!(*world.commits.lock(), 5, "what changes nothing is not committed");
    let log = world.log.lock();
    assert_eq!(
        log[1].data.to_value(),
        json!({
            "document": { "id": "x", "n": 1, "deep": { "b": 2 }, "m": [1] },
            "previous_document": { "id": "x", "n": 1, "deep": { "a": 1, "b": 2 } },
            "action": "update", "collection": "users", "changed_fields": ["deep", "m"],
        })
    );
    assert_eq!(log[4].data.to_value()["document"], Value::Null);
}

#[tokio::test]
async fn ids_are_made_where_none_is_given_and_revisions_are_those_of_events() {
    let (world, database) = open().await;
    let new = || Operation::new("users", None, Wanted::Create(json!({})));
    let first = database.change(new(), &origin()).await.unwrap().document;
    let second = database.change(new(), &origin()).await.unwrap().document;
    assert!(first.id.starts_with("doc_") && first.id < second.id, "{} {}", first.id, second.id);
    assert_eq!(EventId::from_u64(second.revision), world.log.lock()[1].id);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_code_and_field() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({ "n": 1 })))).await.unwrap();
    let revision = database.get("users", "x").await.unwrap().revision;
    let with = |revision, wanted| Operation { revision: Some(revision), ..on("x", wanted) };
    let merge = || Wanted::Merge(json!({ "n": 2 }));
    let no = Code::DocumentNotFound;
    for (operation, code, field) in [
        (on("x", Wanted::Create(json!({}))), Code::DocumentConflict, "id"),
        (on("y", merge()), no, ""),
        (on("y", Wanted::Replace(json!({}))), no, ""),
        (on("y", Wanted::Delete), no, ""),
        (on("y", Wanted::Check), no, ""),
        (with(revision + 1, merge()), Code::DocumentChanged, ""),
        (with(revision + 1, Wanted::Delete), Code::DocumentChanged, ""),
        (with(revision + 1, Wanted::Upsert(json!({}))), Code::DocumentChanged, ""),
        (on("a/b", Wanted::Create(json!({}))), Code::DocumentInvalid, "id"),
        (on("..", Wanted::Upsert(json!({}))), Code::DocumentInvalid, "id"),
        (on("x", Wanted::Create(json!({ "id": "y" }))), Code::DocumentInvalid, "document.id"),
        (on("x", Wanted::Merge(json!({ "id": "y" }))), Code::DocumentInvalid, "document.id"),
        (on("x", Wanted::Merge(json!([]))), Code::DocumentInvalid, "document"),
        (on("z", Wanted::Create(json!(7))), Code::DocumentInvalid, "document"),
        (on("z", Wanted::Create(json!({ "_own": 7 }))), Code::DocumentInvalid, "document._own"),
    ] {
        let shown = format!("{operation:?}");
        let refused = database.change(operation, &origin()).await.unwrap_err();
        assert_eq!(refused.code, code, "{shown}: {refused:?}");
        let told = refused.problems.first().map_or("", |problem| problem.field.as_str());
        assert_eq!(told, field, "{shown}: {refused:?}");
    }
    let kept = with(revision, merge());
    assert_eq!(one(&database, kept).await.unwrap()["n"], 2);
    assert_eq!(world.told().len(), 2);
}

#[tokio::test]
async fn unknown_collections_are_refused_or_come_with_their_first_document() {
    let (world, database) = open().await;
    assert_eq!(database.find("users", Query::default()).await.unwrap().items.len(), 0);
    assert_eq!(database.get("users", "x").await.unwrap_err().code, Code::DocumentNotFound);
    let refused = database.change(on("x", Wanted::Delete), &origin()).await.unwrap_err();
    assert_eq!(refused.code, Code::DocumentNotFound);
    assert!(database.change(on("x", Wanted::Create(json!(7))), &origin()).await.is_err());
    assert_eq!(database.collections(), [], "a document that is refused makes none");
    one(&database, on("x", Wanted::Create(json!({})))).await.unwrap();
    assert_eq!(database.collections()[0].name, "users");
    for name in ["_users", "", "a.b", "../x", &"x".repeat(64)] {
        let new = Operation::new(name, None, Wanted::Create(json!({})));
        let refused = database.change(new, &origin()).await.unwrap_err();
        assert_eq!(refused.code, Code::DocumentInvalid, "{name}");
    }
    let strict = world.open(Unknown::Refused).await;
    let new = Operation::new("user", None, Wanted::Create(json!({})));
    let refused = strict.change(new, &origin()).await.unwrap_err();
    assert_eq!(refused.code, Code::CollectionNotFound);
    assert_eq!(refused.problems[0].suggestion.as_deref(), Some("did you mean \"users\"?"));
    assert!(strict.find("nope", Query::default()).await.is_err());
    strict.drop_collection("users").await.unwrap();
    assert_eq!(strict.collections(), []);
    assert!(world.documents.lock().is_empty());
}

#[tokio::test]
async fn everything_that_breaks_the_schema_is_told_at_once() {
    let (_, database) = open().await;
    let schema = json!({
        "required": ["email"], "properties": {
            "email": { "type": "string" }, "tags": { "items": { "type": "string" } },
            "deep": { "properties": { "n": { "minimum": 1 } } },
        },
        "additionalProperties": { "type": "boolean" },
    });
    let collection = users(Some(schema), json!([]));
    assert_eq!(database.define(collection.clone()).await, Ok(Definition::New));
    assert_eq!(database.define(collection).await, Ok(Definition::Same));
    let wrong = json!({ "tags": ["a", 1], "deep": { "n": 0 } });
    let refused = one(&database, on("x", Wanted::Create(wrong.clone()))).await.unwrap_err();
    assert_eq!(refused.code, Code::DocumentInvalid);
    let mut told: Vec<_> = refused.problems.iter().map(|one| one.field.as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["document", "document.deep.n", "document.tags[1]"]);
    one(&database, on("x", Wanted::Create(json!({ "email": "a" })))).await.unwrap();
    let refused = one(&database, on("x", Wanted::Merge(json!({ "email": 1 })))).await.unwrap_err();
    assert_eq!(refused.problems[0].field, "document.email");
    let list = [Operation::new("users", None, Wanted::Create(wrong))];
    let refused = database.transact(&list, Asked::List, &origin()).await.unwrap_err();
    assert!(refused.problems.iter().any(|problem| problem.field == "[0].tags[1]"), "{refused:?}");
    let broken = users(Some(json!({ "type": "objct" })), json!([]));
    let refused = database.define(broken).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.problems[0].field.as_str()),
        (Code::DocumentInvalid, "schema")
    );
}

#[tokio::test]
async fn a_unique_index_names_itself_and_its_fields() {
    let (_, database) = open().await;
    let indexes = json!([{ "fields": ["email", "tenant"], "unique": true }]);
    database.define(users(None, indexes)).await.unwrap();
    let ada = json!({ "email": "a", "tenant": 1 });
    one(&database, on("x", Wanted::Create(ada.clone()))).await.unwrap();
    let refused = one(&database, on("y", Wanted::Create(ada))).await.unwrap_err();
    assert_eq!(refused.code, Code::DocumentConflict);
    assert!(refused.message.contains("email and tenant"), "{}", refused.message);
    assert!(refused.message.contains("\"email_tenant\""), "{}", refused.message);
    let fields: Vec<_> = refused.problems.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["document.email", "document.tenant"]);
}

#[tokio::test]
async fn a_transaction_is_made_whole_or_not_at_all() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({ "n": 1 })))).await.unwrap();
    let transfer = |last: Wanted| {
        vec![
            Operation::new("orders", Some("o"), Wanted::Create(json!({ "user": "x" }))),
            on("x", Wanted::Merge(json!({ "n": 2 }))),
            on("z", last),
        ]
    };
    let operations = transfer(Wanted::Delete);
    let refused = database.transact(&operations, Asked::Operations, &origin()).await.unwrap_err();
    assert_eq!(refused.code, Code::DocumentNotFound);
    assert_eq!(refused.problems[0].field, "operations[2]");
    assert_eq!(world.told().len(), 1);
    let operations = transfer(Wanted::Upsert(json!({})));
    let outcomes = database.transact(&operations, Asked::Operations, &origin()).await.unwrap();
    let actions: Vec<_> = outcomes.iter().flatten().map(|one| one.action).collect();
    assert_eq!(actions, [Some(Action::Create), Some(Action::Update), Some(Action::Create)]);
    assert_eq!((*world.commits.lock(), world.told().len()), (2, 4));
    for (operations, field) in [
        (vec![on("x", Wanted::Delete), on("x", Wanted::Check)], "operations[1].id"),
        (vec![Operation::new("users", None, Wanted::Delete)], "operations[0].id"),
        (vec![on("x", Wanted::Check); 1_001], ""),
    ] {
        let refused = database.transact(&operations, Asked::Operations, &origin()).await;
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.code, refused.problems[0].field.as_str()),
            (Code::InvalidRequest, field)
        );
    }
}

#[tokio::test]
async fn a_change_that_was_overtaken_is_made_anew_from_what_is_there() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({ "n": 1 })))).await.unwrap();
    *world.between.lock() = Some(Arc::new(|world: &World, count| {
        if count < 5 {
            world.touch("users", "x", &format!("{{\"n\":1,\"touched\":{count}}}"));
        }
    }));
    let merged = one(&database, on("x", Wanted::Merge(json!({ "n": 2 })))).await.unwrap();
    assert_eq!(merged, json!({ "id": "x", "n": 2, "touched": 4, "action": "update" }));
    assert_eq!(*world.commits.lock(), 5);
    let previous = world.log.lock()[1].data.to_value()["previous_document"].clone();
    assert_eq!(previous, json!({ "id": "x", "n": 1, "touched": 4 }));
    *world.between.lock() = Some(Arc::new(|world: &World, count| {
        world.touch("users", "x", &format!("{{\"c\":{count}}}"))
    }));
    let refused = one(&database, on("x", Wanted::Merge(json!({ "n": 3 })))).await.unwrap_err();
    assert_eq!((refused.code, *world.commits.lock()), (Code::DocumentConflict, 15));
    let revision = Some(database.get("users", "x").await.unwrap().revision);
    let named = Operation { revision, ..on("x", Wanted::Merge(json!({ "n": 3 }))) };
    let refused = one(&database, named).await.unwrap_err();
    assert_eq!((refused.code, *world.commits.lock()), (Code::DocumentChanged, 16));
}

#[tokio::test]
async fn a_hook_says_no_or_gives_another_document() {
    let (world, database) = open().await;
    let indexes = json!([]);
    let schema = json!({ "properties": { "n": { "type": "integer" } } });
    database.define(users(Some(schema), indexes)).await.unwrap();
    let hook = |answer: Result<Option<Value>, Rejection>| -> Option<fake::Hook> {
        Some(Arc::new(move |_: &str, _: &Value| answer.clone()))
    };
    *world.hook.lock() = hook(Ok(Some(json!({ "id": "x", "n": 7, "by": "hook" }))));
    let made = one(&database, on("x", Wanted::Create(json!({ "n": 1 })))).await.unwrap();
    assert_eq!(made, json!({ "id": "x", "n": 7, "by": "hook", "action": "create" }));
    let data = world.log.lock()[0].data.to_value();
    assert_eq!((&data["changed_fields"], &data["document"]["n"]), (&json!(["by", "n"]), &json!(7)));
    for wrong in [json!({ "n": "x" }), json!({ "id": "other" }), json!({ "_x": 1 })] {
        *world.hook.lock() = hook(Ok(Some(wrong)));
        let refused = one(&database, on("y", Wanted::Create(json!({})))).await.unwrap_err();
        assert_eq!(refused.code, Code::HookFailed);
    }
    let problem = Problem::new("email", "is taken");
    *world.hook.lock() = hook(Err(Rejection::of(Code::HookRejected, vec![problem])));
    let refused = one(&database, on("y", Wanted::Create(json!({})))).await.unwrap_err();
    assert_eq!((refused.code, refused.problems[0].field.as_str()), (Code::HookRejected, "email"));
    let list = [Operation::new("users", None, Wanted::Create(json!({})))];
    let refused = database.transact(&list, Asked::List, &origin()).await.unwrap_err();
    assert_eq!(refused.problems[0].field, "[0].email");
    assert_eq!(world.told().len(), 1);
}

#[tokio::test]
async fn all_that_meet_conditions_are_changed_in_portions() {
    let (world, database) = open().await;
    let new = |n: usize| Operation::new("users", None, Wanted::Create(json!({ "n": n % 2 })));
    let operations: Vec<_> = (0..250).map(new).collect();
    database.transact(&operations, Asked::List, &origin()).await.unwrap();
    let odd = filter(json!([["n", "==", 1]]));
    let set = || json!({ "seen": true });
    let tally = database.update_all("users", &odd, set(), &origin()).await.unwrap();
    assert_eq!(tally, Tally { matched: 125, changed: 125 });
    assert_eq!(*world.commits.lock(), 3, "one of 100, one of 25");
    let tally = database.update_all("users", &[], set(), &origin()).await.unwrap();
    assert_eq!(tally, Tally { matched: 250, changed: 125 });
    let tally = database.delete_all("users", &odd, &origin()).await.unwrap();
    assert_eq!(tally, Tally { matched: 125, changed: 125 });
    assert_eq!(database.count("users", Vec::new()).await.unwrap(), 125);
    let refused = database.update_all("users", &[], json!({ "id": "x" }), &origin()).await;
    assert_eq!(refused.unwrap_err().problems[0].field, "set.id");
    let seen = Arc::new(parking_lot::Mutex::new(0));
    *world.hook.lock() = Some(Arc::new(move |_: &str, _: &Value| {
        *seen.lock() += 1;
        match *seen.lock() {
            120 => Err(Rejection::new(Code::HookRejected, "enough")),
            _ => Ok(None),
        }
    }));
    let refused = database.delete_all("users", &[], &origin()).await.unwrap_err();
    assert_eq!(refused.message, "enough (100 documents were changed before)");
    assert_eq!(database.count("users", Vec::new()).await.unwrap(), 25);
}

#[tokio::test]
async fn changes_are_told_once_and_in_order_to_whoever_comes_back() {
    let (_, database) = open().await;
    let new = |id: String| on(&id, Wanted::Create(json!({})));
    for n in 0..5 {
        one(&database, new(format!("a{n}"))).await.unwrap();
    }
    let mut now = database.changes("users", None).unwrap();
    let other = Operation::new("others", None, Wanted::Create(json!({})));
    database.change(other, &origin()).await.unwrap();
    one(&database, new("b".to_owned())).await.unwrap();
    assert_eq!(subject(&mut now).await, "b");
    let begin = Some(EventId::from_u64(1));
    let mut reader = database.changes("users", begin).unwrap();
    let mut seen = Vec::new();
    for expected in ["a0", "a1", "a2"] {
        let event = next(&mut reader).await;
        seen.push(event.id);
        assert_eq!(event.subject.as_deref(), Some(expected));
    }
    let mut back = database.changes("users", seen.last().copied()).unwrap();
    for expected in ["a3", "a4", "b"] {
        assert_eq!(subject(&mut back).await, expected);
    }
    let waiting = tokio::spawn(async move { next(&mut back).await });
    one(&database, on("a0", Wanted::Delete)).await.unwrap();
    assert_eq!(&*waiting.await.unwrap().kind, "database.users.delete");
}

/// What has its id and is not committed yet holds back what comes after it in its collection.
#[tokio::test]
async fn nothing_is_told_before_what_may_still_come_in_front_of_it() {
    let (world, database) = open().await;
    let mut users = database.changes("users", None).unwrap();
    let mut others = database.changes("others", None).unwrap();
    let begun = database.inner.ongoing.begin(world.as_ref(), vec!["users".into()]);
    one(&database, on("x", Wanted::Create(json!({})))).await.unwrap();
    let other = Operation::new("others", Some("o"), Wanted::Create(json!({})));
    database.change(other, &origin()).await.unwrap();
    assert_eq!(subject(&mut others).await, "o");
    let held = futures_util::FutureExt::now_or_never(next(&mut users));
    assert!(held.is_none());
    // Nor is it passed by while it is held back.
    users.pass_by();
    drop(begun);
    users.pass_by();
    assert_eq!(subject(&mut users).await, "x");
}

#[tokio::test]
async fn a_caller_who_leaves_a_commit_does_not_hide_it_from_who_follows() {
    let (world, database) = open().await;
    let mut users = database.changes("users", None).unwrap();
    let held = world.places.acquire_many(1_000).await.unwrap();
    let leaving = database.clone();
    let change = on("x", Wanted::Create(json!({})));
    let change = tokio::spawn(async move { leaving.change(change, &origin()).await });
    while *world.commits.lock() == 0 {
        tokio::task::yield_now().await;
    }
    let settled = || database.inner.ongoing.settled(world.as_ref(), "users");
    let before = settled();
    change.abort();
    assert!(change.await.unwrap_err().is_cancelled());
    assert_eq!(settled(), before, "it is still under way");
    drop(held);
    assert_eq!(subject(&mut users).await, "x");
}

/// What is old is read from the archive, in one order with the log, and what is in both once.
#[tokio::test]
async fn changes_are_told_wherever_they_are_by_now() {
    let (world, database) = open().await;
    let begin = database.inner.journal.fresh_id();
    for n in 0..9 {
        one(&database, on(&format!("a{n}"), Wanted::Create(json!({})))).await.unwrap();
    }
    let log = world.log.lock().clone();
    for (old, stays) in
        [(vec![], vec![]), (vec![0, 1, 2, 5, 8], vec![2]), ((0..9).collect(), vec![])]
    {
        let pick = |places: &[usize]| places.iter().map(|n| log[*n].clone()).collect::<Vec<_>>();
        *world.archive.lock() = pick(&old);
        let recent = (0..9).filter(|n| !old.contains(n) || stays.contains(n)).collect::<Vec<_>>();
        *world.log.lock() = pick(&recent);
        let mut reader = database.changes("users", Some(begin)).unwrap();
        for n in 0..9 {
            assert_eq!(subject(&mut reader).await, format!("a{n}"), "{old:?}");
        }
        let mut back = database.changes("users", Some(log[3].id)).unwrap();
        for n in 4..9 {
            assert_eq!(subject(&mut back).await, format!("a{n}"), "{old:?}");
        }
        assert!(futures_util::FutureExt::now_or_never(next(&mut back)).is_none());
    }
}

#[tokio::test]
async fn who_was_away_for_too_long_is_told_that_something_may_be_missing() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({})))).await.unwrap();
    let since = fake::NOW;
    *world.kept_since.lock() = since;
    let mut back = database.changes("users", Some(EventId::from_u64(1))).unwrap();
    assert!(matches!(back.next().await, Ok(Told::Missed(told)) if told == since));
    assert_eq!(subject(&mut back).await, "x", "what is left follows");
    let mut here = database.changes("users", Some(world.log.lock()[0].id)).unwrap();
    one(&database, on("y", Wanted::Create(json!({})))).await.unwrap();
    assert_eq!(subject(&mut here).await, "y");
    *world.kept_since.lock() = Timestamp::default();
    let mut back = database.changes("users", Some(EventId::from_u64(1))).unwrap();
    assert_eq!(subject(&mut back).await, "x");
}

/// A reader that breaks off before anything happened knows where to go on.
#[tokio::test]
async fn who_comes_new_is_told_where_it_is() {
    let (_, database) = open().await;
    one(&database, on("before", Wanted::Create(json!({})))).await.unwrap();
    let mut first = database.changes("users", None).unwrap();
    let Ok(Told::UpTo(place)) = first.next().await else { panic!("no place") };
    assert!(futures_util::FutureExt::now_or_never(first.next()).is_none(), "only once");
    drop(first);
    one(&database, on("between", Wanted::Create(json!({})))).await.unwrap();
    let place = place.to_string().parse().unwrap();
    let mut back = database.changes("users", Some(place)).unwrap();
    assert_eq!(subject(&mut back).await, "between");
}

#[tokio::test]
async fn what_is_not_there_can_be_guarded() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({ "n": 1 })))).await.unwrap();
    let guarded =
        |id: &str| vec![on(id, Wanted::Absent), on("x", Wanted::Merge(json!({ "n": 2 })))];
    let refused = database.transact(&guarded("x2"), Asked::Operations, &origin()).await.unwrap();
    assert!(refused[0].is_none() && refused[1].is_some());
    one(&database, on("y", Wanted::Create(json!({})))).await.unwrap();
    let refused = database.transact(&guarded("y"), Asked::Operations, &origin()).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.problems[0].field.as_str()),
        (Code::DocumentChanged, "operations[0]")
    );
    // Also where it comes between.
    *world.between.lock() = Some(Arc::new(|world: &World, _| world.touch("users", "z", "{}")));
    let operations = [on("z", Wanted::Absent), on("x", Wanted::Merge(json!({ "n": 3 })))];
    let refused = database.transact(&operations, Asked::Operations, &origin()).await.unwrap_err();
    assert_eq!(refused.code, Code::DocumentChanged);
    *world.between.lock() = None;
    assert_eq!(database.get("users", "x").await.unwrap().fields().unwrap()["n"], 2);
    let alone = database.transact(&[on("w", Wanted::Absent)], Asked::Operations, &origin()).await;
    assert_eq!(alone, Ok(vec![None]));
    let other =
        [Operation::new("others", Some("w"), Wanted::Absent), on("w", Wanted::Upsert(json!({})))];
    database.transact(&other, Asked::Operations, &origin()).await.unwrap();
}

/// Without a turn for each, most of them would be overtaken each time.
#[tokio::test]
async fn many_who_change_one_document_are_all_done() {
    let (world, database) = open().await;
    one(&database, on("x", Wanted::Create(json!({})))).await.unwrap();
    let change = |n: usize| {
        let database = database.clone();
        tokio::spawn(async move {
            one(&database, on("x", Wanted::Merge(json!({ format!("f{n}"): n })))).await
        })
    };
    let changes: Vec<_> = (0..64).map(change).collect();
    for change in changes {
        change.await.unwrap().unwrap();
    }
    assert_eq!(database.get("users", "x").await.unwrap().fields().unwrap().len(), 64);
    assert!(*world.commits.lock() < 64 * 3, "{}", *world.commits.lock());
}

#[tokio::test]
async fn a_schema_that_speaks_of_the_id_is_given_it() {
    let of_id = json!({ "properties": { "id": { "pattern": "^u" } }, "required": ["id"] });
    for schema in [
        of_id.clone(),
        json!({ "allOf": [{ "type": "object" }, of_id] }),
        json!({ "$ref": "#/$defs/own", "$defs": { "own": { "anyOf": [of_id] } } }),
        json!({ "if": { "required": ["n"] }, "then": of_id, "else": of_id }),
    ] {
        let (_, database) = open().await;
        database.define(users(Some(schema.clone()), json!([]))).await.unwrap();
        one(&database, on("u1", Wanted::Create(json!({})))).await.unwrap();
        let refused = one(&database, on("x1", Wanted::Create(json!({})))).await.unwrap_err();
        assert_eq!(refused.code, Code::DocumentInvalid, "{schema}");
    }
    // One that does not, and allows no other fields, is not.
    let nested = json!({ "properties": { "of": { "properties": { "id": {} } } },
        "additionalProperties": false, "$defs": { "a": { "$ref": "#/$defs/a" } } });
    let (_, database) = open().await;
    database.define(users(Some(nested), json!([]))).await.unwrap();
    one(&database, on("x", Wanted::Create(json!({ "of": { "id": 7 } })))).await.unwrap();
}

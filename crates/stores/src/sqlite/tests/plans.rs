//! The hot reads use their indexes.

use evoke_ports::store::Order;
use rusqlite::Connection;

use crate::sqlite::apply::archive as remove;
use crate::sqlite::dead_letters::Reads;
use crate::sqlite::{
    archive, dead_letters, definitions, events, executions, purge, schema, waiting,
};

fn plan(sql: &str) -> String {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = statement.parameter_count();
    let nulls = vec![rusqlite::types::Null; parameters];
    let rows = statement
        .query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3))
        .unwrap();
    rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
}

#[test]
fn reads_are_searches_in_order() {
    let both = [Order::NewestFirst, Order::OldestFirst];
    for (order, reads) in both.into_iter().flat_map(|o| [(o, Reads::Index), (o, Reads::Rows)]) {
        let expected = match reads {
            Reads::Index => "COVERING INDEX dead_letters (trigger_id=? AND event_id>",
            Reads::Rows => "INDEX dead_letters (trigger_id=? AND event_id>",
        };
        assert_search(&dead_letters::list_sql(order, reads), expected);
    }
    for order in both {
        assert_search(&executions::list_sql(order), "PRIMARY KEY ((event_id,trigger_id)>");
        assert_search(&events::list_sql(order), "INTEGER PRIMARY KEY (rowid>");
        let tree = events::tree_sql(order);
        assert_search(&tree, "INDEX events_by_root (root_id=? AND rowid>");
        assert_search(&tree, "INTEGER PRIMARY KEY (rowid=?");
    }
    let cases = [
        (waiting::due_sql(), "open_executions (trigger_id=?"),
        (executions::BACKLOG.to_owned(), "COVERING INDEX open_executions"),
        (waiting::due_by_key_sql(), "open_by_key (trigger_id=? AND order_key=? AND event_id>"),
        (waiting::EDITED.to_owned(), "edits USING PRIMARY KEY (event_id=? AND trigger_id=?"),
        (dead_letters::COUNT.to_owned(), "COVERING INDEX dead_letters"),
        (dead_letters::NEXT_TRIGGER.to_owned(), "COVERING INDEX dead_letters (trigger_id>"),
        (archive::LAST_RIPE.to_owned(), "SEARCH events USING INTEGER PRIMARY KEY (rowid>"),
        (archive::LAST_RIPE.to_owned(), "executions USING PRIMARY KEY (event_id>"),
        (archive::ripe_events_sql(), "events USING INTEGER PRIMARY KEY (rowid>"),
        (archive::ripe_executions_sql(), "executions USING PRIMARY KEY (event_id>"),
        (archive::ripe_attempts_sql(), "attempts USING PRIMARY KEY (event_id>"),
        (archive::SEGMENTS.to_owned(), "segments_by_event (holds=? AND first<"),
        (archive::ARCHIVED.to_owned(), "COVERING INDEX segments_by_event"),
        (definitions::AUDIT.to_owned(), "audit USING INTEGER PRIMARY KEY (rowid<"),
        (purge::SPENT_END.to_owned(), "spent USING PRIMARY KEY ((owner,key)>"),
        (purge::FORGET_SPENT.to_owned(), "spent USING PRIMARY KEY ((owner,key)>"),
        (purge::FORGET_LAST_SPENT.to_owned(), "spent USING PRIMARY KEY ((owner,key)>"),
    ];
    for (sql, expected) in cases {
        assert_search(&sql, expected);
    }
}

#[test]
fn removals_are_searches() {
    let execution = "PRIMARY KEY (event_id=? AND trigger_id=?";
    for (sql, expected) in [
        (remove::REMOVE_EXECUTION, execution),
        (remove::REMOVE_ATTEMPTS, execution),
        (remove::REMOVE_EDIT, execution),
        (remove::REMOVE_EVENT, "events USING INTEGER PRIMARY KEY (rowid=?"),
        (remove::REMOVE_EVENT, "executions USING PRIMARY KEY (event_id=?"),
    ] {
        assert_search(sql, expected);
    }
}

fn assert_search(sql: &str, expected: &str) {
    let plan = plan(sql);
    assert!(plan.contains(expected), "{sql}\n is read as {plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{sql}\n is sorted: {plan}");
}

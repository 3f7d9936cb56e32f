//! The hot reads use their indexes.

use evoke_ports::store::Order;
use rusqlite::Connection;

use crate::sqlite::dead_letters::Reads;
use crate::sqlite::{dead_letters, executions, schema, waiting};

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
    let cases = [
        (waiting::due_sql(), "open_executions (trigger_id=?"),
        (executions::BACKLOG.to_owned(), "COVERING INDEX open_executions"),
        (executions::list_sql(Order::NewestFirst), "PRIMARY KEY ((event_id,trigger_id)>"),
        (executions::list_sql(Order::OldestFirst), "PRIMARY KEY ((event_id,trigger_id)>"),
        (dead_letters::COUNT.to_owned(), "COVERING INDEX dead_letters"),
        (dead_letters::NEXT_TRIGGER.to_owned(), "COVERING INDEX dead_letters (trigger_id>"),
        (
            dead_letters::list_sql(Order::NewestFirst, Reads::Index),
            "COVERING INDEX dead_letters (trigger_id=? AND event_id>",
        ),
        (
            dead_letters::list_sql(Order::OldestFirst, Reads::Index),
            "COVERING INDEX dead_letters (trigger_id=? AND event_id>",
        ),
    ];
    for (sql, expected) in cases {
        let plan = plan(&sql);
        assert!(plan.contains(expected), "{sql}\n is read as {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n is sorted: {plan}");
    }
}

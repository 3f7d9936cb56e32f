//! What the tests of all targets need.

use std::sync::Arc;

use evoke_model::trigger::{Owner, Target};
use evoke_model::{
    Data, Event, EventId, ExecutionId, LogLine, Policy, Timestamp, Trigger, TriggerId,
};
use evoke_ports::runtime::LogSink;
use evoke_ports::{Clock, Job, SystemClock};
use tokio_util::sync::CancellationToken;

struct NoLogs;

impl LogSink for NoLogs {
    fn log(&self, _line: LogLine) {}
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The first attempt for an event with this payload.
pub(crate) fn job(data: &str) -> Job {
    let event = Event {
        id: EventId::from_u64(7),
        sender_id: Some("A-1".into()),
        source: "/shop".into(),
        kind: "order.created".into(),
        subject: None,
        time: Timestamp::from_millis(1_795_000_000_000),
        content_type: None,
        data_schema: None,
        data: Data::Json(data.to_owned().into()),
        extensions: None,
        lineage: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ordering_key: None,
        due: None,
        is_test_run: false,
        replay_of: None,
    };
    let trigger = Trigger {
        id: TriggerId::from_u64(9),
        name: "orders".to_owned(),
        kind: "event".to_owned(),
        config: serde_json::Value::Null,
        target: Target::function("f"),
        policy: Policy::default(),
        enabled: true,
        owner: Owner::Api,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        updated_by: None,
        deleted_at: None,
    };
    Job {
        execution: ExecutionId { event: event.id, trigger: trigger.id },
        attempt: 1,
        event: Arc::new(event),
        trigger_kind: trigger.kind.as_str().into(),
        trigger_name: trigger.name.as_str().into(),
        trigger: Arc::new(trigger),
        version: None,
        deadline: None,
        cancel: CancellationToken::new(),
        logs: Arc::new(NoLogs),
        token: "token".into(),
    }
}

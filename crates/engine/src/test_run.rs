//! Test runs: a trigger's target is run once, whatever the trigger waits for.

use std::sync::Arc;

use evoke_model::{Data, ExecutionId, Rejection, Trigger, TriggerId};
use evoke_ports::Sample;

use crate::draft::Draft;
use crate::start::{Engine, Inner};

/// What a test run gives the target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestEvent {
    /// CloudEvents `type`; that of a sample, or else `test.<name of the trigger>`, if not given.
    pub kind: Option<Box<str>>,
    /// CloudEvents `subject`.
    pub subject: Option<Box<str>>,
    /// CloudEvents `data`.
    pub data: Data,
}

impl Engine {
    /// Runs a trigger's target once, marked as a test run. The event goes to this trigger alone:
    /// nothing is matched and no filter is asked. Where nothing is said of it, it is one as the
    /// trigger makes it. It is durable when this returns, and retried like
    /// any execution.
    ///
    /// # Errors
    /// TR_001, EV_003, ST_001.
    pub async fn test_trigger(
        &self,
        id: TriggerId,
        event: TestEvent,
    ) -> Result<ExecutionId, Rejection> {
        let trigger = self.trigger(&id.to_string())?;
        let inner: &Inner = &self.inner;
        let event = inner.or_sample(event, &trigger);
        let draft = Draft {
            source: Some(format!("/api/triggers/{id}/test").into()),
            kind: event.kind.unwrap_or_else(|| format!("test.{}", trigger.name).into()),
            subject: event.subject,
            data: event.data,
            is_test_run: true,
            ..Draft::default()
        };
        inner.metrics.accepted(inner.catalog.kind(&trigger.kind), 1);
        inner.address(draft, trigger).await
    }
}

impl Inner {
    /// The event, or a sample of the trigger's own where it has no data.
    fn or_sample(&self, event: TestEvent, trigger: &Arc<Trigger>) -> TestEvent {
        if event.data != Data::None {
            return event;
        }
        match self.catalog.sample(trigger) {
            Some(Sample { kind, data }) => TestEvent {
                kind: event.kind.or_else(|| Some(kind.into())),
                data: Data::from_value(&data),
                ..event
            },
            None => event,
        }
    }
}

//! Changes that hooks were asked about and that are not made: one said no, the caller left, or
//! something else stood against it. The hooks ran, so they are recorded, with an event that tells
//! of it.

use std::sync::Arc;

use evoke_model::{Data, Event, Rejection, Trigger};
use evoke_ports::store::{NewExecution, Write};
use serde_json::{Value, json};

use crate::committer::Settles;
use crate::start::Inner;

/// Before the type of an event that tells of a change that was refused. In front, so that no
/// pattern for the change itself takes it.
const REFUSED: &str = "rejected.";

/// A change that is not made.
pub(crate) struct Unmade {
    event: Event,
    /// The hooks that were asked.
    asked: Vec<NewExecution>,
}

impl Unmade {
    /// The change this event would have told of.
    pub(crate) fn new(event: &Event, asked: Vec<NewExecution>) -> Self {
        let kind = format!("{REFUSED}{}", event.kind).into();
        Self { event: Event { kind, ..event.clone() }, asked }
    }

    /// The same with who said no, and why, in the data of the change.
    pub(super) fn because(self, mut data: Value, trigger: &Trigger, no: &Rejection) -> Self {
        let Value::Object(fields) = &mut data else { return self };
        let why = json!({
            "trigger": { "id": trigger.id, "name": trigger.name },
            "code": no.code,
            "status": no.status.unwrap_or(no.code.status()),
            "message": no.message,
            "problems": no.problems,
        });
        fields.insert("rejection".to_owned(), why);
        let data = Data::from_value(&data);
        Self { event: Event { data, ..self.event }, ..self }
    }

    /// What is written of it, and what begins with it.
    pub(super) fn entry(mut self, inner: &Inner) -> (Write, Settles) {
        let snapshot = inner.catalog.load_full();
        let events = vec![Arc::new(self.event)];
        let (mut ingest, planned) = inner.plan_events(events, Vec::new(), &snapshot);
        ingest.executions.append(&mut self.asked);
        (Write::Ingest(ingest), Settles { planned, ..Settles::default() })
    }
}

impl Inner {
    /// Records a change that is not made as soon as there is a place for it.
    pub(crate) async fn record_unmade(&self, unmade: Unmade) {
        let place = self.committer.place().await;
        let (write, settles) = unmade.entry(self);
        place.finish(write, settles);
    }

    /// The same where nobody can wait for that.
    pub(super) fn tell_unmade(self: &Arc<Self>, unmade: Unmade) {
        let inner = self.clone();
        self.tasks.spawn(async move { inner.record_unmade(unmade).await });
    }
}

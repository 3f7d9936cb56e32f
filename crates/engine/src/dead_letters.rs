//! Dead letters: which there are by cause, and what a person does with them. One is edited, purged
//! or run again; each of these stands in the audit trail.
//!
//! Who calls: the faces. Running them again at a rate of its own is [`crate::operations`].

mod counts;
mod selection;

use std::collections::HashMap;
use std::sync::Arc;

use evoke_model::{
    Cause, Code, Data, EventId, Execution, ExecutionId, Failure, Problem, Rejection, Timestamp,
    Trigger, TriggerId,
};
use evoke_ports::store::{Change, DeadLetters, Receipt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use counts::Counts;
pub(crate) use selection::{Found, Next, Selection, Walk, compile};

use crate::audit::{Actor, action};
use crate::record::unavailable;
use crate::start::{Engine, Inner};

/// Dead letters purged in one commit: a few milliseconds of the writer's time.
const PURGE_STEP: usize = 1_000;

/// Bytes of a payload in the audit trail; what is over is cut with a visible mark.
const AUDITED_BYTES_MAX: usize = 64 * 1024;

/// Which dead letters: those that fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// Of this trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
    /// Of the triggers whose target is this function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// With this cause.
    #[serde(skip_serializing_if = "Option::is_none", with = "cause_text")]
    pub cause: Option<Cause>,
    /// These; empty means all that fit the rest. At most 1,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<ExecutionId>,
    /// Whose event was accepted at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whose event was accepted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// CEL condition over the event, as it stands in the log. One without an answer does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

impl DeadLetterFilter {
    /// These and no others.
    pub fn of(ids: Vec<ExecutionId>) -> Self {
        Self { ids, ..Self::default() }
    }
}

/// A cause as the text it is shown as.
mod cause_text {
    use evoke_model::Cause;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        cause: &Option<Cause>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match cause {
            Some(cause) => serializer.collect_str(cause),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Cause>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Dead letters of one trigger with one cause.
#[derive(Clone, Debug)]
pub struct DeadLetterGroup {
    /// The cause.
    pub cause: Cause,
    /// The trigger, even if it was deleted since.
    pub trigger: Option<Arc<Trigger>>,
    /// Its id.
    pub trigger_id: TriggerId,
    /// The function it runs, if it runs one.
    pub function: Option<Arc<str>>,
    /// How many.
    pub count: u64,
    /// When the event of the oldest was accepted.
    pub first_at: Timestamp,
    /// When the event of the newest was accepted.
    pub last_at: Timestamp,
    /// What the newest died of.
    pub sample: Option<Failure>,
    /// The newest.
    pub sample_id: ExecutionId,
}

impl Engine {
    /// Dead letters by trigger and cause, the largest group first.
    ///
    /// # Errors
    /// API_001 for a filter that is wrong, ST_001.
    pub async fn dead_letter_groups(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterGroup>, Rejection> {
        let selection = Selection::of(&self.inner, filter)?;
        let found = selection.groups(&self.inner).await?;
        let mut groups = Vec::with_capacity(found.len());
        for group in found {
            groups.push(self.inner.view_group(group).await?);
        }
        groups.sort_by_key(|group| (std::cmp::Reverse(group.count), group.sample_id));
        Ok(groups)
    }

    /// What an execution gets: its edited data, or that of its event. `None` when the event is no
    /// longer there.
    ///
    /// # Errors
    /// EX_001, ST_001.
    pub async fn payload_of(&self, id: ExecutionId) -> Result<Option<Data>, Rejection> {
        let view = self.execution(id).await?;
        self.inner.payload(&view.execution).await
    }

    /// Gives a dead letter other data than its event has. The event stays as it is.
    ///
    /// # Errors
    /// EX_001; EX_005 when it is no dead letter; ST_001.
    pub async fn edit_dead_letter(
        &self,
        id: ExecutionId,
        data: Data,
        actor: &Actor,
    ) -> Result<(), Rejection> {
        let inner = &self.inner;
        let _by_hand = inner.operations.by_hand().await;
        let execution = self.execution(id).await?.execution;
        if !execution.is_dead_letter() {
            let state = execution.state.as_str();
            let message = format!("execution {id} is no dead letter, it is {state}");
            return Err(Rejection::new(Code::NoDeadLetter, message));
        }
        let before = inner.payload(&execution).await?.unwrap_or_default();
        let detail = json!({ "before": audited(&before), "after": audited(&data) });
        let entry = inner.audit_entry(actor, action::EDIT, id.to_string(), detail);
        inner.change_all([Change::Edit { id, data }, entry]).await.map(|_| ())
    }

    /// Takes dead letters off the list; the executions stay in the record as they ended. Says how
    /// many.
    ///
    /// # Errors
    /// API_001 for a filter that is wrong, ST_001.
    pub async fn purge_dead_letters(
        &self,
        filter: DeadLetterFilter,
        actor: &Actor,
    ) -> Result<u64, Rejection> {
        let inner = &self.inner;
        let selection = Selection::of(inner, &filter)?;
        let _by_hand = inner.operations.by_hand().await;
        let ids = selection.ids(inner).await?;
        let count = ids.len() as u64;
        let detail = json!({ "filter": filter, "count": count });
        // What is about to go stands in the trail with the first that goes.
        let mut entry = Some(inner.audit_entry(actor, action::PURGE, "dead_letters", detail));
        for step in ids.chunks(PURGE_STEP) {
            let changes = std::iter::once(Change::Discard(step.to_vec())).chain(entry.take());
            inner.change_all(changes).await?;
            for id in step {
                inner.dead_letters.add(id.trigger, -1);
            }
        }
        Ok(count)
    }
}

impl Inner {
    /// What was accepted up to now: ids rise with time, whatever they are of.
    pub(crate) fn newest(&self) -> EventId {
        self.ids.event(self.clock.now())
    }

    /// Whether an execution could be run again: its trigger is still there.
    pub(crate) fn may_run(&self, execution: &Execution) -> bool {
        let snapshot = self.catalog.load();
        let trigger = snapshot.triggers.get(&execution.id.trigger);
        trigger.is_some_and(|trigger| trigger.deleted_at.is_none())
    }

    async fn payload(&self, execution: &Execution) -> Result<Option<Data>, Rejection> {
        if execution.is_edited {
            let edited = self.store.executions().edited(execution.id).await;
            if let Some(data) = edited.map_err(|error| unavailable(&error))? {
                return Ok(Some(data));
            }
            let archived = self.archived_execution(execution.id).await;
            let archived = archived.map_err(|error| unavailable(&error))?;
            if let Some(data) = archived.and_then(|archived| archived.edited.clone()) {
                return Ok(Some(data));
            }
        }
        let event = self.any_event(execution.id.event).await;
        let event = event.map_err(|error| unavailable(&error))?;
        Ok(event.map(|event| event.data.clone()))
    }

    async fn view_group(&self, group: DeadLetters) -> Result<DeadLetterGroup, Rejection> {
        let sample_id = ExecutionId { event: group.last, trigger: group.trigger };
        let newest = self.store.executions().execution(sample_id).await;
        let newest = newest.map_err(|error| unavailable(&error))?;
        let trigger = self.catalog.load().triggers.get(&group.trigger).cloned();
        let function = trigger.as_ref().and_then(|trigger| trigger.target.function_name());
        Ok(DeadLetterGroup {
            cause: group.cause,
            function: function.map(Into::into),
            trigger,
            trigger_id: group.trigger,
            count: group.count,
            first_at: group.first.made_at(),
            last_at: group.last.made_at(),
            sample: newest.and_then(|newest| newest.last?.outcome.failure().cloned()),
            sample_id,
        })
    }

    /// Makes these executions pending again by the changes at the head of the list, one for each,
    /// with whatever else is to be written with it. Says how many there were. The caller holds the
    /// lock of what is done by hand.
    pub(crate) async fn reopen(
        &self,
        reopened: &[Execution],
        changes: Vec<Change>,
    ) -> Result<usize, Rejection> {
        let Receipt::All(receipts) = self.change_all(changes).await? else { return Ok(0) };
        let mut triggers = Vec::new();
        for (execution, receipt) in reopened.iter().zip(receipts) {
            if receipt != Receipt::Changed(true) {
                self.operations.unwatch(execution.id);
                continue;
            }
            if execution.is_dead_letter() {
                self.dead_letters.add(execution.id.trigger, -1);
            }
            self.dispatcher.count_open(1);
            triggers.push(execution.id.trigger);
        }
        let count = triggers.len();
        triggers.sort_unstable();
        triggers.dedup();
        for trigger in triggers {
            self.dispatcher.look(trigger);
        }
        Ok(count)
    }

    /// How many dead letters the triggers of each name have.
    pub(crate) fn dead_letters_by_name(&self) -> Vec<(String, i64)> {
        let snapshot = self.catalog.load();
        let there = snapshot.triggers.values().filter(|trigger| trigger.deleted_at.is_none());
        let mut counts: HashMap<String, i64> =
            there.map(|trigger| (trigger.name.clone(), 0)).collect();
        for (id, count) in self.dead_letters.all() {
            let trigger = snapshot.triggers.get(&id);
            let name = trigger.map_or_else(|| id.to_string(), |trigger| trigger.name.clone());
            *counts.entry(name).or_default() += count;
        }
        counts.into_iter().collect()
    }
}

/// A payload as the audit trail keeps it.
fn audited(data: &Data) -> Value {
    if data.len() <= AUDITED_BYTES_MAX {
        return match data {
            Data::Binary(bytes) => json!({ "base64": evoke_model::event::base64(bytes) }),
            data => data.to_value(),
        };
    }
    let begin = &data.bytes()[..AUDITED_BYTES_MAX];
    json!({ "cut": true, "bytes": data.len(), "begin": String::from_utf8_lossy(begin) })
}

/// Everything that is wrong with a time span.
pub(crate) fn check_span(since: Option<Timestamp>, until: Option<Timestamp>) -> Option<Problem> {
    let (since, until) = (since?, until?);
    (since >= until).then(|| Problem::new("until", format!("must be after since, {since}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evoke_model::{EventId, TriggerId};

    #[test]
    fn a_filter_comes_back_from_its_text() {
        let id = ExecutionId { event: EventId::from_u64(5), trigger: TriggerId::from_u64(6) };
        for filter in [
            DeadLetterFilter::default(),
            DeadLetterFilter::of(vec![id]),
            DeadLetterFilter {
                trigger: Some(TriggerId::from_u64(6)),
                function: Some("resize".into()),
                cause: Some(Cause(u64::MAX)),
                ids: vec![id],
                since: Some(Timestamp::EPOCH),
                until: Some(Timestamp::from_millis(1)),
                filter: Some("event.data.n > 1".into()),
            },
        ] {
            let text = serde_json::to_string(&filter).expect("a text");
            assert_eq!(serde_json::from_str::<DeadLetterFilter>(&text).expect("one"), filter);
        }
        assert_eq!(serde_json::to_string(&DeadLetterFilter::default()).expect("a text"), "{}");
    }

    #[test]
    fn a_large_payload_is_cut_in_the_trail() {
        let data = |len| Data::Text(vec![b'x'; len].into());
        assert!(audited(&data(AUDITED_BYTES_MAX)).is_string());
        let cut = audited(&data(AUDITED_BYTES_MAX + 1));
        assert_eq!(cut["bytes"], AUDITED_BYTES_MAX + 1);
        assert_eq!(cut["begin"].as_str().map(str::len), Some(AUDITED_BYTES_MAX));
        assert_eq!(audited(&Data::Binary(vec![1].into())), json!({ "base64": "AQ==" }));
    }
}

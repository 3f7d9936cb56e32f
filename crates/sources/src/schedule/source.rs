use std::sync::Arc;

use evoke_model::trigger::Subscription;
use evoke_model::{Problem, Trigger};
use evoke_ports::{Descriptor, Sample, Source, Timing};
use serde_json::{Value, json};

/// Instants.
#[derive(Debug)]
pub(crate) struct ScheduleSource {
    descriptor: Descriptor,
}

impl ScheduleSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for ScheduleSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        super::config::check(config)
    }

    fn subscription(&self, _config: &Value) -> Option<Subscription> {
        None
    }

    fn origin(&self) -> Option<&'static str> {
        Some("/schedules")
    }

    fn timing(&self, config: &Value) -> Option<Timing> {
        super::config::recurring(config).map(|recurring| Timing::Schedule(Arc::new(recurring)))
    }

    fn sample(&self, name: &str, config: &Value) -> Option<Sample> {
        let recurring = super::config::recurring(config)?;
        // The moment is nobody's business here: a sample says what an occurrence looks like.
        let at = "2026-01-01T00:00:00Z";
        let data = json!({
            "schedule_id": null,
            "name": name,
            "scheduled_time": at,
            "fired_at": at,
            "timezone": recurring.schedule.zone().name(),
            "expression": recurring.schedule.to_string(),
            "missed": 0,
            "input": recurring.input,
        });
        Some(Sample { kind: format!("{}.{name}", Trigger::SCHEDULE), data })
    }
}

use std::sync::Arc;

use arc_swap::ArcSwap;
use evoke_model::trigger::Subscription;
use evoke_model::{Problem, Timestamp, Trigger, TriggerId};
use evoke_ports::{Claim, Descriptor, HttpCall, HttpIntake, Identify, Received, Sample, Source};
use http::Method;
use serde_json::Value;

use super::table::Table;

/// Routes.
pub(crate) struct HttpSource {
    descriptor: Descriptor,
    routes: Arc<Routes>,
}

/// The table in use; requests read it without waiting for a change.
struct Routes {
    table: ArcSwap<Table>,
    identify: Arc<dyn Identify>,
}

impl HttpSource {
    /// Routes that ask `identify` who calls.
    pub(crate) fn new(identify: Arc<dyn Identify>) -> Self {
        let routes = Routes { table: ArcSwap::default(), identify };
        Self { descriptor: super::descriptor(), routes: Arc::new(routes) }
    }
}

impl Source for HttpSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        super::config::check(config)
    }

    fn subscription(&self, _config: &Value) -> Option<Subscription> {
        None
    }

    fn sample(&self, _name: &str, config: &Value) -> Option<Sample> {
        super::sample::request(config)
    }

    fn intake(&self) -> Option<Arc<dyn HttpIntake>> {
        Some(self.routes.clone())
    }
}

impl HttpIntake for Routes {
    fn rebuild(&self, triggers: &[Arc<Trigger>]) {
        self.table.store(Arc::new(Table::build(triggers).0));
    }

    fn claim(&self, method: &Method, path: &str) -> Claim {
        self.table.load().claim(method, path)
    }

    fn receive(&self, trigger: TriggerId, call: &HttpCall, now: Timestamp) -> Received {
        match self.table.load().access(trigger) {
            None => Received::Call,
            Some(access) => access.receive(call, &*self.identify, now),
        }
    }
}

//! Where events come from. One folder a kind: `mod.rs` describes it, `config.rs` reads what a
//! trigger says, `source.rs` does it.

mod auth;
mod database;
mod event;
mod http;
mod invoke;
mod poll;
mod schedule;
mod storage;
mod webhook;

use std::sync::Arc;

use evoke_ports::{Identify, Nobody, Source};

pub use http::{Conflict, conflicts};

/// All kinds of this crate, where nobody is known who could call.
pub fn builtin() -> Vec<Arc<dyn Source>> {
    with_users(Arc::new(Nobody))
}

/// All kinds of this crate; `identify` tells who calls routes that ask.
pub fn with_users(identify: Arc<dyn Identify>) -> Vec<Arc<dyn Source>> {
    vec![
        Arc::new(auth::AuthSource::new()),
        Arc::new(database::DatabaseSource::new()),
        Arc::new(event::EventSource::new()),
        Arc::new(http::HttpSource::new(identify)),
        Arc::new(invoke::InvokeSource::new()),
        Arc::new(webhook::WebhookSource::new()),
        Arc::new(poll::PollSource::new()),
        Arc::new(schedule::ScheduleSource::new()),
        Arc::new(storage::StorageSource::new()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_each_kind_is_taken_as_it_stands() {
        for source in builtin() {
            let descriptor = source.descriptor();
            let checked = source.check(&descriptor.example);
            assert!(checked.is_ok(), "{}: {checked:?}", descriptor.kind);
            let again = checked.clone().and_then(|config| source.check(&config));
            assert_eq!(again, checked, "{}: the canonical form is its own", descriptor.kind);
        }
    }
}

use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Sample, Source};
use serde_json::{Value, json};

/// What users do.
#[derive(Debug)]
pub(crate) struct AuthSource {
    descriptor: Descriptor,
}

impl AuthSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for AuthSource {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        super::config::check(config)
    }

    fn subscription(&self, config: &Value) -> Option<Subscription> {
        Some(super::config::subscription(config))
    }

    fn has_hooks(&self) -> bool {
        true
    }

    fn sample(&self, _name: &str, config: &Value) -> Option<Sample> {
        let action = super::config::sample(config);
        Some(Sample {
            kind: format!("auth.{action}"),
            data: json!({
                "user": {
                    "id": "usr_0000000000000",
                    "email": "ada@example.com",
                    "created_at": "2026-01-01T00:00:00Z",
                },
                "action": action,
                "metadata": { "ip": "127.0.0.1", "user_agent": "sample" },
            }),
        })
    }
}

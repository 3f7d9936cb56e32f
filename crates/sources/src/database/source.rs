use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Sample, Source};
use serde_json::{Value, json};

/// Changes of documents.
#[derive(Debug)]
pub(crate) struct DatabaseSource {
    descriptor: Descriptor,
}

impl DatabaseSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for DatabaseSource {
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
        let (collection, action) = super::config::sample(config);
        let document = json!({ "id": "sample", "email": "ada@example.com" });
        let before = json!({ "id": "sample", "email": "ada@example.org" });
        let (document, before, changed) = match action {
            "create" => (document, Value::Null, json!(["email"])),
            "update" => (document, before, json!(["email"])),
            _ => (Value::Null, before, json!(["email"])),
        };
        Some(Sample {
            kind: format!("database.{collection}.{action}"),
            data: json!({
                "document": document,
                "previous_document": before,
                "action": action,
                "collection": collection,
                "changed_fields": changed,
            }),
        })
    }
}

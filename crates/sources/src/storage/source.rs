use evoke_model::Problem;
use evoke_model::trigger::Subscription;
use evoke_ports::{Descriptor, Sample, Source};
use serde_json::{Value, json};

/// Uploads and deletions of files.
#[derive(Debug)]
pub(crate) struct StorageSource {
    descriptor: Descriptor,
}

impl StorageSource {
    pub(crate) fn new() -> Self {
        Self { descriptor: super::descriptor() }
    }
}

impl Source for StorageSource {
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
        let sample = super::config::sample(config);
        Some(Sample {
            kind: format!("storage.{}.{}", sample.bucket, sample.action),
            data: json!({
                "action": sample.action,
                "bucket": sample.bucket,
                "file": {
                    "name": sample.name,
                    "size_bytes": 12,
                    "content_type": sample.content_type,
                    "etag": "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447",
                    "metadata": {},
                },
            }),
        })
    }
}

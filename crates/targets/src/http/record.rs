//! What is kept of an answer, and how much of it is read for that.

use evoke_model::{ByteSize, Code, Data, Failure};
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::config::RECORD_MAX;
use super::exchange::Answer;
use crate::answer;

/// Headers of an answer that are recorded: those that help to find it again at the other side.
const HEADERS: &[&str] = &[
    "content-type",
    "content-length",
    "date",
    "etag",
    "location",
    "retry-after",
    "server",
    "traceparent",
    "x-request-id",
];

/// Fields of an answer to a batch that name the events which failed.
const FAILED: &[&str] = &["failed", "batchItemFailures"];

/// How much of an answer matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Bytes of the body that are read.
    pub(super) read_bytes_max: usize,
    /// Bytes of them that are kept.
    keep_bytes_max: usize,
}

impl Record {
    /// Of an answer to one event.
    pub(super) const fn of(bytes_max: usize) -> Self {
        Self { read_bytes_max: bytes_max, keep_bytes_max: bytes_max }
    }

    /// Of an answer to a batch: which events failed is read in any case.
    pub(super) const fn of_batch(bytes_max: usize) -> Self {
        Self { read_bytes_max: RECORD_MAX.as_u64() as usize, keep_bytes_max: bytes_max }
    }

    /// The part of a body that may be shown.
    pub(super) fn kept(self, body: &[u8]) -> &[u8] {
        &body[..body.len().min(self.keep_bytes_max)]
    }

    /// The body as data. Where it is cut, a text says so at its end: half of a JSON document is a
    /// text as well.
    fn data(self, headers: &HeaderMap, body: Vec<u8>, cut: Cut) -> Data {
        if cut == Cut::No {
            return answer::data(headers, body.into());
        }
        let kept = self.kept(&body);
        let text = match std::str::from_utf8(kept) {
            _ if kept.is_empty() => return Data::None,
            Ok(text) => text,
            // The cut may have gone through a character; that is still a text.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&kept[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Data::Binary(kept.to_vec().into()),
        };
        let limit = ByteSize::new(self.keep_bytes_max as u64);
        Data::Text(format!("{text}... [cut after {limit}]").into())
    }
}

/// Whether a body is longer than what is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    Yes,
    No,
}

impl Answer {
    fn cut(&self) -> Cut {
        let is_cut = self.is_cut || self.record.kept(&self.body).len() < self.body.len();
        if is_cut { Cut::Yes } else { Cut::No }
    }

    /// Status, some headers and the body.
    pub(super) fn record(self) -> Value {
        let mut headers = Map::new();
        for name in HEADERS {
            if let Some(value) = self.headers.get(*name) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.insert((*name).to_owned(), value.into());
            }
        }
        let mut record = json!({ "status": self.status.as_u16(), "headers": headers });
        let cut = self.cut();
        if cut == Cut::Yes {
            record["truncated"] = true.into();
        }
        match self.record.data(&self.headers, self.body, cut) {
            Data::Binary(bytes) => {
                record["body_base64"] = evoke_model::event::base64(&bytes).into();
            }
            data => record["body"] = data.to_value(),
        }
        record
    }

    /// The body of an answer to a batch; of one that is too long to be kept, which events failed.
    ///
    /// # Errors
    /// Which events failed cannot be read. All of them are tried again: better twice than lost.
    pub(super) fn batch_record(self) -> Result<Data, Failure> {
        let is_object = self.body.trim_ascii_start().first() == Some(&b'{');
        if is_object && self.is_cut {
            let message = format!("an answer to a batch may not be larger than {RECORD_MAX}");
            return Err(Failure::new(Code::TargetFailed, message));
        }
        let cut = self.cut();
        let parsed: Option<Map<String, Value>> =
            is_object.then(|| serde_json::from_slice(&self.body).ok()).flatten();
        match (parsed, cut) {
            (Some(_), Cut::No) => Ok(Data::Json(self.body.into())),
            (Some(answer), Cut::Yes) => Ok(Data::from_value(&only_failed(answer).into())),
            (None, _) => Ok(self.record.data(&self.headers, self.body, cut)),
        }
    }
}

fn only_failed(mut answer: Map<String, Value>) -> Map<String, Value> {
    answer.retain(|name, _| FAILED.contains(&name.as_str()));
    answer.insert("truncated".to_owned(), true.into());
    answer
}

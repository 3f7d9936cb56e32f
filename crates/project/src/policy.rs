//! The policy of a trigger, read from its entry in a manifest: the checks of [`Policy`] with all
//! problems at once.

use std::ops::RangeInclusive;

use evoke_model::policy::{
    Backoff, Batch, Concurrency, Idempotency, Mode, OnFailure, Overflow, Rate, Retry,
};
use evoke_model::{ByteSize, Millis, Policy};
use serde_json::Value;

use crate::manifest::TIMEOUT_RANGE;
use crate::read::ReadContext;
use crate::reader::{Report, Table, Wrong, describe};
use crate::values::{boolean, count, duration, size, some_text, whole, word};

/// Policies that are checked but not carried out by this version: a trigger that has one works
/// without it, and a warning says so.
pub const NOT_YET: [&str; 7] = [
    "batch",
    "concurrency.overflow",
    "dead_letter.publish",
    "debounce",
    "idempotency",
    "rate",
    "transform",
];

const WAIT_MAX: Millis = Millis::from_secs(7 * 86_400);
const WAITS: RangeInclusive<Millis> = Millis::ZERO..=WAIT_MAX;
const TIMES: RangeInclusive<Millis> = Millis::new(1)..=WAIT_MAX;
/// More at once than any pool runs is the same as no limit.
const LIMIT_MAX: u32 = 1_000_000;
const BATCH_SIZE_MAX: u32 = 10_000;
const BATCH_BYTES: RangeInclusive<ByteSize> = ByteSize::new(1)..=ByteSize::from_mb(10);
const PRIORITY_MAX: i64 = 1_000;
/// A CEL expression in a manifest; a longer one belongs into the function.
const EXPRESSION_BYTES_MAX: usize = 8 << 10;

/// Takes the policy's fields out of a trigger's entry.
pub fn read(table: &mut Table, context: &ReadContext<'_>, report: &mut Report) -> Policy {
    let mut reader = Reader { context, report };
    Policy {
        mode: table.read("mode", reader.report, word(&MODES)),
        retry: reader.retry(table),
        timeout: table.read("timeout", reader.report, duration(TIMEOUT_RANGE)),
        concurrency: reader.concurrency(table),
        order_by: reader.cel(table, "order_by"),
        batch: reader.batch(table),
        debounce: reader.debounce(table),
        rate: reader.rate(table),
        priority: reader.priority(table),
        filter: reader.cel(table, "filter"),
        transform: reader.transform(table),
        idempotency: reader.idempotency(table),
        dead_letter: reader.dead_letter(table),
        on_failure: table.read("on_failure", reader.report, word(&FAILURES)),
    }
}

const MODES: [(&str, Mode); 2] = [("async", Mode::Async), ("sync", Mode::Sync)];
const FAILURES: [(&str, OnFailure); 2] =
    [("reject", OnFailure::Reject), ("continue", OnFailure::Continue)];
const BACKOFFS: [(&str, Backoff); 3] =
    [("exponential", Backoff::Exponential), ("linear", Backoff::Linear), ("fixed", Backoff::Fixed)];
const OVERFLOWS: [(&str, Overflow); 3] =
    [("queue", Overflow::Queue), ("skip", Overflow::Skip), ("cancel", Overflow::Cancel)];

struct Reader<'a> {
    context: &'a ReadContext<'a>,
    report: &'a mut Report,
}

impl Reader<'_> {
    /// The value unless this version does not carry it out.
    fn later<T>(&mut self, policy: &str, at: String, value: Option<T>) -> Option<T> {
        if value.is_some() && NOT_YET.contains(&policy) {
            let wrong = Wrong::new(format!("policy `{policy}` is not available in this version"));
            self.report.warn(at, wrong.suggest("the trigger works without it"));
            return None;
        }
        value
    }

    fn cel(&mut self, table: &mut Table, key: &'static str) -> Option<String> {
        let check = self.context.check_cel;
        table.read(key, self.report, |value| {
            let expression = some_text(value)?;
            if expression.len() > EXPRESSION_BYTES_MAX {
                let max = EXPRESSION_BYTES_MAX >> 10;
                return Err(Wrong::new(format!("the expression is longer than {max} kb")));
            }
            check(&expression).map_err(|error| {
                let shown = describe(&Value::from(expression.as_str()));
                Wrong::new(format!("{shown} is not a CEL expression: {error}"))
            })?;
            Ok(expression)
        })
    }

    fn retry(&mut self, table: &mut Table) -> Option<Retry> {
        let mut inner = table.open("retry", self.report)?;
        let defaults = Retry::default();
        let attempts = inner.read("attempts", self.report, count(1..=Retry::ATTEMPTS_MAX));
        let backoff = inner.read("backoff", self.report, word(&BACKOFFS));
        let initial = inner.read("initial", self.report, duration(WAITS));
        let max = inner.read("max", self.report, duration(WAITS));
        let jitter = inner.read("jitter", self.report, boolean);
        if let (Some(initial), Some(max)) = (initial, max)
            && initial > max
        {
            let wrong = Wrong::new(format!("{initial} is longer than `max`, {max}"));
            self.report.problem(inner.path("initial"), wrong.suggest("initial <= max"));
        }
        inner.finish(self.report);
        let initial = initial.unwrap_or_else(|| defaults.initial.min(max.unwrap_or(WAIT_MAX)));
        Some(Retry {
            attempts: attempts.unwrap_or(defaults.attempts),
            backoff: backoff.unwrap_or_default(),
            initial,
            max: max.unwrap_or_else(|| defaults.max.max(initial)),
            jitter: jitter.unwrap_or(defaults.jitter),
        })
    }

    fn concurrency(&mut self, table: &mut Table) -> Option<Concurrency> {
        let mut inner = table.open("concurrency", self.report)?;
        let limit = self.required(&mut inner, "limit", count(1..=LIMIT_MAX));
        let key = self.cel(&mut inner, "key");
        let overflow = inner.read("overflow", self.report, word(&OVERFLOWS));
        let other = overflow.filter(|overflow| *overflow != Overflow::Queue);
        let overflow = self.later("concurrency.overflow", inner.path("overflow"), other);
        inner.finish(self.report);
        Some(Concurrency { limit: limit?, key, overflow: overflow.unwrap_or_default() })
    }

    fn batch(&mut self, table: &mut Table) -> Option<Batch> {
        let mut inner = table.open("batch", self.report)?;
        let size_max = self.required(&mut inner, "size", count(1..=BATCH_SIZE_MAX));
        let wait = inner.read("wait", self.report, duration(WAITS)).unwrap_or_default();
        let bytes = inner.read("bytes", self.report, size(BATCH_BYTES));
        inner.finish(self.report);
        let batch = size_max.map(|size| Batch { size, wait, bytes });
        self.later("batch", table.path("batch"), batch)
    }

    fn debounce(&mut self, table: &mut Table) -> Option<Millis> {
        let wait = table.read("debounce", self.report, duration(TIMES));
        self.later("debounce", table.path("debounce"), wait)
    }

    fn rate(&mut self, table: &mut Table) -> Option<Rate> {
        let mut inner = table.open("rate", self.report)?;
        let limit = self.required(&mut inner, "limit", count(1..=LIMIT_MAX));
        let per = self.required(&mut inner, "per", duration(TIMES));
        let key = self.cel(&mut inner, "key");
        inner.finish(self.report);
        let rate = limit.zip(per).map(|(limit, per)| Rate { limit, per, key });
        self.later("rate", table.path("rate"), rate)
    }

    fn priority(&mut self, table: &mut Table) -> i32 {
        let priority = table.read("priority", self.report, whole(-PRIORITY_MAX..=PRIORITY_MAX));
        priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or_default()
    }

    fn transform(&mut self, table: &mut Table) -> Option<String> {
        let transform = self.cel(table, "transform");
        self.later("transform", table.path("transform"), transform)
    }

    fn idempotency(&mut self, table: &mut Table) -> Option<Idempotency> {
        let mut inner = table.open("idempotency", self.report)?;
        let given = inner.peek("key").is_some();
        let key = self.cel(&mut inner, "key");
        if !given {
            self.missing(&inner, "key");
        }
        let ttl = inner.read("ttl", self.report, duration(TIMES));
        inner.finish(self.report);
        let idempotency = key.map(|key| Idempotency { key, ttl });
        self.later("idempotency", table.path("idempotency"), idempotency)
    }

    fn dead_letter(&mut self, table: &mut Table) -> Option<bool> {
        let at = table.path("dead_letter");
        if !table.peek("dead_letter").is_some_and(Value::is_object) {
            return table.read("dead_letter", self.report, |value| {
                boolean(value).map_err(|_| {
                    let came = describe(value);
                    Wrong::new(format!("expected true, false or {{ publish: TYPE }}, got {came}"))
                })
            });
        }
        let mut inner = table.open("dead_letter", self.report)?;
        let publish = self.required(&mut inner, "publish", some_text);
        inner.finish(self.report);
        // Where publishing is not carried out the execution is kept as a dead letter all the same.
        self.later("dead_letter.publish", at, publish);
        Some(true)
    }

    fn required<T>(
        &mut self,
        table: &mut Table,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        if table.peek(key).is_none() {
            self.missing(table, key);
        }
        table.read(key, self.report, read)
    }

    fn missing(&mut self, table: &Table, key: &str) {
        self.report.problem(table.path(key), Wrong::new(format!("`{key}` is missing")));
    }
}

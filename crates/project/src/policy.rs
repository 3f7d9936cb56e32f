//! The policy of a trigger, read from its entry in a manifest: the checks of [`Policy`] with all
//! problems at once.

use std::ops::RangeInclusive;

use evoke_model::policy::{
    Backoff, Batch, Concurrency, DeadLetter, Debounce, DebounceMode, Idempotency, Mode, OnFailure,
    Overflow, Priority, Rate, Retry,
};
use evoke_model::{ByteSize, Millis, Policy};
use serde_json::Value;

use crate::manifest::TIMEOUT_RANGE;
use crate::read::ReadContext;
use crate::reader::{Report, Table, Wrong, describe};
use crate::values::{boolean, count, duration, size, some_text, whole, word};

const WAIT_MAX: Millis = Millis::from_secs(7 * 86_400);
const WAITS: RangeInclusive<Millis> = Millis::ZERO..=WAIT_MAX;
const TIMES: RangeInclusive<Millis> = Millis::new(1)..=WAIT_MAX;
/// More at once than any pool runs is the same as no limit.
const LIMIT_MAX: u32 = 1_000_000;
const BATCH_SIZE_MAX: u32 = 10_000;
const BATCH_BYTES: RangeInclusive<ByteSize> = ByteSize::new(1)..=ByteSize::from_mb(10);
/// As far as a fixed priority goes, either way.
const PRIORITY_MAX: i64 = Priority::MAX as i64;
/// A CEL expression in a manifest; a longer one belongs into the function.
const EXPRESSION_BYTES_MAX: usize = 8 << 10;

/// Takes the policy's fields out of a trigger's entry.
pub fn read(table: &mut Table, context: &ReadContext<'_>, report: &mut Report) -> Policy {
    overlap(table, report);
    let mut reader = Reader { context, report };
    let policy = Policy {
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
        transform: reader.cel(table, "transform"),
        idempotency: reader.idempotency(table),
        dead_letter: reader.dead_letter(table),
        on_failure: table.read("on_failure", reader.report, word(&FAILURES)),
        allow_modify: table.read("allow_modify", reader.report, boolean),
    };
    report.problems_of(table, evoke_matching::contradictions(&policy));
    policy
}

/// Puts `concurrency` in the place of the short words for it.
fn overlap(table: &mut Table, report: &mut Report) {
    let mut fields = table.fields().clone();
    match evoke_model::overlap::concurrency(&mut fields) {
        Ok(None) => {}
        Ok(Some(limit)) => table.put("concurrency", limit, "concurrency"),
        Err(problems) => report.problems_of(table, problems),
    }
    for word in evoke_model::overlap::WORDS {
        table.take(word);
    }
}

const MODES: [(&str, Mode); 2] = [("async", Mode::Async), ("sync", Mode::Sync)];
const FAILURES: [(&str, OnFailure); 2] =
    [("reject", OnFailure::Reject), ("continue", OnFailure::Continue)];
const BACKOFFS: [(&str, Backoff); 3] =
    [("exponential", Backoff::Exponential), ("linear", Backoff::Linear), ("fixed", Backoff::Fixed)];
const OVERFLOWS: [(&str, Overflow); 3] =
    [("queue", Overflow::Queue), ("skip", Overflow::Skip), ("cancel", Overflow::Cancel)];
const DEBOUNCES: [(&str, DebounceMode); 2] =
    [("last", DebounceMode::Last), ("all", DebounceMode::All)];

struct Reader<'a> {
    context: &'a ReadContext<'a>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn cel(&mut self, table: &mut Table, key: &'static str) -> Option<String> {
        let context = self.context;
        table.read(key, self.report, |value| expression(value, context))
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
        inner.finish(self.report);
        Some(Concurrency { limit: limit?, key, overflow: overflow.unwrap_or_default() })
    }

    fn batch(&mut self, table: &mut Table) -> Option<Batch> {
        let mut inner = table.open("batch", self.report)?;
        let size_max = self.required(&mut inner, "size", count(1..=BATCH_SIZE_MAX));
        let wait = inner.read("wait", self.report, duration(WAITS)).unwrap_or_default();
        let bytes = inner.read("bytes", self.report, size(BATCH_BYTES));
        let key = self.cel(&mut inner, "key");
        inner.finish(self.report);
        Some(Batch { size: size_max?, wait, bytes, key })
    }

    /// A duration, or an object with one.
    fn debounce(&mut self, table: &mut Table) -> Option<Debounce> {
        if !table.peek("debounce").is_some_and(Value::is_object) {
            return table.read("debounce", self.report, duration(TIMES)).map(Debounce::after);
        }
        let mut inner = table.open("debounce", self.report)?;
        let wait = self.required(&mut inner, "wait", duration(TIMES));
        let key = self.cel(&mut inner, "key");
        let max_wait = inner.read("max_wait", self.report, duration(TIMES));
        let mode = inner.read("mode", self.report, word(&DEBOUNCES));
        if let (Some(wait), Some(max_wait)) = (wait, max_wait)
            && max_wait < wait
        {
            let wrong = Wrong::new(format!("{max_wait} is shorter than `wait`, {wait}"));
            self.report.problem(inner.path("max_wait"), wrong.suggest("max_wait >= wait"));
        }
        inner.finish(self.report);
        Some(Debounce { wait: wait?, key, max_wait, mode: mode.unwrap_or_default() })
    }

    fn rate(&mut self, table: &mut Table) -> Option<Rate> {
        let mut inner = table.open("rate", self.report)?;
        let limit = self.required(&mut inner, "limit", count(1..=LIMIT_MAX));
        let per = self.required(&mut inner, "per", duration(TIMES));
        let key = self.cel(&mut inner, "key");
        let burst = inner.read("burst", self.report, count(1..=LIMIT_MAX));
        inner.finish(self.report);
        limit.zip(per).map(|(limit, per)| Rate { limit, per, key, burst })
    }

    /// A number, or an expression that gives one.
    fn priority(&mut self, table: &mut Table) -> Priority {
        if table.peek("priority").is_some_and(Value::is_string) {
            return self.cel(table, "priority").map(Priority::By).unwrap_or_default();
        }
        let points = table.read("priority", self.report, |value| {
            if !value.is_number() {
                let came = describe(value);
                let message = format!("expected a whole number or a CEL expression, got {came}");
                return Err(Wrong::new(message));
            }
            whole(-PRIORITY_MAX..=PRIORITY_MAX)(value)
        });
        let points = points.and_then(|points| i32::try_from(points).ok());
        points.map(Priority::Fixed).unwrap_or_default()
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
        Some(Idempotency { key: key?, ttl })
    }

    /// `true`, `false`, or an object with the type of an event.
    fn dead_letter(&mut self, table: &mut Table) -> Option<DeadLetter> {
        if !table.peek("dead_letter").is_some_and(Value::is_object) {
            return table.read("dead_letter", self.report, |value| {
                boolean(value).map(DeadLetter::Kept).map_err(|_| {
                    let came = describe(value);
                    Wrong::new(format!("expected true, false or {{ publish: TYPE }}, got {came}"))
                })
            });
        }
        let mut inner = table.open("dead_letter", self.report)?;
        let publish = self.required(&mut inner, "publish", event_type);
        inner.finish(self.report);
        Some(DeadLetter::Published { publish: publish? })
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

/// A CEL expression.
fn expression(value: &Value, context: &ReadContext<'_>) -> Result<String, Wrong> {
    let expression = some_text(value)?;
    if expression.len() > EXPRESSION_BYTES_MAX {
        let max = EXPRESSION_BYTES_MAX >> 10;
        return Err(Wrong::new(format!("the expression is longer than {max} kb")));
    }
    (context.check_cel)(&expression).map_err(|error| {
        let shown = describe(&Value::from(expression.as_str()));
        Wrong::new(format!("{shown} is not a CEL expression: {error}"))
    })?;
    Ok(expression)
}

/// The type of an event.
fn event_type(value: &Value) -> Result<String, Wrong> {
    let kind = some_text(value)?;
    if kind.chars().any(char::is_whitespace) {
        return Err(Wrong::new("the type of an event has no spaces").suggest("order.failed"));
    }
    Ok(kind)
}

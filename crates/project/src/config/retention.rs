//! How long the record is kept: `[retention]`.

use std::ops::RangeInclusive;

use evoke_matching::{Pattern, Separator};
use evoke_model::{ByteSize, Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::or_false;
use crate::reader::{Report, Table, Wrong, describe};
use crate::settings::within;
use crate::values::{duration, some_text};

/// Shorter than this the record would go while people look at it.
const TIMES: RangeInclusive<Millis> = Millis::from_secs(60)..=Millis::from_secs(36_500 * 86_400);
/// Less than this is gone within seconds of load.
const BYTES: RangeInclusive<ByteSize> = ByteSize::from_mb(16)..=ByteSize::new(1 << 49);
/// Each rule is looked at for each event of a sweep.
const RULES_MAX: usize = 100;

/// How long the record is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// After this time events and executions are moved to the archive, compressed; `false` keeps
    /// them as they are. At least 1m. Default: `24h`.
    #[serde(with = "or_false")]
    #[schemars(schema_with = "or_false::schema::<Millis>")]
    pub archive_after: Option<Millis>,
    /// After this time events are deleted. At least 1m. Default: `7d`.
    pub events: Millis,
    /// After this time executions that ended are deleted. At least 1m. Default: `30d`.
    pub executions: Millis,
    /// How long dead letters stay. At least 1m. Default: `30d`.
    pub dead_letters: Millis,
    /// How long the audit trail stays. At least 1m. Default: `365d`.
    pub audit: Millis,
    /// Above this size the oldest are deleted, whatever their age; `false` for no bound. At least
    /// 16mb. Default: `false`.
    #[serde(with = "or_false")]
    #[schemars(schema_with = "or_false::schema::<ByteSize>")]
    pub max_bytes: Option<ByteSize>,
    /// Other times for some events and executions; the first rule that fits wins. Default: none.
    pub rules: Vec<RetentionRule>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Millis::from_secs(days * 86_400);
        Self {
            archive_after: Some(days(1)),
            events: days(7),
            executions: days(30),
            dead_letters: days(30),
            audit: days(365),
            max_bytes: None,
            rules: Vec::new(),
        }
    }
}

/// Other times for some events and executions. A time that is not given is the general one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Events whose type fits this pattern (`order.*`), and their executions.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Executions of the function with this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// After this time the events are deleted; not for a function, which has no events of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Millis>,
    /// After this time the executions are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<Millis>,
}

impl Retention {
    /// Reports everything that is out of range or has no meaning.
    pub(crate) fn check(&self, report: &mut Report) {
        let times = [
            ("retention.events", self.events),
            ("retention.executions", self.executions),
            ("retention.dead_letters", self.dead_letters),
            ("retention.audit", self.audit),
        ];
        let archive = self.archive_after.map(|after| ("retention.archive_after", after));
        for (field, time) in times.into_iter().chain(archive) {
            within(field, &time, &TIMES, report);
        }
        if let Some(bytes) = self.max_bytes {
            within("retention.max_bytes", &bytes, &BYTES, report);
        }
        if self.rules.len() > RULES_MAX {
            let count = self.rules.len();
            let wrong =
                Wrong::new(format!("{count} rules")).suggest(format!("at most {RULES_MAX}"));
            report.problem("retention.rules", wrong);
        }
        for (place, rule) in self.rules.iter().enumerate() {
            rule.check(&format!("retention.rules[{place}]"), report);
        }
    }
}

impl RetentionRule {
    fn check(&self, at: &str, report: &mut Report) {
        if self.kind.is_none() && self.function.is_none() {
            let wrong = Wrong::new("it fits nothing: `type` and `function` are missing");
            report.problem(at, wrong.suggest("type = \"order.*\" or function = \"name\""));
        }
        if self.events.is_none() && self.executions.is_none() {
            let wrong = Wrong::new("it changes nothing: `events` and `executions` are missing");
            report.problem(at, wrong.suggest("executions = \"90d\""));
        }
        if self.function.is_some() && self.events.is_some() {
            let wrong = Wrong::new("events belong to no function")
                .suggest("leave it out, or give `type` without `function`");
            report.problem(format!("{at}.events"), wrong);
        }
        let pattern = self.kind.as_deref().map(|kind| Pattern::parse(kind, Separator::Dot));
        if let Some(Err(mut problem)) = pattern {
            problem.field = format!("{at}.type");
            report.problems.push(problem);
        }
        for (key, time) in [("events", self.events), ("executions", self.executions)] {
            if let Some(time) = time {
                within(&format!("{at}.{key}"), &time, &TIMES, report);
            }
        }
    }
}

/// The rules as they were written, if each has the right fields of the right types.
pub(crate) fn rules(value: &Value, at: &str, report: &mut Report) -> Option<Value> {
    let Value::Array(items) = value else {
        report.problem(at, format!("expected a list, got {}", describe(value)));
        return None;
    };
    let before = report.problems.len();
    for (place, item) in items.iter().enumerate() {
        let at = format!("{at}[{place}]");
        let Some(mut rule) = Table::of(item.clone(), &at, report) else { continue };
        for key in ["type", "function"] {
            rule.read(key, report, some_text);
        }
        for key in ["events", "executions"] {
            rule.read(key, report, duration(Millis::ZERO..=Millis::new(u64::MAX)));
        }
        rule.finish(report);
    }
    (report.problems.len() == before).then(|| value.clone())
}

//! Reading a schedule: its words are made into those of a trigger, and what is wrong with the
//! trigger is told in the words it was made from.

use std::collections::BTreeMap;

use evoke_engine::NewTrigger;
use evoke_model::policy::Overflow;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Problem, Target, Trigger, alyx, overlap};
use serde_json::{Map, Value, json};

use super::AskedSchedule;
use crate::trigger::TriggerBody;

/// What the configuration of the trigger takes as it is.
const TIMETABLE: [&str; 9] =
    ["cron", "every", "at", "timezone", "start", "end", "jitter", "missed", "input"];
const REST: [&str; 7] = ["name", "type", "expression", "function", "target", "enabled", "policy"];
const FIELDS: [&[&str]; 4] = [&REST, &TIMETABLE, &overlap::WORDS, &alyx::RETRY_WORDS];

/// How the fields of the trigger are called in the body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// A problem of the trigger as one of the schedule.
    pub(super) fn told(&self, problem: Problem) -> Problem {
        let end = problem.field.match_indices(['.', '[']).nth(1).map(|(at, _)| at);
        let (of, rest) = problem.field.split_at(end.unwrap_or(problem.field.len()));
        let field = match (self.0.get(of), of.strip_prefix("config.")) {
            (Some(name), _) => format!("{name}{rest}"),
            (None, Some("cron" | "every" | "at")) => "expression".to_owned(),
            (None, Some(name)) => format!("{name}{rest}"),
            (None, None) => format!("{of}{rest}"),
        };
        Problem { field, ..problem }
    }
}

/// Reads the body of a new schedule.
pub(super) fn read(body: Value) -> Result<AskedSchedule, Vec<Problem>> {
    let mut reader = Reader::of(body)?;
    let mut trigger = reader.trigger(None);
    trigger.insert("type".to_owned(), Trigger::SCHEDULE.into());
    reader.finish(|| TriggerBody::read(Value::Object(trigger)))
}

/// Reads the body of a change.
pub(super) fn patch(old: &Trigger, patch: Value) -> Result<AskedSchedule, Vec<Problem>> {
    let mut reader = Reader::of(patch)?;
    let patch = reader.trigger(Some(old));
    reader.finish(|| TriggerBody::patch(old, Value::Object(patch)))
}

/// Takes short words out of fields and gives back what they stand for.
type Words = fn(&mut Map<String, Value>) -> Result<Option<Value>, Vec<Problem>>;

/// Collects what is wrong while everything else is read.
struct Reader {
    fields: Map<String, Value>,
    names: Names,
    /// Where fields stand that were lifted out of `config`.
    lifted: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn of(body: Value) -> Result<Self, Vec<Problem>> {
        let Value::Object(fields) = body else {
            return Err(vec![Problem::new("", "expected an object")]);
        };
        let (names, lifted, problems) = Default::default();
        let mut reader = Self { fields, names, lifted, problems };
        match reader.fields.remove("config") {
            None | Some(Value::Null) => {}
            Some(Value::Object(config)) => reader.lift(config),
            Some(_) => reader.problem("config", "expected an object"),
        }
        let known = FIELDS.concat();
        for name in reader.fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let path = reader.lifted.get(name).unwrap_or(name);
            let problem = Problem::new(path, "is not a field of a schedule");
            let hint = did_you_mean(name, known.iter().copied().chain(["config"]));
            reader.problems.push(problem.suggest(hint));
        }
        Ok(reader)
    }

    /// Puts what stands in `config` beside it.
    fn lift(&mut self, config: Map<String, Value>) {
        for (name, value) in config {
            let path = format!("config.{name}");
            if self.fields.contains_key(&name) {
                let message = format!("{name:?} is given twice");
                self.problems.push(Problem::new(path, message));
            } else {
                self.fields.insert(name.clone(), value);
                self.lifted.insert(name, path);
            }
        }
    }

    /// Where a field stands in the body.
    fn path(&self, name: &str) -> String {
        self.lifted.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn problem(&mut self, name: &str, message: &str) {
        self.problems.push(Problem::new(self.path(name), message));
    }

    /// Takes a field that counts as not given where it is `null`.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// The body, or the change, of the trigger.
    fn trigger(&mut self, old: Option<&Trigger>) -> Map<String, Value> {
        let mut trigger = Map::new();
        for name in ["name", "enabled"] {
            trigger.extend(self.fields.remove(name).map(|value| (name.to_owned(), value)));
        }
        self.timing(old);
        let mut config = Map::new();
        for name in TIMETABLE {
            let Some(value) = self.fields.remove(name) else { continue };
            config.insert(name.to_owned(), value);
            let path = self.path(name);
            self.names.0.entry(format!("config.{name}")).or_insert(path);
        }
        trigger.insert("config".to_owned(), Value::Object(config));
        trigger.extend(self.target(old).map(|target| ("target".to_owned(), target)));
        trigger.insert("policy".to_owned(), self.policy(old));
        trigger
    }

    /// Makes `type` and `expression` into the one field they stand for.
    fn timing(&mut self, old: Option<&Trigger>) {
        let fields = alyx::SCHEDULES.map(|(_, field)| field);
        let plain = fields.into_iter().find(|field| self.fields.contains_key(*field));
        let (kind, expression) = (self.take("type"), self.take("expression"));
        if let Some(plain) = plain {
            if kind.is_some() || expression.is_some() {
                let message = "says the same as `type` and `expression`, which are given as well";
                self.problem(plain, message);
            }
            return self.others(plain);
        }
        let before = fields.into_iter().find(|field| old.is_some_and(|old| has(old, field)));
        let field = match kind {
            None => before,
            Some(kind) => match self.field_of(&kind) {
                Some(field) => Some(field),
                None => return,
            },
        };
        match (field, expression) {
            (Some(field), Some(expression)) => {
                self.names.0.insert(format!("config.{field}"), self.path("expression"));
                self.fields.insert(field.to_owned(), expression);
                self.others(field);
            }
            (None, given) => {
                let names = alyx::SCHEDULES.map(|(name, _)| name).join(", ");
                let problem = Problem::new("type", "is required");
                self.problems.push(problem.suggest(format!("one of: {names}")));
                if given.is_none() {
                    self.problem("expression", "is required");
                }
            }
            (field, None) if field == before => {}
            (Some(_), None) => self.problem("expression", "is required"),
        }
    }

    /// The field of a type.
    fn field_of(&mut self, kind: &Value) -> Option<&'static str> {
        let name = kind.as_str().unwrap_or_default();
        let known = alyx::SCHEDULES.into_iter().find(|(known, _)| *known == name);
        if known.is_none() {
            let message = format!("{kind} is not a type of schedule");
            let hint = did_you_mean(name, alyx::SCHEDULES.map(|(name, _)| name));
            self.problems.push(Problem::new(self.path("type"), message).suggest(hint));
        }
        known.map(|(_, field)| field)
    }

    /// A schedule has one of them: the others go.
    fn others(&mut self, field: &str) {
        for (_, other) in alyx::SCHEDULES.into_iter().filter(|(_, other)| *other != field) {
            self.fields.entry(other).or_insert(Value::Null);
        }
    }

    /// Where executions go.
    fn target(&mut self, old: Option<&Trigger>) -> Option<Value> {
        let function = match (self.take("function"), self.take("target")) {
            (None, Some(target)) => return Some(target),
            (None, None) if old.is_some() => return None,
            (Some(function), None) => function,
            (Some(function), Some(_)) => {
                self.problem("function", "says the same as `target`, which is given as well");
                function
            }
            (None, None) => {
                self.problem("function", "is required");
                Value::Null
            }
        };
        let path = self.path("function");
        self.names.0.insert("target.name".to_owned(), path);
        Some(json!({ "type": Target::FUNCTION, "name": function }))
    }

    /// The policy with the short words in it.
    fn policy(&mut self, mut old: Option<&Trigger>) -> Value {
        let mut policy = match self.fields.remove("policy") {
            None => Map::new(),
            // It goes field by field, for short words may take the place of some.
            Some(Value::Null) => {
                let mut gone = object(old.take().map(|old| json!(old.policy)));
                gone.values_mut().for_each(|value| *value = Value::Null);
                gone
            }
            Some(Value::Object(policy)) => policy,
            // Its own reader says what is wrong with it.
            Some(other) => return other,
        };
        let limit = old.map(limit_words).unwrap_or_default();
        let limit =
            self.words("concurrency", &overlap::WORDS, overlap::concurrency, (limit, &policy));
        let retry = old.map(retry_words).unwrap_or_default();
        let retry = self.words("retry", &alyx::RETRY_WORDS, alyx::retry, (retry, &policy));
        policy.extend(limit.map(|limit| ("concurrency".to_owned(), limit)));
        policy.extend(retry.map(|retry| ("retry".to_owned(), retry)));
        Value::Object(policy)
    }

    /// The field of a policy that short words stand for, if any of them is given.
    fn words(
        &mut self,
        field: &str,
        words: &[&str],
        read: Words,
        (before, policy): (Map<String, Value>, &Map<String, Value>),
    ) -> Option<Value> {
        let given = words.iter().filter_map(|word| self.fields.remove_entry(*word));
        let given: Map<String, Value> = given.collect();
        if given.is_empty() {
            return None;
        }
        let mut all = joined(before, given);
        all.extend(policy.get(field).map(|value| (field.to_owned(), value.clone())));
        match read(&mut all) {
            Ok(made) => Some(made.unwrap_or_default()),
            Err(problems) => {
                for problem in problems {
                    self.problems.push(Problem { field: self.path(&problem.field), ..problem });
                }
                None
            }
        }
    }

    fn finish(
        self,
        read: impl FnOnce() -> Result<NewTrigger, Vec<Problem>>,
    ) -> Result<AskedSchedule, Vec<Problem>> {
        let Self { names, mut problems, .. } = self;
        match read() {
            Ok(new) if problems.is_empty() => Ok(AskedSchedule { new, names }),
            Ok(_) => Err(problems),
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| names.told(problem)));
                Err(problems)
            }
        }
    }
}

fn has(old: &Trigger, field: &str) -> bool {
    old.config.get(field).is_some_and(|value| !value.is_null())
}

/// The words that say the limit a schedule has.
fn limit_words(old: &Trigger) -> Map<String, Value> {
    let words = old.policy.concurrency.as_ref().map(|concurrency| match concurrency.overflow {
        Overflow::Queue => json!({ "max_overlap": concurrency.limit }),
        Overflow::Skip => json!({ "max_overlap": concurrency.limit, "skip_if_running": true }),
        Overflow::Cancel => json!({ "max_overlap": concurrency.limit, "overlap": "cancel" }),
    });
    object(words)
}

/// The words that say how often a schedule tries again.
fn retry_words(old: &Trigger) -> Map<String, Value> {
    let attempts = old.policy.retry.as_ref().map(|retry| retry.attempts);
    let again = attempts.filter(|attempts| *attempts > 1);
    object(again.map(|attempts| json!({ "max_retries": attempts - 1 })))
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// The words of before and those that are given. One that is given puts out what it contradicts.
fn joined(mut before: Map<String, Value>, given: Map<String, Value>) -> Map<String, Value> {
    let [skip, _, overlap] = overlap::WORDS;
    if given.contains_key(skip) {
        before.remove(overlap);
    }
    if given.contains_key(overlap) {
        before.remove(skip);
    }
    before.extend(given);
    before
}

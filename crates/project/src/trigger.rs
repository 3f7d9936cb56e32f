//! The triggers of a manifest: each entry is the kind, the kind's own configuration and a policy in
//! one object. What belongs to the kind is checked by its source.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use evoke_model::{Target, suggest};
use evoke_ports::Source;
use serde_json::{Map, Value};

use crate::alyx;
use crate::desired::{DesiredTrigger, Written};
use crate::document;
use crate::filled::{self, Filled};
use crate::read::ReadContext;
use crate::reader::{Report, Table, Wrong, unknown};
use crate::values::{boolean, some_text, text};
use crate::{policy, poll};

/// The kinds of the manifest. One that has no source yet is a warning, so that the rest of a
/// manifest works meanwhile.
pub const KINDS: [&str; 9] =
    ["http", "schedule", "database", "storage", "auth", "webhook", "event", "queue", "poll"];

/// More than this in one function is made by a mistake.
const TRIGGERS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 64;

/// Reads `triggers` and the lists of the other form.
pub fn read(
    manifest: &mut Table,
    function: &str,
    folder: Folder<'_>,
    context: &ReadContext<'_>,
    report: &mut Report,
) -> Vec<DesiredTrigger> {
    let listed = manifest.list("triggers", report);
    let mut entries: Vec<Table> =
        listed.into_iter().filter_map(|(at, value)| Table::of(value, &at, report)).collect();
    entries.extend(alyx::entries(manifest, report));
    if entries.len() > TRIGGERS_MAX {
        let count = entries.len();
        let wrong = format!("{count} triggers; a function may have {TRIGGERS_MAX}");
        report.problem("triggers", wrong);
        return Vec::new();
    }
    let target = Some(Target::function(function));
    let mut reader = Reader { context, report, folder, target, names: BTreeSet::new() };
    entries.into_iter().filter_map(|entry| reader.entry(entry)).collect()
}

/// Reads a trigger from a file of its own: it names its target, and is called like the file unless
/// it says otherwise.
pub fn of_file(
    value: Value,
    stem: &str,
    folder: Folder<'_>,
    context: &ReadContext<'_>,
    report: &mut Report,
) -> Option<DesiredTrigger> {
    let mut entry = Table::of(value, "", report)?;
    if entry.peek("name").is_none() {
        entry.put("name", stem.into(), "name");
    }
    let mut reader = Reader { context, report, folder, target: None, names: BTreeSet::new() };
    reader.entry(entry)
}

/// Where the file with a trigger stands.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// Its folder.
    pub path: &'a Path,
    /// The project.
    pub root: &'a Path,
}

impl Folder<'_> {
    /// Reads a document that a trigger names by its path from here. It has to be part of the
    /// project.
    fn read(&self, path: &str) -> Result<Value, Wrong> {
        const FORMS: [&str; 3] = ["json", "yaml", "yml"];
        let form = Path::new(path).extension().and_then(|form| form.to_str()).unwrap_or_default();
        if !FORMS.contains(&form) {
            let wrong = Wrong::new(format!("{path:?} is no document that can be read"));
            return Err(wrong.suggest("a path that ends in .json, .yaml or .yml"));
        }
        let cannot =
            |error: std::io::Error| Wrong::new(format!("{path:?} cannot be read: {error}"));
        let whole = self.path.join(path).canonicalize().map_err(cannot)?;
        if !whole.starts_with(self.root.canonicalize().map_err(cannot)?) {
            return Err(Wrong::new(format!("{path:?} is not part of the project")));
        }
        document::read(&whole, self.root).map_err(|wrong| Wrong::new(format!("{path:?}: {wrong}")))
    }
}

/// A part of a trigger with its references filled in and, where there were any, as it was written.
struct Part<T> {
    value: T,
    written: Option<T>,
}

struct Reader<'a> {
    context: &'a ReadContext<'a>,
    report: &'a mut Report,
    folder: Folder<'a>,
    /// Where all of them go; `None` when each says it itself.
    target: Option<Target>,
    names: BTreeSet<String>,
}

impl Reader<'_> {
    fn entry(&mut self, mut entry: Table) -> Option<DesiredTrigger> {
        let kind = self.kind(&mut entry);
        let name = self.given_name(&mut entry);
        let enabled = entry.read("enabled", self.report, boolean);
        let policy = policy::read(&mut entry, self.context, self.report);
        let target = self.target(kind.as_deref(), &mut entry);
        let kind = kind?;
        let Some(source) = self.context.sources.get(&kind) else {
            let message = format!("trigger kind {kind:?} is not available in this version");
            self.report.warn(entry.path("type"), message);
            return None;
        };
        let source = Arc::clone(source);
        let stray = self.refuse_stray(&mut entry, source.as_ref());
        let name = name.unwrap_or_else(|| self.made_name(&kind, entry.fields()));
        let config = self.config(entry, source.as_ref())?;
        if stray {
            return None;
        }
        let target = target?;
        let has_references = config.written.is_some() || target.written.is_some();
        let written = has_references.then(|| {
            Box::new(Written {
                config: config.written.unwrap_or_else(|| config.value.clone()),
                target: target.written.unwrap_or_else(|| target.value.clone()),
            })
        });
        Some(DesiredTrigger {
            name,
            kind,
            config: config.value,
            target: target.value,
            policy,
            enabled: enabled.unwrap_or(true),
            written,
        })
    }

    /// Where executions go. What belongs to the kind of target is checked by the target.
    fn target(&mut self, kind: Option<&str>, entry: &mut Table) -> Option<Part<Target>> {
        if let Some(target) = &self.target {
            let value = match target.function_name().filter(|_| kind == Some(poll::KIND)) {
                None => target.clone(),
                Some(function) => poll::of_manifest(entry, function, self.report)?,
            };
            return Some(Part { value, written: None });
        }
        let at = entry.path("target");
        if entry.peek("target").is_none() {
            let hint = "{ type: http, url: ... } or { type: function, name: ... }";
            self.report.problem(at, Wrong::new("`target` is missing").suggest(hint));
            return None;
        }
        let mut target = entry.open("target", self.report)?;
        let kind = target.read("type", self.report, some_text);
        if kind.is_none() && self.report.problems.is_empty() {
            self.report.problem(target.path("type"), "`type` is missing");
        }
        let written = Value::Object(target.fields().clone());
        let mut config = written.clone();
        let filled = self.fill(&mut config, &target)?;
        let kind = kind?;
        let written = filled.is_any().then(|| Target { kind: kind.clone(), config: written });
        Some(Part { value: Target { kind, config }, written })
    }

    /// The kind, if there is or will be one of this name.
    fn kind(&mut self, entry: &mut Table) -> Option<String> {
        let mut known: Vec<&str> = KINDS.to_vec();
        known.extend(self.context.sources.keys().map(String::as_str));
        known.sort_unstable();
        known.dedup();
        let at = entry.path("type");
        if entry.peek("type").is_none() {
            let all = format!("one of: {}", known.join(", "));
            self.report.problem(at, Wrong::new("`type` is missing").suggest(all));
            return None;
        }
        let kind = entry.read("type", self.report, text)?;
        if !known.contains(&kind.as_str()) {
            self.report.problem(at, unknown("trigger kind", &kind, known));
            return None;
        }
        Some(kind)
    }

    fn given_name(&mut self, entry: &mut Table) -> Option<String> {
        let at = entry.path("name");
        let name = entry.read("name", self.report, |value| {
            let name = some_text(value)?;
            let right = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            if !right || name.len() > NAME_CHARS_MAX {
                let hint = format!("letters, digits, `-`, `_` and `.`, at most {NAME_CHARS_MAX}");
                return Err(Wrong::new("it is not a name").suggest(hint));
            }
            Ok(name)
        })?;
        if !self.names.insert(name.clone()) {
            self.report.problem(at, format!("another trigger is called {name:?}"));
        }
        Some(name)
    }

    /// A name made of what the trigger listens to: it stays the same when other triggers come and
    /// go, and with it the executions that wait.
    fn made_name(&mut self, kind: &str, config: &Map<String, Value>) -> String {
        let detail = ["path", "match", "collection", "bucket", "topic", "cron", "every", "at"];
        let first = |value: &'_ Value| match value {
            Value::Array(items) => items.first().and_then(Value::as_str).map(str::to_owned),
            other => other.as_str().map(str::to_owned),
        };
        let detail = detail.iter().find_map(|key| config.get(*key).and_then(first));
        let detail = detail.unwrap_or_default();
        // A path that begins with the kind does not say it twice.
        let detail = detail.strip_prefix(&format!("/{kind}s/")).unwrap_or(&detail);
        let base = slug(&format!("{kind} {detail}"));
        let mut name = base.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        name
    }

    /// A mistyped key of the policy looks to the source like a key of its configuration. It is
    /// refused here, where both are known.
    fn refuse_stray(&mut self, entry: &mut Table, source: &dyn Source) -> bool {
        let schema = &source.descriptor().schema;
        let Some(own) = schema.get("properties").and_then(Value::as_object) else { return false };
        let stray: Vec<String> = entry
            .fields()
            .keys()
            .filter(|key| !own.contains_key(*key))
            .filter(|key| suggest::nearest(key, entry.asked().iter().copied()).is_some())
            .cloned()
            .collect();
        for key in &stray {
            let known = entry.asked().iter().copied().chain(own.keys().map(String::as_str));
            self.report.problem(entry.path(key), unknown("key", key, known));
            entry.remove(key);
        }
        !stray.is_empty()
    }

    fn config(&mut self, entry: Table, source: &dyn Source) -> Option<Part<Value>> {
        let mut written = Value::Object(entry.fields().clone());
        let mut config = written.clone();
        let filled = self.fill(&mut config, &entry)?;
        for (name, value) in self.files(&entry, source)? {
            // Nothing is filled in in a file: a dollar sign there is one.
            config[&name] = value.clone();
            written[&name] = value;
        }
        match source.check(&config) {
            Ok(value) => Some(Part { value, written: filled.is_any().then_some(written) }),
            Err(problems) => {
                for mut problem in problems.into_iter().map(|problem| filled.hide(problem)) {
                    problem.field = entry.path(&problem.field);
                    self.report.problems.push(problem);
                }
                None
            }
        }
    }

    /// What the fields hold that name a file: those whose schema says that a text stands for a
    /// document of another kind.
    fn files(&mut self, entry: &Table, source: &dyn Source) -> Option<Vec<(String, Value)>> {
        let properties = source.descriptor().schema.get("properties").and_then(Value::as_object);
        let takes_file = |schema: &Value| schema.get("contentMediaType").is_some();
        let named = properties.into_iter().flatten().filter(|(_, schema)| {
            let forms = schema.get("anyOf").and_then(Value::as_array);
            forms.is_some_and(|forms| forms.iter().any(takes_file))
        });
        let mut files = Vec::new();
        let mut is_whole = true;
        for (name, _) in named {
            let Some(path) = entry.peek(name).and_then(Value::as_str) else { continue };
            match self.folder.read(path) {
                Ok(value) => files.push((name.clone(), value)),
                Err(wrong) => {
                    self.report.problem(entry.path(name), wrong);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(files)
    }

    /// Fills the references of a configuration in.
    fn fill(&mut self, config: &mut Value, table: &Table) -> Option<Filled> {
        let mut filled = filled::fill_in(config, self.context.lookup);
        let wrong = std::mem::take(&mut filled.wrong);
        let is_whole = wrong.is_empty();
        for (path, wrong) in wrong {
            self.report.problem(table.path(&path), wrong);
        }
        is_whole.then_some(filled)
    }
}

/// Letters and digits with single dashes between: `http /api/users/{id}` is `http-api-users-id`.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    joined.chars().take(NAME_CHARS_MAX).collect()
}

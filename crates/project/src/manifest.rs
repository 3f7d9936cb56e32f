//! The manifest of a function: one meaning, whatever form it was written in.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use evoke_model::{ByteSize, FunctionSpec, Millis, Scaling};
use serde_json::Value;

use crate::config::Defaults;
use crate::desired::DesiredTrigger;
use crate::environment;
use crate::language;
use crate::read::ReadContext;
use crate::reader::{Report, Table, Wrong, describe};
use crate::trigger;
use crate::values::{boolean, count, duration, size, some_text};

/// Memory of one worker.
pub const MEMORY_RANGE: RangeInclusive<ByteSize> = ByteSize::from_mb(128)..=ByteSize::from_mb(4096);
/// Time of one attempt.
pub const TIMEOUT_RANGE: RangeInclusive<Millis> = Millis::new(1)..=Millis::from_secs(15 * 60);
const INSTANCES_MAX: u32 = 1_000;
const CONCURRENCY_MAX: u32 = 10_000;

/// A manifest that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// What it says, with defaults filled in.
    pub spec: FunctionSpec,
    /// The environment with references filled in.
    pub environment: BTreeMap<String, String>,
    /// The triggers.
    pub triggers: Vec<DesiredTrigger>,
}

/// Where a manifest stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The name of the folder: the name of the function unless the manifest has another.
    pub name: &'a str,
    /// The folder of the code.
    pub folder: &'a Path,
    /// The folder of the project.
    pub root: &'a Path,
    /// What the project says for manifests that say nothing.
    pub defaults: &'a Defaults,
}

/// Reads a manifest. All problems go to the report; where there are any, the result is only good
/// for its name.
pub fn read(
    value: Value,
    place: Place<'_>,
    context: &ReadContext<'_>,
    report: &mut Report,
) -> Option<Manifest> {
    let mut table = Table::of(value, "", report)?;
    let name = table.read("name", report, some_text).unwrap_or_else(|| place.name.to_owned());
    if let Err(wrong) = check_name(&name) {
        report.problem("name", wrong);
    }
    let runtime = language::runtime(&mut table, place, context, report);
    let handler = language::handler(&mut table, place, runtime, report);
    let memory = table.read("memory", report, size(MEMORY_RANGE));
    let timeout = table.read("timeout", report, duration(TIMEOUT_RANGE));
    let variables = environment::read(&mut table, context.lookup, report);
    let scaling = scaling(&mut table, report);
    vpc(&mut table, report);
    let folder = trigger::Folder { path: place.folder, root: place.root };
    let triggers = trigger::read(&mut table, &name, folder, context, report);
    table.finish(report);
    Some(Manifest {
        spec: FunctionSpec {
            name,
            runtime: runtime.map(|runtime| runtime.name.clone()).unwrap_or_default(),
            handler,
            memory: memory.unwrap_or(place.defaults.memory),
            timeout: timeout.unwrap_or(place.defaults.timeout),
            environment: variables.written,
            scaling,
        },
        environment: variables.filled,
        triggers,
    })
}

/// Whether a function may be called this.
///
/// # Errors
/// What a name may be made of.
pub fn check_name(name: &str) -> Result<(), Wrong> {
    let max = FunctionSpec::NAME_LEN_MAX;
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let right = first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if right && name.len() <= max {
        return Ok(());
    }
    let hint =
        format!("letters, digits, `-` and `_`, beginning with a letter or digit, at most {max}");
    let shown = describe(&Value::from(name));
    Err(Wrong::new(format!("{shown} is not a name of a function")).suggest(hint))
}

fn scaling(table: &mut Table, report: &mut Report) -> Scaling {
    let defaults = Scaling::default();
    let Some(mut inner) = table.open("scaling", report) else { return defaults };
    let min = inner.read("minInstances", report, count(0..=INSTANCES_MAX));
    let max = inner.read("maxInstances", report, count(1..=INSTANCES_MAX));
    let target = inner.read("targetConcurrency", report, count(1..=CONCURRENCY_MAX));
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let wrong = Wrong::new(format!("{min} is more than maxInstances, {max}"));
        report.problem(inner.path("minInstances"), wrong);
    }
    inner.finish(report);
    let min_instances = min.unwrap_or(defaults.min_instances);
    Scaling {
        min_instances,
        max_instances: max.unwrap_or_else(|| defaults.max_instances.max(min_instances)),
        target_concurrency: target.unwrap_or(defaults.target_concurrency),
    }
}

/// Private networks: known, so that manifests that turn them off can be read as they stand.
fn vpc(table: &mut Table, report: &mut Report) {
    let Some(mut inner) = table.open("vpc", report) else { return };
    let enabled = inner.read("enabled", report, boolean).unwrap_or(false);
    for (at, subnet) in inner.list("subnetIds", report) {
        if !subnet.is_string() {
            report.problem(at, format!("expected a text, got {}", describe(&subnet)));
        }
    }
    if enabled {
        report.warn(inner.path("enabled"), "private networks are not available in this version");
    }
    inner.finish(report);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A spec with defaults.
    pub fn spec(name: &str) -> FunctionSpec {
        FunctionSpec {
            name: name.to_owned(),
            runtime: "nodejs".to_owned(),
            handler: None,
            memory: FunctionSpec::MEMORY_DEFAULT,
            timeout: FunctionSpec::TIMEOUT_DEFAULT,
            environment: BTreeMap::new(),
            scaling: Scaling::default(),
        }
    }

    #[test]
    fn names_are_checked() {
        for name in ["a", "on-user-created", "A_1", "0x", &"a".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "_a", "a b", "../a", "a/b", "ü", "a.b", "a\0", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

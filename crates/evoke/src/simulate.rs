//! `evoke schedules simulate`: the schedules of a project on a virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use evoke_cli::args::SimulateArgs;
use evoke_cli::{Failure, Outcome};
use evoke_client::Class;
use evoke_engine::NewTrigger;
use evoke_model::suggest::did_you_mean;
use evoke_model::{Millis, Timestamp, Trigger};
use evoke_ports::{Clock, SystemClock};
use evoke_project::Desired;
use evoke_schedule::{Schedule, Spec};
use evoke_stores::memory::MemoryStore;
use evoke_timeline::{Behaviour, Simulation};
use serde_json::Value;

use crate::app;
use crate::deploy::{Project, new_trigger};
use crate::run::{Given, Wish};

/// Gives the timeline of the schedules of a project, its instants by the clock of the zone.
pub(crate) fn simulate(args: &SimulateArgs) -> Outcome<Value> {
    let zone = jiff::tz::TimeZone::get(&args.zone)
        .map_err(|_| Failure::mistake(zone_problem(&args.zone)))?;
    let from = match &args.from {
        Some(text) => instant(text, &args.zone)?,
        None => SystemClock.now(),
    };
    let until = from.plus(Millis::from_secs(u64::from(args.days) * 86_400));
    let schedules = schedules(args)?;
    let behaviours = Behaviours::read(args, &schedules)?;
    let triggers = schedules.into_iter().map(|(function, new)| {
        let behaviour = behaviours.of(&new.name, function.as_deref());
        (new, behaviour)
    });
    let simulation = Simulation {
        triggers: triggers.collect(),
        sources: app::sources().into_values().collect(),
        store: Arc::new(MemoryStore::new()),
        from,
        until,
    };
    let timeline = evoke_timeline::simulate(simulation)
        .map_err(|error| Failure::chain(Class::Mistake, &error.into()))?;
    let mut timeline =
        serde_json::to_value(timeline).map_err(|error| Failure::fault(error.to_string()))?;
    by_the_clock_of(&zone, &mut timeline);
    Ok(timeline)
}

fn zone_problem(name: &str) -> String {
    let spec = Spec { every: Some("1m"), timezone: Some(name), ..Spec::default() };
    match Schedule::new(spec) {
        Ok(_) => format!("--zone: {name:?} is not known here"),
        Err(problems) => told("--zone", &problems),
    }
}

/// An instant as schedules read theirs.
fn instant(text: &str, zone: &str) -> Outcome<Timestamp> {
    let spec =
        Spec { every: Some("1m"), start: Some(text), timezone: Some(zone), ..Spec::default() };
    let read = Schedule::new(spec).map_err(|problems| told("--from", &problems));
    let start = read.map(|schedule| schedule.start()).map_err(Failure::mistake)?;
    start.ok_or_else(|| Failure::mistake("--from: expected an instant"))
}

fn told(flag: &str, problems: &[evoke_model::Problem]) -> String {
    let tell = |problem: &evoke_model::Problem| {
        let hint = problem.suggestion.as_ref();
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{flag}: {}{hint}", problem.message)
    };
    problems.iter().map(tell).collect::<Vec<_>>().join("\n")
}

/// The schedules of the project that are on and asked for, each with its function.
fn schedules(args: &SimulateArgs) -> Outcome<Vec<(Option<String>, NewTrigger)>> {
    let desired = read(args).map_err(|error| Failure::chain(Class::Mistake, &error))?;
    for problem in &desired.problems {
        note(&problem.to_string());
    }
    let mut found = Vec::new();
    for function in &desired.functions {
        let (name, timeout) = (&function.spec.name, function.spec.timeout);
        for trigger in &function.triggers {
            let mut new = new_trigger(trigger.clone()).new;
            new.policy.timeout = Some(new.policy.timeout.map_or(timeout, |own| own.min(timeout)));
            // Names are unique in a function only.
            found.push((Some(name.clone()), new));
        }
    }
    found.extend(desired.triggers.iter().map(|own| (None, new_trigger(own.clone()).new)));
    found.retain(|(_, new)| new.kind == Trigger::SCHEDULE && new.enabled);
    let is_asked = |(function, new): &(Option<String>, NewTrigger), name: &String| {
        new.name == *name || function.as_ref() == Some(name)
    };
    for name in &args.schedules {
        if !found.iter().any(|one| is_asked(one, name)) {
            return Err(Failure::mistake(unknown("--schedule", name, &found)));
        }
    }
    if !args.schedules.is_empty() {
        found.retain(|one| args.schedules.iter().any(|name| is_asked(one, name)));
    }
    if found.is_empty() {
        return Err(Failure::mistake("the project has no schedules that are enabled"));
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (_, new) in &found {
        *taken.entry(new.name.clone()).or_default() += 1;
    }
    for (function, new) in &mut found {
        if taken.get(&new.name).is_some_and(|count| *count > 1)
            && let Some(function) = function
        {
            new.name = format!("{function}/{}", new.name);
        }
    }
    Ok(found)
}

fn unknown(flag: &str, name: &str, found: &[(Option<String>, NewTrigger)]) -> String {
    let own = found.iter().map(|(_, new)| new.name.as_str());
    let functions = found.iter().filter_map(|(function, _)| function.as_deref());
    let names = own.chain(functions);
    format!("{flag}: there is no schedule {name:?} ({})", did_you_mean(name, names))
}

fn read(args: &SimulateArgs) -> anyhow::Result<Desired> {
    let wish = Wish { root: args.dir.clone(), ..Wish::default() };
    let Given { root, environment, config } = Given::read(wish)?;
    let runtimes = app::runtimes(&root, &config)?;
    let project = Project::new(&root, &runtimes, app::sources(), environment);
    Ok(project.read(None))
}

fn note(line: &str) {
    use std::io::Write;
    // There is nowhere to tell that nobody listens.
    writeln!(anstream::stderr(), "{line}").ok();
}

/// How targets behave, by schedule or function; without a name, of all others.
struct Behaviours {
    all: Behaviour,
    named: BTreeMap<String, Behaviour>,
}

impl Behaviours {
    fn read(args: &SimulateArgs, found: &[(Option<String>, NewTrigger)]) -> Outcome<Self> {
        let mut read = Self { all: Behaviour::default(), named: BTreeMap::new() };
        let known = |name: &str| {
            found
                .iter()
                .any(|(function, new)| new.name == name || function.as_deref() == Some(name))
        };
        let flags: [(&str, &[String]); 3] = [
            ("--takes", &args.takes),
            ("--fail-first", &args.fail_first),
            ("--fail-every", &args.fail_every),
        ];
        for (flag, given) in flags {
            for text in given {
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (Some(name), value),
                    None => (None, text.as_str()),
                };
                if let Some(name) = name.filter(|name| !known(name)) {
                    return Err(Failure::mistake(unknown(flag, name, found)));
                }
                let behaviour = match name {
                    None => &mut read.all,
                    Some(name) => read.named.entry(name.to_owned()).or_insert(read.all),
                };
                set(behaviour, flag, value)
                    .map_err(|what| Failure::mistake(format!("{flag}: {value:?} {what}")))?;
            }
        }
        Ok(read)
    }

    fn of(&self, schedule: &str, function: Option<&str>) -> Behaviour {
        let named = self.named.get(schedule);
        named.or_else(|| self.named.get(function?)).copied().unwrap_or(self.all)
    }
}

fn set(behaviour: &mut Behaviour, flag: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u32>().map_err(|_| "is not a whole number".to_owned());
    match flag {
        "--takes" => behaviour.takes = value.parse().map_err(|error| format!("{error}"))?,
        "--fail-first" => behaviour.fail_first = number()?,
        _ => match number()? {
            0 => return Err("must be at least 1".to_owned()),
            every => behaviour.fail_every = Some(u64::from(every)),
        },
    }
    Ok(())
}

/// Writes all instants of a timeline by the clock of a zone.
fn by_the_clock_of(zone: &jiff::tz::TimeZone, value: &mut Value) {
    const INSTANTS: [&str; 4] = ["at", "scheduled", "retry_at", "next_run"];
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| by_the_clock_of(zone, item)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let instant = field.as_str().filter(|_| INSTANTS.contains(&name.as_str()));
                match instant.and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
                    Some(instant) => {
                        let local = instant.to_zoned(zone.clone());
                        let format = if *zone == jiff::tz::TimeZone::UTC {
                            "%Y-%m-%dT%H:%M:%S%.fZ"
                        } else {
                            "%Y-%m-%dT%H:%M:%S%.f%:z"
                        };
                        *field = local.strftime(format).to_string().into();
                    }
                    None => by_the_clock_of(zone, field),
                }
            }
        }
        _ => {}
    }
}

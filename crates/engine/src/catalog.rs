//! The catalog: an immutable snapshot of triggers and functions, swapped whole when one changes.
//! Readers on the hot path take no lock; writers take the gate and go through the store first.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use evoke_matching::{Index, Rule, Unanswered};
use evoke_model::function::FunctionRecord;
use evoke_model::policy::Mode;
use evoke_model::trigger::Subscription;
use evoke_model::{Code, Failure, Policy, Problem, Target, Trigger, TriggerId};
use evoke_ports::{Endpoint, HttpIntake, Sample, Source, Timing};
use parking_lot::Mutex;
use serde_json::Value;

/// What holds at one moment.
#[derive(Default)]
pub(crate) struct Snapshot {
    /// All triggers, deleted ones included: the record still names them.
    pub(crate) triggers: HashMap<TriggerId, Arc<Trigger>>,
    /// The trigger for direct invocation of each function.
    pub(crate) invoke: HashMap<String, Arc<Trigger>>,
    /// All functions by name, without deleted ones.
    pub(crate) functions: HashMap<String, FunctionRecord>,
    /// The names of each trigger.
    pub(crate) labels: HashMap<TriggerId, Labels>,
    /// The active triggers that events are matched against.
    pub(crate) index: Index,
    /// The active hooks that changes are matched against before they are made.
    pub(crate) hooks: Index,
}

/// The names of a trigger, made once and shared by its executions.
#[derive(Clone)]
pub(crate) struct Labels {
    pub(crate) kind: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The function, or the kind of target.
    pub(crate) target: Arc<str>,
}

impl Labels {
    pub(crate) fn of(trigger: &Trigger) -> Self {
        let target = trigger.target.function_name().unwrap_or(&trigger.target.kind);
        Self {
            kind: trigger.kind.as_str().into(),
            name: trigger.name.as_str().into(),
            target: target.into(),
        }
    }
}

/// What a trigger works with, references to secrets filled in: kept in memory only.
#[derive(Clone, PartialEq)]
pub(crate) struct Filled {
    pub(crate) config: Value,
    pub(crate) target: Target,
}

/// A target made ready, or why it cannot be called.
pub(crate) type Opened = Result<Arc<dyn Endpoint>, Failure>;

/// The plug-ins by kind, and the snapshot.
pub(crate) struct Catalog {
    snapshot: ArcSwap<Snapshot>,
    sources: HashMap<&'static str, Arc<dyn Source>>,
    targets: HashMap<&'static str, Arc<dyn evoke_ports::Target>>,
    intakes: Vec<(&'static str, Arc<dyn HttpIntake>)>,
    filled: Mutex<HashMap<TriggerId, Filled>>,
    /// Held while definitions change, so that changes happen one after the other.
    pub(crate) gate: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// # Errors
    /// The kind that was registered twice.
    pub(crate) fn new(
        sources: Vec<Arc<dyn Source>>,
        targets: Vec<Arc<dyn evoke_ports::Target>>,
    ) -> Result<Self, &'static str> {
        let mut catalog = Self {
            snapshot: ArcSwap::default(),
            sources: HashMap::new(),
            targets: HashMap::new(),
            intakes: Vec::new(),
            filled: Mutex::default(),
            gate: tokio::sync::Mutex::new(()),
        };
        for source in sources {
            let kind = source.descriptor().kind;
            catalog.intakes.extend(source.intake().map(|intake| (kind, intake)));
            if catalog.sources.insert(kind, source).is_some() {
                return Err(kind);
            }
        }
        for target in targets {
            let kind = target.descriptor().kind;
            if catalog.targets.insert(kind, target).is_some() {
                return Err(kind);
            }
        }
        Ok(catalog)
    }

    /// The snapshot that holds now, to be kept for a while.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The snapshot that holds now.
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &Arc<dyn Source>> {
        self.sources.values()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &Arc<dyn evoke_ports::Target>> {
        self.targets.values()
    }

    pub(crate) fn source(&self, kind: &str) -> Result<&Arc<dyn Source>, Problem> {
        self.sources.get(kind).ok_or_else(|| {
            Problem::new("type", format!("there is no trigger kind {kind:?}"))
                .suggest(evoke_model::suggest::did_you_mean(kind, self.sources.keys().copied()))
        })
    }

    /// Takes what a trigger works with where that is not what is stored; says whether it changed.
    pub(crate) fn fill(&self, trigger: TriggerId, new: Option<Filled>) -> bool {
        let mut filled = self.filled.lock();
        let old = match new.clone() {
            Some(new) => filled.insert(trigger, new),
            None => filled.remove(&trigger),
        };
        old != new
    }

    /// The trigger as it works, with everything filled in.
    pub(crate) fn working(&self, trigger: &Arc<Trigger>) -> Arc<Trigger> {
        match self.filled.lock().get(&trigger.id).cloned() {
            None => Arc::clone(trigger),
            Some(Filled { config, target }) => {
                Arc::new(Trigger { config, target, ..Trigger::clone(trigger) })
            }
        }
    }

    /// Makes the thing that delivers to `target`.
    pub(crate) fn open(&self, target: &Target) -> Result<Arc<dyn Endpoint>, Vec<Problem>> {
        let kind = self.targets.get(target.kind.as_str()).ok_or_else(|| {
            let known = self.targets.keys().copied();
            vec![
                Problem::new("target.type", format!("there is no target kind {:?}", target.kind))
                    .suggest(evoke_model::suggest::did_you_mean(&target.kind, known)),
            ]
        })?;
        kind.open(&target.config).map_err(|problems| under("target", problems))
    }

    /// The thing that delivers to `target`, or why each attempt fails.
    pub(crate) fn opened(&self, target: &Target) -> Opened {
        self.open(target).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            Failure::new(Code::InvalidTrigger, problems.join("; ")).for_good()
        })
    }

    /// The kind of a source as a word that lives as long as the program.
    pub(crate) fn kind(&self, kind: &str) -> &'static str {
        self.sources.get(kind).map_or("unknown", |source| source.descriptor().kind)
    }

    /// When a trigger fires by itself, if it does.
    pub(crate) fn timing(&self, trigger: &Arc<Trigger>) -> Option<Timing> {
        let source = self.sources.get(trigger.kind.as_str())?;
        source.timing(&self.working(trigger).config)
    }

    /// The part of a kind that takes requests.
    pub(crate) fn intake(&self, kind: &str) -> Option<&Arc<dyn HttpIntake>> {
        self.intakes.iter().find(|(own, _)| *own == kind).map(|(_, intake)| intake)
    }

    /// Whether triggers of this kind take requests and pass them on as they are.
    pub(crate) fn passes_requests(&self, kind: &str) -> bool {
        self.intake(kind).is_some() && self.origin(kind).is_none()
    }

    /// Whether triggers of this kind and policy are asked before what they want to know of happens.
    pub(crate) fn is_hook(&self, kind: &str, policy: &Policy) -> bool {
        policy.mode == Some(Mode::Sync)
            && self.sources.get(kind).is_some_and(|source| source.has_hooks())
    }

    /// Where the events come from that a kind makes itself.
    pub(crate) fn origin(&self, kind: &str) -> Option<&'static str> {
        self.sources.get(kind)?.origin()
    }

    /// Whether only the server itself makes events from this source.
    pub(crate) fn is_own(&self, source: &str) -> bool {
        let below = |root: &str| {
            source.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        source.starts_with('/')
            && self.sources.values().any(|kind| match kind.origin() {
                Some(root) => below(root),
                None => kind.has_hooks() && below(&format!("/{}", kind.descriptor().kind)),
            })
    }

    /// An event as a trigger makes it, where its kind can say.
    pub(crate) fn sample(&self, trigger: &Arc<Trigger>) -> Option<Sample> {
        let source = self.sources.get(trigger.kind.as_str())?;
        source.sample(&trigger.name, &self.working(trigger).config)
    }

    /// A trigger's configuration as it may be shown.
    pub(crate) fn shown(&self, trigger: &Trigger) -> Value {
        match self.sources.get(trigger.kind.as_str()) {
            Some(source) => source.shown(&trigger.config),
            None => trigger.config.clone(),
        }
    }

    /// Which intake has a request.
    pub(crate) fn intakes(&self) -> impl Iterator<Item = &Arc<dyn HttpIntake>> {
        self.intakes.iter().map(|(_, intake)| intake)
    }

    /// Takes triggers and functions anew.
    pub(crate) fn replace(
        &self,
        triggers: HashMap<TriggerId, Arc<Trigger>>,
        functions: HashMap<String, FunctionRecord>,
    ) {
        let mut active: Vec<_> = triggers.values().filter(|trigger| trigger.is_active()).collect();
        // The executions of an event are planned in the order of their triggers, always.
        active.sort_unstable_by_key(|trigger| trigger.id);
        let rules: Vec<_> = active
            .iter()
            .filter_map(|trigger| {
                let source = self.sources.get(trigger.kind.as_str())?;
                let own = source.origin().map(|root| own_events(root, trigger));
                let subscription =
                    own.or_else(|| source.subscription(&self.working(trigger).config));
                Some(Rule { trigger: Arc::clone(trigger), subscription })
            })
            .collect();
        // Hooks are asked before the fact, and by nothing else than the change itself.
        let (hooks, rules): (Vec<_>, Vec<_>) = rules
            .into_iter()
            .partition(|rule| self.is_hook(&rule.trigger.kind, &rule.trigger.policy));
        let (index, mut broken) = Index::build(&rules);
        let (hooks, broken_hooks) = Index::build(&hooks);
        let hooks = hooks.unanswered(Unanswered::Taken);
        broken.extend(broken_hooks);
        for (id, problem) in broken {
            // Stored by another release; the others work.
            tracing::error!(trigger.id = %id, "A stored trigger cannot be matched: {problem}");
        }
        for (kind, intake) in &self.intakes {
            let own: Vec<_> =
                active.iter().filter(|t| t.kind == *kind).map(|t| self.working(t)).collect();
            intake.rebuild(&own);
        }
        let invoke = active
            .iter()
            .filter(|trigger| trigger.kind == Trigger::INVOKE)
            .filter_map(|t| Some((t.target.function_name()?.to_owned(), Arc::clone(t))))
            .collect();
        let labels = active.iter().map(|trigger| (trigger.id, Labels::of(trigger))).collect();
        let snapshot = Snapshot { triggers, invoke, functions, labels, index, hooks };
        self.snapshot.store(Arc::new(snapshot));
    }
}

/// The events a trigger makes itself. Their type is asked for wherever its name can stand in a
/// pattern: by it the index finds the trigger among many.
fn own_events(root: &str, trigger: &Trigger) -> Subscription {
    let is_plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_type = trigger.name.split('.').all(is_plain);
    let kind = is_type.then(|| format!("{}.{}", trigger.kind, trigger.name));
    let source = Some(format!("{root}/{}", trigger.id));
    Subscription { kind, source, ..Subscription::default() }
}

/// Problems of a part, with the path of the part before theirs.
pub(crate) fn under(part: &str, problems: Vec<Problem>) -> Vec<Problem> {
    problems
        .into_iter()
        .map(|problem| {
            let field = match problem.field.as_str() {
                "" => part.to_owned(),
                field => format!("{part}.{field}"),
            };
            Problem { field, ..problem }
        })
        .collect()
}

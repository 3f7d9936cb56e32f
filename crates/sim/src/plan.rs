//! Which triggers a run has, and with which policies.

use evoke_engine::NewTrigger;
use evoke_model::policy::{
    Backoff, Batch, Concurrency, DeadLetter, Debounce, DebounceMode, Idempotency, Overflow,
    Priority, Rate, Retry,
};
use evoke_model::{ByteSize, Millis, Policy, Target};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::source::KIND;

/// The type of the events that tell of dead letters.
pub(crate) const DEAD: &str = "dead.letter";

/// Patterns of triggers. The last wants everything, dead letters included.
const PATTERNS: [&str; 4] = ["a.*", "a.x", "b.*", "**"];

/// A trigger of the plan.
#[derive(Clone, Debug)]
pub(crate) struct TriggerPlan {
    pub(crate) name: String,
    pub(crate) pattern: &'static str,
    pub(crate) endpoint: EndpointPlan,
    pub(crate) policy: Policy,
}

/// Where a trigger's executions go.
#[derive(Clone, Debug)]
pub(crate) struct EndpointPlan {
    /// Calls at once.
    pub(crate) capacity: usize,
    /// Shared with the other triggers that have it.
    pub(crate) group: Option<GroupPlan>,
}

/// What triggers share.
#[derive(Clone, Debug)]
pub(crate) struct GroupPlan {
    /// Calls at once, of all of them.
    pub(crate) capacity: Option<usize>,
    /// Calls per time, of all of them.
    pub(crate) rate: Option<Rate>,
}

impl TriggerPlan {
    /// Whether it wants events of a type, whatever its filter says.
    pub(crate) fn wants_kind(&self, kind: &str) -> bool {
        match self.pattern.strip_suffix(".*") {
            Some(first) => kind.split_once('.').is_some_and(|(segment, _)| segment == first),
            None => self.pattern == "**" || self.pattern == kind,
        }
    }

    /// Whether it wants an event of this type with this data.
    pub(crate) fn wants(&self, kind: &str, data: &Value) -> bool {
        let is_let_through = self.policy.filter.is_none() || data["f"] == Value::Bool(true);
        self.wants_kind(kind) && is_let_through
    }

    /// The trigger as the engine is asked for it.
    pub(crate) fn new_trigger(&self) -> NewTrigger {
        let group = self.endpoint.group.as_ref();
        let config = json!({
            "capacity": self.endpoint.capacity,
            "shared": group.is_some(),
            "places": group.and_then(|group| group.capacity),
            "rate": group.and_then(|group| group.rate.clone()),
        });
        NewTrigger {
            name: self.name.clone(),
            kind: KIND.to_owned(),
            config: json!({ "match": self.pattern }),
            target: Target { kind: KIND.to_owned(), config },
            policy: self.policy.clone(),
            enabled: true,
        }
    }
}

/// What a key expression of the plan gives for an event: the field it names, if it is a text.
pub(crate) fn key_of(expression: Option<&str>, data: &Value) -> Option<String> {
    let field = expression?.strip_prefix("event.data.")?;
    data.get(field)?.as_str().map(str::to_owned)
}

/// The triggers of a run.
pub(crate) fn triggers(rng: &mut Rng) -> Vec<TriggerPlan> {
    let group = GroupPlan {
        capacity: rng.bool().then(|| rng.usize(1..4)),
        rate: one_in(rng, 4).then(|| rate(rng, None)),
    };
    let plan = |place: u32, rng: &mut Rng| TriggerPlan {
        name: format!("t{place}"),
        pattern: PATTERNS[rng.usize(..PATTERNS.len())],
        endpoint: EndpointPlan {
            capacity: rng.usize(1..6),
            group: one_in(rng, 3).then(|| group.clone()),
        },
        policy: policy(rng),
    };
    (0..rng.u32(1..=5)).map(|place| plan(place, rng)).collect()
}

/// The same policy with other numbers, and perhaps without what it had or with what it had not.
pub(crate) fn changed(policy: &Policy, rng: &mut Rng) -> Policy {
    let mut changed = policy.clone();
    changed.retry = Some(retry(rng));
    if let Some(concurrency) = &mut changed.concurrency {
        concurrency.limit = rng.u32(1..4);
    }
    if let Some(batch) = &mut changed.batch {
        batch.size = rng.u32(1..6);
    }
    if one_in(rng, 2) {
        let key = changed.rate.as_ref().and_then(|rate| rate.key.clone());
        changed.rate = one_in(rng, 2).then(|| rate(rng, key));
    }
    changed
}

/// True once in so many times.
pub(crate) fn one_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

fn policy(rng: &mut Rng) -> Policy {
    let ordered = one_in(rng, 4);
    Policy {
        retry: Some(retry(rng)),
        timeout: one_in(rng, 4).then(|| Millis::new(rng.u64(500..20_000))),
        concurrency: one_in(rng, 3).then(|| concurrency(rng, ordered)),
        order_by: ordered.then(|| "event.data.k".to_owned()),
        batch: one_in(rng, 4).then(|| batch(rng)),
        debounce: one_in(rng, 6).then(|| debounce(rng, ordered)),
        rate: one_in(rng, 4).then(|| {
            let key = key(rng);
            rate(rng, key)
        }),
        priority: match rng.u32(..6) {
            0 => Priority::By("event.data.p".to_owned()),
            1 => Priority::Fixed(rng.i32(-20..20)),
            _ => Priority::default(),
        },
        filter: one_in(rng, 4).then(|| "event.data.f".to_owned()),
        idempotency: one_in(rng, 6).then(|| Idempotency {
            key: "event.data.i".to_owned(),
            ttl: one_in(rng, 2).then(|| Millis::from_secs(3_600_000)),
        }),
        dead_letter: match rng.u32(..5) {
            0 => Some(DeadLetter::Kept(false)),
            1 => Some(DeadLetter::Published { publish: DEAD.to_owned() }),
            _ => None,
        },
        ..Policy::default()
    }
}

fn key(rng: &mut Rng) -> Option<String> {
    [None, Some("event.data.k"), Some("event.data.j")][rng.usize(..3)].map(str::to_owned)
}

fn retry(rng: &mut Rng) -> Retry {
    Retry {
        attempts: rng.u32(1..5),
        backoff: [Backoff::Exponential, Backoff::Linear, Backoff::Fixed][rng.usize(..3)],
        initial: Millis::new(rng.u64(0..3_000)),
        max: Millis::new(rng.u64(1_000..30_000)),
        jitter: rng.bool(),
    }
}

fn concurrency(rng: &mut Rng, ordered: bool) -> Concurrency {
    let overflows = [Overflow::Queue, Overflow::Skip, Overflow::Cancel];
    Concurrency {
        limit: rng.u32(1..4),
        key: key(rng),
        overflow: if ordered { Overflow::Queue } else { overflows[rng.usize(..3)] },
    }
}

fn batch(rng: &mut Rng) -> Batch {
    Batch {
        size: rng.u32(1..6),
        wait: Millis::new([0, rng.u64(1..5_000)][rng.usize(..2)]),
        bytes: one_in(rng, 3).then(|| ByteSize::new(rng.u64(50..400))),
        key: key(rng),
    }
}

fn debounce(rng: &mut Rng, ordered: bool) -> Debounce {
    let wait = Millis::new(rng.u64(100..5_000));
    let modes = [DebounceMode::Last, DebounceMode::All];
    Debounce {
        wait,
        key: key(rng),
        max_wait: one_in(rng, 2).then(|| Millis::new(wait.as_u64() + rng.u64(0..10_000))),
        mode: if ordered { DebounceMode::All } else { modes[rng.usize(..2)] },
    }
}

fn rate(rng: &mut Rng, key: Option<String>) -> Rate {
    Rate {
        limit: rng.u32(1..5),
        per: Millis::new(rng.u64(100..10_000)),
        key,
        burst: one_in(rng, 2).then(|| rng.u32(1..4)),
    }
}

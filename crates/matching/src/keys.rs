//! The keys of an execution: what its trigger's key expressions make of its event, and its
//! priority. A trigger without such expressions costs nothing here.

use evoke_model::policy::Priority;
use evoke_model::{Policy, Problem};

use crate::expression::{EvalError, Expression, Scope};

/// What delivery needs to know of an execution beside its trigger. A key that is not asked for, is
/// `null` or has no answer is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// First in, first out per key.
    pub order: Option<Box<str>>,
    /// The concurrency limit counts per key.
    pub concurrency: Option<Box<str>>,
    /// The rate counts per key.
    pub rate: Option<Box<str>>,
    /// The quiet time counts per key.
    pub debounce: Option<Box<str>>,
    /// Only executions with the same key share a call.
    pub batch: Option<Box<str>>,
    /// An event is taken once per key.
    pub idempotency: Option<Box<str>>,
    /// Who goes first where places are short: seconds of head start, at most [`Priority::MAX`]
    /// either way.
    pub priority: i32,
    /// Expressions that gave no answer: which one, and why.
    pub trouble: Vec<String>,
}

impl Keys {
    /// Those of an execution whose trigger asks for none.
    #[inline]
    pub(crate) const fn plain(priority: i32) -> Self {
        Self {
            order: None,
            concurrency: None,
            rate: None,
            debounce: None,
            batch: None,
            idempotency: None,
            priority,
            trouble: Vec::new(),
        }
    }
}

/// The key expressions of a policy, compiled.
#[derive(Debug)]
pub(crate) struct KeyExpressions {
    order: Option<Expression>,
    concurrency: Option<Expression>,
    rate: Option<Expression>,
    debounce: Option<Expression>,
    batch: Option<Expression>,
    idempotency: Option<Expression>,
    priority: Option<Expression>,
}

impl KeyExpressions {
    /// `None` where the policy has none that can be compiled.
    pub(crate) fn compile(policy: &Policy, problems: &mut Vec<Problem>) -> Option<Box<Self>> {
        let mut part = |field, text| compile(field, text, problems);
        let concurrency = policy.concurrency.as_ref().and_then(|limit| limit.key.as_ref());
        let priority = match &policy.priority {
            Priority::By(text) => Some(text),
            Priority::Fixed(_) => None,
        };
        let keys = Self {
            order: part("order_by", policy.order_by.as_ref()),
            concurrency: part("concurrency.key", concurrency),
            rate: part("rate.key", policy.rate.as_ref().and_then(|rate| rate.key.as_ref())),
            debounce: part(
                "debounce.key",
                policy.debounce.as_ref().and_then(|debounce| debounce.key.as_ref()),
            ),
            batch: part("batch.key", policy.batch.as_ref().and_then(|batch| batch.key.as_ref())),
            idempotency: part("idempotency.key", policy.idempotency.as_ref().map(|once| &once.key)),
            priority: part("priority", priority),
        };
        let is_empty = keys.expressions().iter().all(|expression| expression.is_none());
        (!is_empty).then(|| Box::new(keys))
    }

    const fn expressions(&self) -> [&Option<Expression>; 7] {
        [
            &self.order,
            &self.concurrency,
            &self.rate,
            &self.debounce,
            &self.batch,
            &self.idempotency,
            &self.priority,
        ]
    }

    /// The keys over `plain`, those without anything evaluated.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, plain: Keys) -> Keys {
        let Keys { priority, mut trouble, .. } = plain;
        let mut part = |name: &str, expression: &Option<Expression>| {
            let answer = expression.as_ref()?.evaluate_key(scope);
            answer.map_err(|error| trouble.push(tell(name, &error))).ok().flatten()
        };
        let mut keys = Keys {
            order: part("order_by", &self.order),
            concurrency: part("concurrency.key", &self.concurrency),
            rate: part("rate.key", &self.rate),
            debounce: part("debounce.key", &self.debounce),
            batch: part("batch.key", &self.batch),
            idempotency: part("idempotency.key", &self.idempotency),
            priority,
            trouble: Vec::new(),
        };
        if let Some(expression) = &self.priority {
            match expression.evaluate_whole(scope) {
                Ok(points) => keys.priority = clamped(points),
                Err(error) => trouble.push(tell("priority", &error)),
            }
        }
        keys.trouble = trouble;
        keys
    }
}

/// Compiles the expression of a field, if there is one that can be compiled.
pub(crate) fn compile(
    field: &str,
    text: Option<&String>,
    problems: &mut Vec<Problem>,
) -> Option<Expression> {
    let named = |problem| Problem { field: field.to_owned(), ..problem };
    Expression::compile(text?).map_err(|problem| problems.push(named(problem))).ok()
}

fn tell(name: &str, error: &EvalError) -> String {
    format!("{name}: {error}")
}

fn clamped(points: i64) -> i32 {
    let max = i64::from(Priority::MAX);
    i32::try_from(points.clamp(-max, max)).unwrap_or_default()
}

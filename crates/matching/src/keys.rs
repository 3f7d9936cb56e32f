//! The keys of an execution: what its trigger's key expressions make of its event, and its
//! priority. A trigger without such expressions costs nothing here.

use evoke_model::policy::Priority;
use evoke_model::{KeySet, Keys, Policy, Problem};

use crate::expression::{EvalError, Expression, Scope};

/// What a trigger's expressions make of an event, beside whether it takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// The keys. One that is `null` or has no answer is `None`.
    pub keys: Keys,
    /// Who goes first where places are short: seconds of head start, at most [`Priority::MAX`]
    /// either way.
    pub priority: i32,
    /// Expressions that gave no answer: which one, and why.
    pub trouble: Vec<String>,
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

    /// What they make of an event; `priority` is that of a trigger whose priority is no expression.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, priority: i32) -> Evaluated {
        let mut trouble = Vec::new();
        let mut part = |name: &str, expression: &Option<Expression>| {
            let answer = expression.as_ref()?.evaluate_key(scope);
            answer.map_err(|error| trouble.push(tell(name, &error))).ok().flatten()
        };
        let keys = KeySet {
            order: part("order_by", &self.order),
            concurrency: part("concurrency.key", &self.concurrency),
            rate: part("rate.key", &self.rate),
            debounce: part("debounce.key", &self.debounce),
            batch: part("batch.key", &self.batch),
            idempotency: part("idempotency.key", &self.idempotency),
        };
        let mut evaluated = Evaluated { keys: keys.into(), priority, trouble };
        if let Some(expression) = &self.priority {
            match expression.evaluate_whole(scope) {
                Ok(points) => evaluated.priority = clamped(points),
                Err(error) => evaluated.trouble.push(tell("priority", &error)),
            }
        }
        evaluated
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

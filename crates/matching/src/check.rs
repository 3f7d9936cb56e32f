//! Numbers of a policy that make no sense, and parts of it that do not go together. Expressions are
//! checked where they are compiled.

use std::fmt::Display;
use std::ops::RangeInclusive;

use evoke_model::policy::{DeadLetter, DebounceMode, Overflow, Priority, Retry};
use evoke_model::{Millis, Policy, Problem};

/// More executions in one call than any function wants to see.
const BATCH_SIZE_MAX: u32 = 10_000;
/// More at once is the same as no rate.
const BURST_MAX: u32 = 1_000_000;
/// The shortest time there is.
const INSTANT: Millis = Millis::new(1);

/// Everything that is wrong, with fields relative to the policy.
pub(crate) fn check(policy: &Policy) -> Vec<Problem> {
    let mut found = Found::default();
    found.limits(policy);
    found.waits(policy);
    found.dead_letter(policy);
    found.0.extend(contradictions(policy));
    found.0
}

/// The parts of a policy that do not go together, with fields relative to the policy. Part of
/// [`crate::check()`]; on its own for manifests, whose reader has checked the numbers.
pub fn contradictions(policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    if policy.order_by.is_none() {
        return problems;
    }
    let overflow = policy.concurrency.as_ref().map(|concurrency| concurrency.overflow);
    if matches!(overflow, Some(Overflow::Skip | Overflow::Cancel)) {
        let message = "an order needs every execution, but this drops some of them";
        problems.push(
            Problem::new("concurrency.overflow", message)
                .suggest("`overflow: queue`, or leave out `order_by`"),
        );
    }
    if policy.debounce.as_ref().is_some_and(|debounce| debounce.mode == DebounceMode::Last) {
        let message = "an order needs every event, but only the last one of each burst is taken";
        problems.push(
            Problem::new("debounce.mode", message).suggest("`mode: all`, or leave out `order_by`"),
        );
    }
    problems
}

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn within<T: PartialOrd + Display>(&mut self, field: &str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            let bounds = format!("{} to {}", range.start(), range.end());
            let message = format!("{value} is out of range");
            self.0.push(Problem::new(field, message).suggest(bounds));
        }
    }

    fn at_least<T: PartialOrd + Display>(&mut self, field: &str, value: T, min: T) {
        if value < min {
            let message = format!("{value} is out of range");
            self.0.push(Problem::new(field, message).suggest(format!("at least {min}")));
        }
    }

    fn limits(&mut self, policy: &Policy) {
        if let Some(retry) = &policy.retry {
            self.within("retry.attempts", retry.attempts, 1..=Retry::ATTEMPTS_MAX);
        }
        if let Some(concurrency) = &policy.concurrency {
            self.at_least("concurrency.limit", concurrency.limit, 1);
        }
        if let Some(rate) = &policy.rate {
            self.at_least("rate.limit", rate.limit, 1);
            if let Some(burst) = rate.burst {
                self.within("rate.burst", burst, 1..=BURST_MAX);
            }
        }
        if let Some(batch) = &policy.batch {
            self.within("batch.size", batch.size, 1..=BATCH_SIZE_MAX);
        }
        if let Priority::Fixed(points) = policy.priority {
            self.within("priority", points, -Priority::MAX..=Priority::MAX);
        }
    }

    fn waits(&mut self, policy: &Policy) {
        if let Some(rate) = &policy.rate {
            self.at_least("rate.per", rate.per, INSTANT);
        }
        if let Some(debounce) = &policy.debounce {
            self.at_least("debounce.wait", debounce.wait, INSTANT);
            if let Some(wait_max) = debounce.max_wait.filter(|wait_max| *wait_max < debounce.wait) {
                let wait = debounce.wait;
                let message = format!("{wait_max} is shorter than `wait`, {wait}");
                let problem = Problem::new("debounce.max_wait", message);
                self.0.push(problem.suggest("max_wait >= wait"));
            }
        }
        if let Some(ttl) = policy.idempotency.as_ref().and_then(|once| once.ttl) {
            self.at_least("idempotency.ttl", ttl, INSTANT);
        }
    }

    fn dead_letter(&mut self, policy: &Policy) {
        let Some(DeadLetter::Published { publish }) = &policy.dead_letter else { return };
        if publish.is_empty() || publish.chars().any(char::is_whitespace) {
            let message = "the type of an event may not be empty or have spaces";
            let problem = Problem::new("dead_letter.publish", message);
            self.0.push(problem.suggest("order.failed"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lines(policy: Value) -> Vec<String> {
        let policy: Policy = serde_json::from_value(policy).unwrap();
        crate::check(&policy, None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_number_and_every_expression_is_looked_at() {
        let wrong = json!({
            "filter": "event.data.total >",
            "order_by": "data.x",
            "retry": { "attempts": 101 },
            "concurrency": { "limit": 0, "key": "data.x" },
            "batch": { "size": 10_001, "key": "data.x" },
            "debounce": { "wait": "0ms", "key": "data.x", "mode": "all" },
            "rate": { "limit": 0, "per": 0, "burst": 0, "key": "data.x" },
            "priority": "data.x",
            "transform": "{'a': data.x}",
            "idempotency": { "key": "data.x", "ttl": 0 },
            "dead_letter": { "publish": "order failed" },
        });
        let found = lines(wrong);
        let fields: Vec<&str> = found.iter().map(|line| line.split_once(':').unwrap().0).collect();
        let expected = [
            "filter",
            "order_by",
            "concurrency.key",
            "rate.key",
            "debounce.key",
            "batch.key",
            "idempotency.key",
            "priority",
            "transform",
            "retry.attempts",
            "concurrency.limit",
            "rate.limit",
            "rate.burst",
            "batch.size",
            "rate.per",
            "debounce.wait",
            "idempotency.ttl",
            "dead_letter.publish",
        ];
        assert_eq!(fields, expected, "{found:#?}");
    }

    #[test]
    fn a_problem_says_what_would_be_right() {
        for (policy, expected) in [
            (json!({ "priority": -1_001 }), "priority: -1001 is out of range (-1000 to 1000)"),
            (
                json!({ "debounce": { "wait": "2s", "max_wait": "1s" } }),
                "debounce.max_wait: 1s is shorter than `wait`, 2s (max_wait >= wait)",
            ),
            (
                json!({ "rate": { "limit": 1, "per": "0s" } }),
                "rate.per: 0ms is out of range (at least 1ms)",
            ),
            (
                json!({ "rate": { "limit": 1, "per": "1s", "burst": 1_000_001 } }),
                "rate.burst: 1000001 is out of range (1 to 1000000)",
            ),
            (
                json!({ "dead_letter": { "publish": "" } }),
                "dead_letter.publish: the type of an event may not be empty or have spaces \
                 (order.failed)",
            ),
        ] {
            assert_eq!(lines(policy), [expected]);
        }
    }

    #[test]
    fn what_breaks_an_order_is_refused() {
        let with = |part: Value| {
            let mut policy = part;
            policy["order_by"] = json!("event.data.customer");
            lines(policy)
        };
        for overflow in ["skip", "cancel"] {
            let limit = json!({ "concurrency": { "limit": 1, "overflow": overflow } });
            assert_eq!(lines(limit.clone()), Vec::<String>::new());
            let found = with(limit);
            assert_eq!(found.len(), 1);
            assert!(found[0].starts_with("concurrency.overflow: an order needs"), "{found:?}");
            assert!(found[0].ends_with("(`overflow: queue`, or leave out `order_by`)"));
        }
        let last = with(json!({ "debounce": "1s" }));
        assert!(last[0].starts_with("debounce.mode: an order needs every event"), "{last:?}");
        for right in [
            json!({ "debounce": { "wait": "1s", "mode": "all" } }),
            json!({ "concurrency": { "limit": 1, "overflow": "queue" } }),
            json!({ "batch": { "size": 10_000 }, "retry": { "attempts": 100 } }),
            json!({ "dead_letter": { "publish": "order.failed" }, "priority": 1_000 }),
        ] {
            assert_eq!(with(right.clone()), Vec::<String>::new(), "{right}");
        }
    }
}

//! What must hold whenever nothing can go on by itself: who waits can say for what, and what is
//! counted agrees with the record.

use evoke_model::{Execution, State, Timestamp};
use evoke_ports::Clock;
use evoke_ports::store::Executions;
use fastrand::Rng;
use serde_json::Value;

use crate::ops::Client;
use crate::world::now;

/// Executions that are asked why they wait, at one rest.
const ASKED_MAX: usize = 4;

impl Client {
    pub(crate) async fn check_rest(&self, rng: &mut Rng) {
        let waiting = self.world.in_states(&[State::Pending]);
        self.check_metrics(waiting.len());
        let under_way = self.world.under_way();
        let mut asked: Vec<_> =
            waiting.into_iter().filter(|found| !under_way.contains(&found.id)).collect();
        rng.shuffle(&mut asked);
        for execution in asked.iter().take(ASKED_MAX) {
            self.check_reason(execution).await;
        }
    }

    fn check_metrics(&self, waiting: usize) {
        let text = self.engine.render_metrics();
        let number = |name: &str| -> i64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|number| number.parse().ok()).unwrap_or(-1)
        };
        let pending = number("evoke_executions_pending");
        let running = number("evoke_executions_running");
        if pending + running != waiting as i64 {
            self.world.wrong(format!(
                "the metrics say {pending} wait and {running} run, in the record {waiting} are open"
            ));
        }
        for known in self.world.book.lock().triggers.clone() {
            let (id, known) = known;
            let name = format!("evoke_dead_letters{{trigger=\"{}\"}}", known.plan.name);
            let groups = now(self.world.record.dead_letters());
            let own = groups.iter().filter(|group| group.trigger == id);
            let count = own.map(|group| group.count as i64).sum::<i64>();
            if number(&name) != count {
                self.world.wrong(format!("{name} is {}, the record has {count}", number(&name)));
            }
        }
    }

    async fn check_reason(&self, execution: &Execution) {
        let label = self.world.label_of(execution.id);
        let why = match self.engine.explain(execution.id).await {
            Ok(why) => why,
            Err(rejection) => {
                return self.world.wrong(format!("{label} is not explained: {rejection}"));
            }
        };
        if why.state != State::Pending {
            return self.world.wrong(format!("{label} waits and is said to be {:?}", why.state));
        }
        let word = why.detail["why"].as_str().unwrap_or_default();
        let time = self.world.clock.now();
        let until = until(&why.detail);
        let is_stale = until.is_some_and(|until| until <= time);
        if word == "ready" || is_stale {
            self.world.say(format!("{label} says {}", why.detail));
            self.world.wrong(format!("{label} waits for nothing: {}", why.reason));
        }
    }
}

/// The instant an explanation names.
fn until(detail: &Value) -> Option<Timestamp> {
    detail["until"].as_str()?.parse().ok()
}

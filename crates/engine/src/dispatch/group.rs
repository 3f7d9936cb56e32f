//! Lanes that share a target: its places, its rate and its breaker. Who goes next among them is
//! decided by `evoke_delivery::fair`, so that a lane with a million waiting executions holds no
//! other one up for longer than one call.

use std::sync::Arc;

use evoke_delivery::breaker::{Permit, Signal};
use evoke_delivery::{Breaker, Gcra, fair};
use evoke_model::policy::Rate;
use evoke_model::{Timestamp, TriggerId};
use evoke_ports::store::Spent;
use parking_lot::Mutex;

use super::lane::{Lane, Turn};

/// Calls started in one round, so that the lock is not held for long.
pub(super) const STARTS_PER_ROUND_MAX: usize = 256;

/// What a group has to do now.
#[derive(Default)]
pub(super) struct Round {
    /// What its lanes have to do.
    pub(super) turns: Vec<(Arc<Lane>, Turn)>,
    /// The rate of the target, where it changed.
    pub(super) spent: Option<Spent>,
    /// When to come again, and for which lane, where the target itself is waited for.
    pub(super) wake: Option<(Timestamp, TriggerId)>,
    /// Whether more may be started at once.
    pub(super) has_more: bool,
}

/// Why no lane of a group may start anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The target does not answer.
    Down(Timestamp),
    /// The target may not be called more often.
    Rate(Timestamp),
}

/// Lanes that share a target; a lane whose target shares nothing has a group of its own.
pub(super) struct Group {
    name: Option<Arc<str>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    /// Calls under way.
    running: usize,
    breaker: Breaker,
    /// When the bucket of the target's rate is full again.
    spent: Timestamp,
}

struct Member {
    lane: Arc<Lane>,
    /// How often it may call the target.
    rate: Option<Rate>,
    /// It may have something to start.
    wants: bool,
    /// It wants, but there is no place for it in this round.
    is_stuck: bool,
    /// When it was started last or, if that is later, when it began to want.
    served: Timestamp,
}

impl Group {
    pub(super) fn new(name: Option<Arc<str>>) -> Self {
        Self { name, state: Mutex::default() }
    }

    pub(super) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// Takes a lane in. Somebody changed something about it, so its target is tried again.
    pub(super) fn join(&self, lane: &Arc<Lane>) {
        let mut state = self.state.lock();
        state.breaker = Breaker::default();
        let rate = lane.rate();
        match state.members.iter_mut().find(|member| Arc::ptr_eq(&member.lane, lane)) {
            Some(member) => member.rate = rate,
            None => state.members.push(Member {
                lane: lane.clone(),
                rate,
                wants: false,
                is_stuck: false,
                served: Timestamp::EPOCH,
            }),
        }
    }

    pub(super) fn leave(&self, lane: TriggerId) {
        self.state.lock().members.retain(|member| member.lane.id() != lane);
    }

    /// What the target's rate had spent before a restart.
    pub(super) fn restore(&self, spent: Timestamp) {
        let mut state = self.state.lock();
        state.spent = state.spent.max(spent);
    }

    /// A lane may have something to start.
    pub(super) fn wants(&self, lane: TriggerId, now: Timestamp) {
        self.state.lock().wants(lane, now);
    }

    /// A call of a lane ended, and this is what its end says of the target.
    pub(super) fn ended(&self, lane: TriggerId, signal: Signal, now: Timestamp) {
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
        state.breaker.record(signal, now);
        state.wants(lane, now);
    }

    /// Whether the target itself is closed at the moment, and how many more calls it takes.
    pub(super) fn standing(&self, lane: &Lane, now: Timestamp) -> (Option<Closed>, usize) {
        let state = self.state.lock();
        let left = lane.room(state.running);
        let down = state.breaker.open_until().map(Closed::Down);
        let rate = lane.rate().and_then(|rate| Gcra::new(&rate).check(state.spent, now).err());
        (down.or(rate.map(Closed::Rate)), left)
    }

    /// Admits what may begin now, of all lanes of the group.
    pub(super) fn round(&self, now: Timestamp) -> Round {
        let mut state = self.state.lock();
        let mut round = Round::default();
        let Some(first) = state.members.iter().find(|member| member.wants) else { return round };
        let first = first.lane.id();
        let limit = match state.breaker.permit(now) {
            Permit::Go => STARTS_PER_ROUND_MAX,
            Permit::Probe => 1,
            Permit::Wait { until } => {
                round.wake = until.map(|until| (until, first));
                return round;
            }
        };
        let is_probe = limit == 1;
        let started = state.start(limit, now, &mut round);
        if is_probe && started == 0 {
            // A probe that found nothing to be made with is given back.
            state.breaker.record(Signal::Unknown, now);
        }
        round.has_more = started >= limit && !is_probe;
        if round.spent.is_some() {
            let owner = self.name.as_deref().unwrap_or_default().into();
            round.spent = Some(Spent { owner, key: Box::default(), until: state.spent });
        }
        round
    }
}

impl State {
    fn wants(&mut self, lane: TriggerId, now: Timestamp) {
        if let Some(member) = self.members.iter_mut().find(|member| member.lane.id() == lane)
            && !member.wants
        {
            member.wants = true;
            member.served = member.served.max(now);
        }
    }

    /// Starts at most `limit` calls; says how many.
    fn start(&mut self, limit: usize, now: Timestamp, round: &mut Round) -> usize {
        let mut started = 0;
        for member in &mut self.members {
            member.is_stuck = false;
        }
        while started < limit {
            let Some((place, is_alone)) = self.pick(now) else { break };
            let lane = self.members[place].lane.clone();
            let rate = self.members[place].rate.clone();
            // Lanes take turns call by call; one that is alone need not.
            let mut most = if is_alone { limit - started } else { 1 };
            if let Some(rate) = &rate {
                match Gcra::new(rate).check(self.spent, now) {
                    Ok(_) => most = 1,
                    Err(at) => {
                        let wake = (at, lane.id());
                        round.wake = Some(round.wake.map_or(wake, |known| known.min(wake)));
                        // It still wants: the one that is woken for all may have nothing by then.
                        self.members[place].is_stuck = true;
                        continue;
                    }
                }
            }
            let turn = lane.turn(now, self.running, most);
            let calls = turn.start.len();
            started += calls;
            self.running += calls;
            let member = &mut self.members[place];
            if calls > 0 {
                member.served = now;
            }
            // Where only places are missing, the end of a call brings them.
            member.wants = calls == most || turn.lacks_room;
            member.is_stuck = member.wants && calls == 0;
            if let Some(rate) = rate.filter(|_| calls > 0) {
                self.spent = Gcra::new(&rate).check(self.spent, now).unwrap_or(self.spent);
                round.spent =
                    Some(Spent { owner: Box::default(), key: Box::default(), until: now });
            }
            round.take(lane, turn);
        }
        started
    }

    /// The lane whose turn it is, and whether no other one may go.
    fn pick(&self, now: Timestamp) -> Option<(usize, bool)> {
        let may = |(_, member): &(usize, &Member)| member.wants && !member.is_stuck;
        let mut candidates = self.members.iter().enumerate().filter(may);
        let (first, _) = candidates.next()?;
        if candidates.next().is_none() {
            return Some((first, true));
        }
        let wanting: Vec<_> = self.members.iter().enumerate().filter(may).collect();
        let waiting: Vec<_> = wanting
            .iter()
            .map(|(_, member)| fair::Waiting {
                priority: member.lane.priority(now),
                served: member.served,
            })
            .collect();
        fair::pick(&waiting, now).map(|picked| (wanting[picked].0, false))
    }
}

impl Round {
    fn take(&mut self, lane: Arc<Lane>, turn: Turn) {
        match self.turns.last_mut() {
            Some((last, known)) if Arc::ptr_eq(last, &lane) => known.merge(turn),
            _ => self.turns.push((lane, turn)),
        }
    }
}

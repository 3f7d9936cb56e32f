//! Lanes that share a target: its places, its rate and its breaker. Who goes next among them is
//! decided by `evoke_delivery::fair`, so that a lane with a million waiting executions holds no
//! other one up for longer than one call.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashMap;
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
    members: AHashMap<TriggerId, Member>,
    /// Those that may have something to start, the one whose turn it is first.
    wanting: BTreeSet<(i64, TriggerId)>,
    /// Those that began to want since their last turn: they get one even where no place is free,
    /// since not all a lane does takes a place.
    fresh: Vec<TriggerId>,
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
    /// Where it stands among those that want.
    rank: Option<i64>,
    /// It is among the fresh.
    is_fresh: bool,
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
        let member = state.members.entry(lane.id()).or_insert_with(|| Member {
            lane: lane.clone(),
            rate: None,
            rank: None,
            is_fresh: false,
            served: Timestamp::EPOCH,
        });
        member.rate = rate;
    }

    pub(super) fn leave(&self, lane: TriggerId) {
        let mut state = self.state.lock();
        if let Some(rank) = state.members.remove(&lane).and_then(|member| member.rank) {
            state.wanting.remove(&(rank, lane));
        }
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
        let Some((_, first)) = state.wanting.first().copied() else { return round };
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
        let Some(member) = self.members.get_mut(&lane) else { return };
        if member.rank.is_none() {
            member.served = member.served.max(now);
        }
        if !std::mem::replace(&mut member.is_fresh, true) {
            self.fresh.push(lane);
        }
        self.line_up(lane, now);
    }

    /// Puts a lane where it belongs among those that want, by what it would start now.
    fn line_up(&mut self, lane: TriggerId, now: Timestamp) {
        let Some(member) = self.members.get_mut(&lane) else { return };
        let Member { served, .. } = *member;
        let rank = fair::rank(fair::Waiting { priority: member.lane.priority(now), served });
        if let Some(before) = member.rank.replace(rank) {
            self.wanting.remove(&(before, lane));
        }
        self.wanting.insert((rank, lane));
    }

    /// Starts at most `limit` calls; says how many.
    fn start(&mut self, limit: usize, now: Timestamp, round: &mut Round) -> usize {
        let mut started = 0;
        let mut stuck = Vec::new();
        while started < limit
            && let Some((_, id)) = self.wanting.pop_first()
        {
            // Lanes take turns call by call; one that is alone need not.
            let most = if self.wanting.is_empty() { limit - started } else { 1 };
            let given = self.give_turn((id, most), now, round);
            started += given.started;
            stuck.extend(given.is_stuck.then_some(id));
            if given.is_full {
                break;
            }
        }
        while started < limit
            && let Some(id) = self.fresh.pop()
        {
            let member = self.members.get(&id).filter(|member| member.is_fresh);
            let rank = member.and_then(|member| member.rank);
            if rank.is_some_and(|rank| self.wanting.remove(&(rank, id))) {
                let given = self.give_turn((id, 1), now, round);
                started += given.started;
                stuck.extend(given.is_stuck.then_some(id));
            }
        }
        for id in stuck {
            self.line_up(id, now);
        }
        started
    }

    /// Lets a lane that was taken out of those that want start at most so many calls.
    fn give_turn(
        &mut self,
        (id, most): (TriggerId, usize),
        now: Timestamp,
        round: &mut Round,
    ) -> Given {
        let Some(member) = self.members.get_mut(&id) else { return Given::default() };
        (member.rank, member.is_fresh) = (None, false);
        let lane = member.lane.clone();
        let rate = member.rate.clone();
        let mut most = most;
        if let Some(rate) = &rate {
            match Gcra::new(rate).check(self.spent, now) {
                Ok(_) => most = 1,
                Err(at) => {
                    let wake = (at, id);
                    round.wake = Some(round.wake.map_or(wake, |known| known.min(wake)));
                    // It still wants: the one that is woken for all may have nothing by then.
                    return Given { is_stuck: true, ..Given::default() };
                }
            }
        }
        let turn = lane.turn(now, self.running, most);
        let started = turn.start.len();
        self.running += started;
        if started > 0 {
            member.served = now;
        }
        // Where only places are missing, the end of a call brings them.
        let wants = started == most || turn.lacks_room;
        if let Some(rate) = rate.filter(|_| started > 0) {
            self.spent = Gcra::new(&rate).check(self.spent, now).unwrap_or(self.spent);
            round.spent = Some(Spent { owner: Box::default(), key: Box::default(), until: now });
        }
        let is_full = turn.fills_group;
        round.take(lane, turn);
        if wants && started > 0 {
            self.line_up(id, now);
        }
        Given { started, is_stuck: wants && started == 0, is_full }
    }
}

/// What became of a turn.
#[derive(Default)]
struct Given {
    /// Calls that began.
    started: usize,
    /// It wants, but there is no place for it in this round.
    is_stuck: bool,
    /// There is no place for any lane of the group.
    is_full: bool,
}

impl Round {
    fn take(&mut self, lane: Arc<Lane>, turn: Turn) {
        match self.turns.last_mut() {
            Some((last, known)) if Arc::ptr_eq(last, &lane) => known.merge(turn),
            _ => self.turns.push((lane, turn)),
        }
    }
}

//! The lines of a lane and what each waits for.
//!
//! A line is *open* when its next call may be looked at. If a place or a token is missing it waits
//! for that, and nobody behind it in the same line has to be looked at. Whenever a place or a token
//! comes back, the first line that waits for it is opened; if that line then does not use it, it
//! is passed on to the next, so that none is lost while somebody wants it.

use std::collections::BTreeSet;

use evoke_model::KeySet;
use evoke_model::policy::Overflow;
use evoke_model::{ExecutionId, Timestamp};

use super::super::{Admitted, Entry, LanePolicy};
use super::line::{CallSize, Line, Stand};
use super::lines::{LineId, Lines};
use super::places::Places;
use super::queue::Rank;
use super::timers::{Timers, Wake};
use super::tokens::{Pass, Tokens};

#[derive(Debug)]
pub(super) struct Board<T> {
    pub(super) size: CallSize,
    pub(super) lines: Lines<T>,
    pub(super) places: Places,
    pub(super) tokens: Tokens,
    pub(super) timers: Timers<T>,
    /// The open lines, but for [`LineId::PLAIN`]: most lanes have no other, and it would have to be
    /// registered anew with each call.
    open: BTreeSet<(Rank, LineId)>,
    /// How many lines wait for a place or a token.
    blocked: usize,
}

/// What was found out about an open line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Its next call may be made.
    Go,
    /// It has to wait.
    Blocked,
    /// There is no place for it, and the policy is not to wait for one.
    Full,
}

impl<T> Board<T> {
    pub(super) fn new(policy: &LanePolicy) -> Self {
        Self {
            size: CallSize::of(policy),
            lines: Lines::new(policy),
            places: Places::new(policy.concurrency.as_ref()),
            tokens: Tokens::new(policy.rate.as_ref()),
            timers: Timers::default(),
            open: BTreeSet::new(),
            blocked: 0,
        }
    }

    /// Takes an execution that may go as far as its time and its order key are concerned.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<T>, rank: Rank, now: Timestamp) -> LineId {
        let id = self.lines.line_of(&entry.keys);
        let line = &mut self.lines[id];
        line.push(rank, entry);
        if self.size.waits() {
            line.await_more(rank.event, now);
        }
        if line.stand == Stand::ForPlace && self.places.overflow != Overflow::Queue {
            // One more has come, and there may be no place for it to wait for.
            self.stand(id, Stand::Open, now);
        } else {
            self.restand(id, now);
        }
        id
    }

    /// Takes out one that stands in this line.
    pub(super) fn take_back(&mut self, id: LineId, rank: Rank, now: Timestamp) -> Option<Entry<T>> {
        let entry = self.lines[id].remove_at(rank, self.size)?;
        self.restand(id, now);
        Some(entry)
    }

    /// Takes out one that stands in this line.
    pub(super) fn remove(
        &mut self,
        line: LineId,
        id: ExecutionId,
        now: Timestamp,
    ) -> Option<Entry<T>> {
        let entry = self.lines[line].remove(id, self.size)?;
        self.restand(line, now);
        Some(entry)
    }

    /// The open line whose turn it is.
    #[inline]
    pub(super) fn first_open(&self) -> Option<LineId> {
        let plain = &self.lines[LineId::PLAIN];
        let plain = plain.front_rank().filter(|_| plain.stand == Stand::Open);
        match (plain, self.open.first()) {
            (Some(plain), Some((rank, line))) if *rank < plain => Some(*line),
            (Some(_), _) => Some(LineId::PLAIN),
            (None, first) => first.map(|(_, line)| *line),
        }
    }

    pub(super) fn open_lines(&self) -> Vec<LineId> {
        let plain = self.lines[LineId::PLAIN].stand == Stand::Open;
        let others = self.open.iter().map(|(_, line)| *line);
        plain.then_some(LineId::PLAIN).into_iter().chain(others).collect()
    }

    /// Looks whether the next call of an open line may be made. If it has to wait, the line waits
    /// from now on.
    #[inline]
    pub(super) fn look(&mut self, id: LineId, now: Timestamp) -> Look {
        let key = &self.lines[id].key;
        let has_place = self
            .places
            .name(key.concurrency.as_deref())
            .is_none_or(|name| self.places.is_free(name));
        let has_token = self
            .tokens
            .name(key.rate.as_deref())
            .is_none_or(|name| self.tokens.check(name, now).is_ok());
        match (has_place, has_token, self.places.overflow) {
            (true, true, _) => Look::Go,
            (false, _, Overflow::Queue) => self.block(id, Stand::ForPlace, now),
            (false, _, Overflow::Skip) => Look::Full,
            // None is cancelled for one that could not run anyway.
            (false, true, Overflow::Cancel) => Look::Full,
            (true, false, _) | (false, false, Overflow::Cancel) => {
                self.block(id, Stand::ForToken, now)
            }
        }
    }

    /// From now on the line waits for a place or a token. What it does not use goes to others.
    pub(super) fn block(&mut self, id: LineId, stand: Stand, now: Timestamp) -> Look {
        self.stand(id, stand, now);
        self.pass_on(id, now);
        Look::Blocked
    }

    /// Takes the next call off a line, which has to stand anew afterwards.
    #[inline]
    pub(super) fn cut(&mut self, id: LineId) -> Option<Admitted<T>> {
        self.lines[id].cut(self.size)
    }

    /// Gives a place or a token that came back, or was not used, to the first that waits for it.
    pub(super) fn pass(&mut self, keys: &KeySet, now: Timestamp) {
        if self.blocked == 0 {
            return;
        }
        if let Some(name) = self.places.name(keys.concurrency.as_deref())
            && let Some(line) = self.places.first(name)
        {
            self.stand(line, Stand::Open, now);
        }
        if let Some(name) = self.tokens.name(keys.rate.as_deref()) {
            self.pass_token(name, now);
        }
    }

    fn pass_token(&mut self, name: &str, now: Timestamp) {
        match self.tokens.pass(name, now) {
            Pass::Nothing => {}
            Pass::Line(line) => self.stand(line, Stand::Open, now),
            Pass::At(at) => self.timers.set(at, Wake::Token(name.into())),
        }
    }

    fn pass_on(&mut self, id: LineId, now: Timestamp) {
        if self.blocked > 0 {
            let key = &self.lines[id].key;
            let (concurrency, rate) = (key.concurrency.clone(), key.rate.clone());
            self.pass(&KeySet { concurrency, rate, ..KeySet::NONE }, now);
        }
    }

    /// The timer of a rate key went off.
    pub(super) fn wake_token(&mut self, name: &str, now: Timestamp) {
        self.tokens.woken(name);
        self.pass_token(name, now);
    }

    /// The timer of a line went off.
    pub(super) fn wake_line(&mut self, id: LineId, now: Timestamp) {
        self.lines[id].timer = None;
        self.restand(id, now);
    }

    /// Sees to it that a line stands where it belongs, after something came into it or left it.
    #[inline]
    pub(super) fn restand(&mut self, id: LineId, now: Timestamp) {
        let line = &self.lines[id];
        let stand = match line.stand {
            _ if line.len() == 0 => Stand::Idle,
            _ if !line.is_ripe(self.size, now) => Stand::Gathering,
            stand @ (Stand::ForPlace | Stand::ForToken) => stand,
            Stand::Idle | Stand::Gathering | Stand::Open => Stand::Open,
        };
        let is_registered = id == LineId::PLAIN && stand == Stand::Open && line.stand == stand;
        if !is_registered {
            self.stand(id, stand, now);
        }
    }

    fn stand(&mut self, id: LineId, stand: Stand, now: Timestamp) {
        let line = &self.lines[id];
        let before = line.stand;
        let rank = match stand {
            Stand::Idle | Stand::Gathering => None,
            Stand::Open if id == LineId::PLAIN => None,
            Stand::Open | Stand::ForPlace | Stand::ForToken => line.front_rank(),
        };
        if (before, line.registered) != (stand, rank) {
            self.unregister(id);
            self.register(id, stand, rank);
        }
        match stand {
            Stand::Gathering => self.await_more(id),
            Stand::Idle if before != Stand::Idle => {
                self.pass_on(id, now);
                self.lines.forget(id);
                return;
            }
            _ => {}
        }
        if stand == Stand::Gathering && before != stand {
            self.pass_on(id, now);
        }
    }

    fn unregister(&mut self, id: LineId) {
        let Line { key, stand, registered, .. } = &mut self.lines[id];
        let Some(rank) = registered.take() else { return };
        match stand {
            Stand::ForPlace => {
                if let Some(name) = self.places.name(key.concurrency.as_deref()) {
                    self.places.leave(name, rank, id);
                }
                self.blocked -= 1;
            }
            Stand::ForToken => {
                if let Some(name) = self.tokens.name(key.rate.as_deref()) {
                    self.tokens.leave(name, rank, id);
                }
                self.blocked -= 1;
            }
            Stand::Idle | Stand::Gathering | Stand::Open => {
                self.open.remove(&(rank, id));
            }
        }
    }

    fn register(&mut self, id: LineId, stand: Stand, rank: Option<Rank>) {
        let line = &mut self.lines[id];
        line.stand = stand;
        line.registered = rank;
        let Some(rank) = rank else { return };
        match stand {
            Stand::ForPlace => {
                if let Some(name) = self.places.name(line.key.concurrency.as_deref()) {
                    self.places.wait(name, rank, id);
                }
                self.blocked += 1;
            }
            Stand::ForToken => {
                if let Some(name) = self.tokens.name(line.key.rate.as_deref()) {
                    self.tokens.wait(name, rank, id);
                }
                self.blocked += 1;
            }
            Stand::Idle | Stand::Gathering | Stand::Open => {
                self.open.insert((rank, id));
            }
        }
    }

    fn await_more(&mut self, id: LineId) {
        let line = &mut self.lines[id];
        let at = line.ripe_at(self.size);
        if line.timer.is_none_or(|timer| timer > at) {
            line.timer = Some(at);
            self.timers.set(at, Wake::Line(id));
        }
    }
}

#[cfg(test)]
impl<T> Board<T> {
    pub(super) fn assert_at_rest(&self) {
        assert!(self.lines.ids().all(|line| self.lines[line].stand == Stand::Idle));
        assert_eq!((self.open.len(), self.blocked), (0, 0));
        self.places.assert_at_rest();
        self.tokens.assert_at_rest();
    }
}

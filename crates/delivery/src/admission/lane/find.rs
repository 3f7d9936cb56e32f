//! Finding one execution in its lane: to say why it waits, or to take it out. O(n), since only
//! people ask.

use evoke_model::{ExecutionId, Timestamp};

use super::super::{Entry, Head, Verdict};
use super::Lane;
use super::line::Stand;
use super::lines::LineId;
use super::queue::Rank;
use super::timers::Wake;

/// An execution that stands in a line.
struct Found<'a, T> {
    line: LineId,
    rank: Rank,
    entry: &'a Entry<T>,
}

impl<T> Lane<T> {
    /// Takes a waiting execution out. `None` when it does not wait here.
    pub fn cancel(&mut self, id: ExecutionId) -> Option<T> {
        let entry = self.take_out(id)?;
        self.waiting.take(entry.bytes);
        Some(entry.payload)
    }

    fn take_out(&mut self, id: ExecutionId) -> Option<Entry<T>> {
        if let Some(entry) = self.debouncer.as_mut().and_then(|debouncer| debouncer.remove(id)) {
            return Some(entry);
        }
        let key = self.keys.iter().find(|(_, queue)| queue.position(id).is_some());
        if let Some(key) = key.map(|(key, _)| key.clone()) {
            let entry = self.keys.get_mut(&key)?.remove(id);
            self.advance(&key);
            return entry;
        }
        if let Some(line) = self.find(id).map(|found| found.line) {
            let entry = self.board.remove(line, id, self.clock)?;
            self.left_line(&entry);
            return Some(entry);
        }
        self.board.timers.remove(id.event)
    }

    /// Why an execution waits; `None` when it does not wait here.
    pub fn explain(
        &self,
        id: ExecutionId,
        now: Timestamp,
        capacity_left: usize,
    ) -> Option<Verdict> {
        let verdict = self
            .find(id)
            .map(|found| self.why_in_line(&found, now, capacity_left))
            .or_else(|| self.why_behind_key(id))
            .or_else(|| self.why_debounced(id))
            .or_else(|| self.why_not_due(id))?;
        match &self.pause {
            Some(pause) if self.is_paused(now) => {
                Some(Verdict::Paused { until: pause.until, why: pause.why.clone() })
            }
            _ => Some(verdict),
        }
    }

    /// What [`Lane::next`] would look at first, to choose between lanes that share a target; `None`
    /// where it would find nothing. It may still find that it has to wait.
    pub fn head(&self, now: Timestamp) -> Option<Head> {
        if self.is_paused(now) || self.board.places.is_closed() {
            return None;
        }
        let open = self.board.first_open().and_then(|line| self.board.lines[line].front());
        if let Some(entry) = open {
            return Some(head_of(entry));
        }
        let timer = self.board.timers.first().filter(|timer| timer.at <= now)?;
        let front = |line: LineId| self.board.lines[line].front();
        let entry = match &timer.wake {
            Wake::Arrive(entry) | Wake::Due(entry) => Some(entry),
            Wake::Key(key) => self.keys.get(key)?.head(),
            Wake::Quiet(key) => self.debouncer.as_ref()?.group(key)?.entries.first(),
            Wake::Line(line) => front(*line),
            Wake::Token(key) => front(self.board.tokens.first_waiting(key)?),
        };
        entry.map(head_of)
    }

    fn find(&self, id: ExecutionId) -> Option<Found<'_, T>> {
        self.board.lines.ids().find_map(|line| {
            let mut standing = self.board.lines[line].iter();
            let (rank, entry) = standing.find(|(_, entry)| entry.id == id)?;
            Some(Found { line, rank, entry })
        })
    }

    fn why_debounced(&self, id: ExecutionId) -> Option<Verdict> {
        let debouncer = self.debouncer.as_ref()?;
        let is_mine = |entry: &Entry<T>| entry.id == id;
        let group = debouncer.groups().find(|group| group.entries.iter().any(is_mine))?;
        let last = group.entries.last()?;
        Some(Verdict::Debounced {
            until: debouncer.ends(group),
            key: last.keys.debounce.clone(),
            last: last.id,
        })
    }

    fn why_not_due(&self, id: ExecutionId) -> Option<Verdict> {
        let mut waiting = self.board.timers.entries();
        waiting.find(|(_, entry)| entry.id == id).map(|(at, _)| Verdict::NotDue { at })
    }

    fn why_behind_key(&self, id: ExecutionId) -> Option<Verdict> {
        self.keys.iter().find_map(|(key, queue)| {
            let place = queue.position(id)?;
            let running = queue.running.len();
            let (position, of) = (running + queue.standing.len() + place, running + queue.len());
            Some(match queue.get(place)? {
                head if position == 0 => Verdict::NotDue { at: head.due },
                _ => Verdict::BehindKey { key: key.clone(), position, of },
            })
        })
    }

    fn why_in_line(&self, found: &Found<'_, T>, now: Timestamp, capacity_left: usize) -> Verdict {
        self.why_gathering(found, now)
            .or_else(|| self.why_no_place(found.entry))
            .or_else(|| self.why_no_token(found, now))
            .unwrap_or_else(|| match self.before_in_lane(found) / self.board.size.entries {
                _ if capacity_left == 0 => Verdict::NoCapacity { running: self.running() },
                0 => Verdict::Ready,
                calls if calls < capacity_left => Verdict::Ready,
                _ => Verdict::Outranked { position: self.before_in_lane(found) },
            })
    }

    fn why_gathering(&self, found: &Found<'_, T>, now: Timestamp) -> Option<Verdict> {
        let (line, size) = (&self.board.lines[found.line], self.board.size);
        if line.is_ripe(size, now) {
            return None;
        }
        Some(Verdict::Gathering {
            until: line.ripe_at(size),
            have: line.len(),
            size: u32::try_from(size.entries).unwrap_or(u32::MAX),
        })
    }

    fn why_no_place(&self, entry: &Entry<T>) -> Option<Verdict> {
        let places = &self.board.places;
        let name = places.name(entry.keys.concurrency.as_deref())?;
        let running = places.get(name)?.running;
        let (limit, key) = (places.limit, places.key_of(name));
        (running >= limit).then_some(Verdict::ConcurrencyFull { limit, key, running })
    }

    fn why_no_token(&self, found: &Found<'_, T>, now: Timestamp) -> Option<Verdict> {
        let tokens = &self.board.tokens;
        let name = tokens.name(found.entry.keys.rate.as_deref())?;
        let position = self.before(found, |line| {
            tokens.name(self.board.lines[line].key.rate.as_deref()) == Some(name)
        });
        let calls = (position / self.board.size.entries) as u64;
        let gcra = tokens.gcra?;
        let full_at = gcra.after(tokens.full_at(name), now, calls);
        let until = gcra.check(full_at, now).err()?;
        Some(Verdict::RateLimited { until, key: tokens.key_of(name), position })
    }

    fn before_in_lane(&self, found: &Found<'_, T>) -> usize {
        self.before(found, |line| self.board.lines[line].stand == Stand::Open)
    }

    /// How many go before one, in its own line and in those of the others that count.
    fn before(&self, found: &Found<'_, T>, counts: impl Fn(LineId) -> bool) -> usize {
        let own = self.board.lines[found.line].iter();
        let in_own = own.take_while(|(_, entry)| entry.id != found.entry.id).count();
        let others = self.board.lines.ids().filter(|line| *line != found.line && counts(*line));
        let is_before = |line: LineId| {
            let standing = self.board.lines[line].iter();
            standing.filter(|(rank, _)| *rank < found.rank).count()
        };
        in_own + others.map(is_before).sum::<usize>()
    }
}

fn head_of<T>(entry: &Entry<T>) -> Head {
    Head { priority: entry.priority, due: entry.due }
}

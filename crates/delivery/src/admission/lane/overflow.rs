//! What becomes of executions that find no place under the concurrency limit, where the policy is
//! not to wait for one.

use evoke_model::ExecutionId;
use evoke_model::policy::Overflow;

use super::super::{Dropped, Entry};
use super::Lane;
use super::board::Look;
use super::calls::CallId;
use super::line::Stand;
use super::lines::LineId;

impl<T> Lane<T> {
    /// Turns away whoever finds no place, while the target takes no call at all. Whoever may run
    /// stays where it is.
    pub(super) fn turn_away(&mut self) {
        if self.board.places.overflow == Overflow::Queue {
            return;
        }
        loop {
            let mut is_done = true;
            for line in self.board.open_lines() {
                if self.board.lines[line].stand == Stand::Open
                    && self.board.look(line, self.clock) == Look::Full
                {
                    self.overflow(line);
                    is_done = false;
                }
            }
            if is_done {
                return;
            }
        }
    }

    /// There is no place for the next call of a line.
    pub(super) fn overflow(&mut self, line: LineId) {
        match self.board.places.overflow {
            Overflow::Queue => {}
            Overflow::Skip => self.skip(line),
            Overflow::Cancel => self.make_room(line),
        }
    }

    fn skip(&mut self, line: LineId) {
        let Some(call) = self.board.cut(line) else { return };
        self.board.restand(line, self.clock);
        let places = &self.board.places;
        let limit = places.limit;
        let key = places
            .name(call.first.keys.concurrency.as_deref())
            .and_then(|name| places.key_of(name));
        for entry in call.into_entries() {
            self.drop_entry(entry, Dropped::Overflow { limit, key: key.clone() });
        }
    }

    /// The newest win: for each call that waits the oldest one that runs is cancelled, and who is
    /// older than all that go on running is superseded.
    fn make_room(&mut self, line: LineId) {
        self.board.block(line, Stand::ForPlace, self.clock);
        let key = self.board.lines[line].key.concurrency.clone();
        let Some(name) = self.board.places.name(key.as_deref()) else { return };
        let Some(place) = self.board.places.get(name) else { return };
        let lines: Vec<_> = place.waiting.iter().map(|(_, line)| *line).collect();
        let mut running: Vec<(ExecutionId, CallId)> = place
            .calls
            .iter()
            .filter_map(|call| Some((self.calls.newest(*call)?, *call)))
            .collect();
        running.sort_unstable_by_key(|(newest, _)| std::cmp::Reverse(*newest));
        let mut freed = place.cancelling;
        let mut waiting = self.who_waits(&lines);
        let newest_waiting = waiting.last().map(|(id, _)| *id);
        let newest = newest_waiting.max(running.first().map(|(id, _)| *id));
        // The oldest last, to be popped first.
        waiting.reverse();
        let mut superseded = Vec::new();
        while self.calls_in(&lines) > freed {
            let Some((oldest, line)) = waiting.last().copied() else { break };
            if let Some((_, call)) = running.pop_if(|(running, _)| *running < oldest) {
                self.cancels.extend(self.calls.cancel(call));
                freed += 1;
                if let Some(place) = self.board.places.get_mut(name) {
                    place.cancelling = freed;
                }
                continue;
            }
            waiting.pop();
            superseded.extend(self.board.remove(line, oldest, self.clock));
        }
        for entry in superseded {
            let by = newest.unwrap_or(entry.id);
            self.drop_entry(entry, Dropped::Superseded { by });
        }
    }

    /// Who stands in these lines, the oldest first.
    fn who_waits(&self, lines: &[LineId]) -> Vec<(ExecutionId, LineId)> {
        let in_line = |line: &LineId| {
            let line = *line;
            self.board.lines[line].iter().map(move |(_, entry)| (entry.id, line))
        };
        let mut waiting: Vec<_> = lines.iter().flat_map(in_line).collect();
        waiting.sort_unstable();
        waiting
    }

    fn calls_in(&self, lines: &[LineId]) -> usize {
        lines.iter().map(|line| self.board.lines[*line].calls(self.board.size)).sum()
    }

    /// A waiting execution will never run.
    pub(super) fn drop_entry(&mut self, entry: Entry<T>, why: Dropped) {
        self.waiting.take(entry.bytes);
        self.left_line(&entry);
        self.dropped.push((entry, why));
    }
}

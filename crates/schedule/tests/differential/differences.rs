//! Where a peer answers otherwise, and why.

use crate::cases::Case;

/// A reason for differences. The first that explains a case counts.
pub struct Difference {
    /// Why.
    pub reason: &'static str,
    /// Who differs, and in how many cases.
    peers: &'static [(&'static str, usize)],
    /// The expressions that differ; all where none is named.
    expressions: &'static [&'static str],
    /// The zones, or the instants from which, they differ; all where none is named.
    edges: &'static [&'static str],
}

impl Difference {
    /// Whether it is the reason.
    pub fn explains(&self, peer: &str, case: &Case) -> bool {
        let named = |names: &[&str], name| names.is_empty() || names.contains(&name);
        self.peers.iter().any(|(name, _)| *name == peer)
            && named(self.expressions, case.expression)
            && (named(self.edges, case.zone) || named(self.edges, case.start))
    }

    /// How many cases of a peer it explains.
    pub fn expected(&self, peer: &str) -> usize {
        self.peers.iter().find(|(name, _)| *name == peer).map_or(0, |(_, count)| *count)
    }
}

/// All of them. A general reason stands after the special ones of the same peer.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "ranges do not wrap",
        peers: &[("croner-rs", 27), ("croner", 27), ("cron-parser", 27)],
        expressions: &[
            "0 0 * * FRI-MON",
            "0 0 * * FRI-TUE/2",
            "0 0 * * SAT-MON/2",
            "0 0 1 NOV-FEB *",
            "0 0 1 OCT-MAR/2 *",
            "0 22-2 * * *",
            "0 22-3/2 * * *",
            "55-5/5 12 * * *",
            "0 0 28-3 * *",
        ],
        edges: &[],
    },
    Difference {
        reason: "steps are counted otherwise where a range wraps",
        peers: &[("croniter", 6)],
        expressions: &["0 0 * * SAT-MON/2", "0 0 1 OCT-MAR/2 *"],
        edges: &[],
    },
    Difference {
        reason: "there is no L-3",
        peers: &[("croner-rs", 3), ("croner", 3), ("cron-parser", 3), ("croniter", 3)],
        expressions: &["0 0 L-3 * *"],
        edges: &[],
    },
    Difference {
        reason: "there is no LW",
        peers: &[("cron-parser", 3), ("croniter", 3)],
        expressions: &["0 0 LW * *"],
        edges: &[],
    },
    Difference {
        reason: "there is no W",
        peers: &[("cron-parser", 12)],
        expressions: &["0 0 15W * *", "0 0 1W * *", "0 0 31W * *", "0 0 1W,15W * *"],
        edges: &[],
    },
    Difference {
        reason: "W is not for lists",
        peers: &[("croniter", 3)],
        expressions: &["0 0 1W,15W * *"],
        edges: &[],
    },
    Difference {
        reason: "31W of a shorter month is its last weekday",
        peers: &[("croniter", 3)],
        expressions: &["0 0 31W * *"],
        edges: &[],
    },
    Difference {
        reason: "the search ends later than in 2199",
        peers: &[("croner-rs", 1), ("croner", 1)],
        expressions: &["0 0 29 2 +FRI"],
        edges: &[],
    },
    Difference {
        reason: "there is no +",
        peers: &[("cron-parser", 6), ("croniter", 6)],
        expressions: &["0 0 29 2 +FRI", "0 0 13 * +FRI"],
        edges: &[],
    },
    Difference {
        reason: "there is no last weekday by name or in a list",
        peers: &[("cron-parser", 6), ("croniter", 12)],
        expressions: &["0 0 * * 5L", "0 0 * * FRI#L", "0 0 * * 7L", "0 0 * * MON#1,FRI#L"],
        edges: &[],
    },
    Difference {
        reason: "there are no years, or none after 2099",
        peers: &[("cron-parser", 11), ("croniter", 7)],
        expressions: &[
            "0 0 0 1 1 * 2030-2199/2",
            "0 0 0 1 1 * */3",
            "0 0 12 * * MON 2027",
            "0 0 0 29 2 * 2096-2104",
        ],
        edges: &[],
    },
    Difference {
        reason: "steps of years are not counted from 1970",
        peers: &[("croner-rs", 3), ("croner", 3)],
        expressions: &["0 0 0 1 1 * */3"],
        edges: &[],
    },
    Difference {
        reason: "there is no @midnight",
        peers: &[("croner-rs", 3), ("cron-parser", 3)],
        expressions: &["@midnight"],
        edges: &[],
    },
    Difference {
        reason: "there is no @every",
        peers: &[("croner-rs", 3), ("croner", 3), ("cron-parser", 3), ("croniter", 3)],
        expressions: &["@every 5m"],
        edges: &[],
    },
    Difference {
        reason: "a step longer than the field is taken",
        peers: &[("croner-rs", 6), ("cron-parser", 6), ("croniter", 6)],
        expressions: &["*/90 * * * *", "0 */36 * * *"],
        edges: &[],
    },
    Difference {
        reason: "a step may follow a single value",
        peers: &[("cron-parser", 3), ("croniter", 3)],
        expressions: &["0/15 * * * *"],
        edges: &[],
    },
    Difference {
        reason: "an empty part of a list is passed over",
        peers: &[("croner-rs", 3)],
        expressions: &["1,,2 * * * *"],
        edges: &[],
    },
    Difference {
        reason: "L and nicknames are taken in small letters or capitals",
        peers: &[("croner-rs", 6), ("croner", 6), ("croniter", 6)],
        expressions: &["0 0 l * *", "@Daily"],
        edges: &[],
    },
    Difference {
        reason: "# may follow a range",
        peers: &[("croner-rs", 3), ("croner", 3), ("croniter", 3)],
        expressions: &["0 0 * * MON-FRI#1"],
        edges: &[],
    },
    Difference {
        reason: "? may stand for a minute",
        peers: &[("croner", 3), ("cron-parser", 3)],
        expressions: &["? * * * *"],
        edges: &[],
    },
    Difference {
        reason: "four fields are enough",
        peers: &[("cron-parser", 3)],
        expressions: &["* * * *"],
        edges: &[],
    },
    Difference {
        reason: "only single values are fixed times; lists, ranges and steps run through",
        peers: &[("croner-rs", 38), ("croner", 38)],
        expressions: &["45 2,3 * * *", "0,30 1-3 * * *", "*/20 2 * * *", "*/15 0 * * *"],
        edges: &[],
    },
    Difference {
        reason: "no time is found after a gap of more than two hours",
        peers: &[("croner-rs", 22)],
        expressions: &[],
        edges: &["Pacific/Apia", "Pacific/Kwajalein"],
    },
    Difference {
        reason: "what a gap leaves out of the day before is not made up for",
        peers: &[("croner", 23)],
        expressions: &[],
        edges: &["Pacific/Apia", "Pacific/Kwajalein", "Asia/Pyongyang"],
    },
    Difference {
        reason: "changes of half an hour are miscalculated",
        peers: &[("cron-parser", 38)],
        expressions: &[],
        edges: &["Australia/Lord_Howe", "America/Caracas", "Asia/Pyongyang"],
    },
    Difference {
        reason: "days that are left out are not made up for",
        peers: &[("cron-parser", 28)],
        expressions: &[],
        edges: &["Pacific/Apia", "Pacific/Kwajalein"],
    },
    Difference {
        reason: "steps of hours are made up for after a gap, or do not come again",
        peers: &[("cron-parser", 17)],
        expressions: &["45 */2 * * *", "0 */3 * * *"],
        edges: &[],
    },
    Difference {
        reason: "of two midnights the second counts",
        peers: &[("cron-parser", 4)],
        expressions: &[],
        edges: &["2025-11-02T03:30:00Z"],
    },
    Difference {
        reason: "what two hours repeat fires twice",
        peers: &[("cron-parser", 8)],
        expressions: &[],
        edges: &["2025-10-25T21:30:00Z"],
    },
    Difference {
        reason: "a time left out fires later by the length of the gap",
        peers: &[("cron-parser", 36)],
        expressions: &[],
        edges: &[],
    },
    Difference {
        reason: "steps of hours are made up for after a gap",
        peers: &[("croniter", 15)],
        expressions: &["45 */2 * * *", "0 */3 * * *"],
        edges: &[],
    },
    Difference {
        reason: "a time left out keeps its seconds after the gap",
        peers: &[("croniter", 7)],
        expressions: &["30 30 2 * * *"],
        edges: &[
            "2026-03-08T04:30:00Z",
            "2026-03-28T22:30:00Z",
            "2025-03-29T23:30:00Z",
            "2025-04-06T00:30:00Z",
            "2016-05-01T05:30:00Z",
            "Pacific/Apia",
            "Pacific/Kwajalein",
        ],
    },
    Difference {
        reason: "a fixed time that comes twice fires twice",
        peers: &[("croniter", 52)],
        expressions: &[],
        edges: &[],
    },
];

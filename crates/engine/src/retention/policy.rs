//! How long what is kept. Pure: the time is an argument.

use evoke_matching::{Pattern, Separator};
use evoke_model::{ByteSize, Millis, Problem, Timestamp};
use evoke_ports::store::{Holds, SegmentInfo};
use sha2::{Digest, Sha256};

/// The class of what no rule is about.
const DEFAULT: &str = "default";

const DAY: Millis = Millis::from_secs(86_400);

/// What becomes of the record as it grows old. Ages count from the acceptance of an event; where
/// its last execution ended more than an hour after that, from this end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Events older than this move to the archive with their executions; `None`: there is no
    /// archive. Default 24h.
    pub archive_after: Option<Millis>,
    /// How long events are kept, the archive included; default 7d.
    pub events: Millis,
    /// How long executions are kept, the archive included; default 30d.
    pub executions: Millis,
    /// How long dead letters are kept; default 30d.
    pub dead_letters: Millis,
    /// How long the audit trail and operations that ended are kept; default 365d.
    pub audit: Millis,
    /// What all of it may take on the disk. Above this the oldest goes early, but never what is
    /// open or a dead letter. Default: no limit.
    pub max_bytes: Option<ByteSize>,
    /// Exceptions; the first that fits wins.
    pub rules: Vec<Rule>,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            archive_after: Some(DAY),
            events: Millis::new(7 * DAY.as_u64()),
            executions: Millis::new(30 * DAY.as_u64()),
            dead_letters: Millis::new(30 * DAY.as_u64()),
            audit: Millis::new(365 * DAY.as_u64()),
            max_bytes: None,
            rules: Vec::new(),
        }
    }
}

/// Other times for some events and executions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rule {
    /// Only events of these types, and their executions.
    pub kind: Option<KindPattern>,
    /// Only executions of this function.
    pub function: Option<Box<str>>,
    /// How long the events are kept; as usual if not given.
    pub events: Option<Millis>,
    /// How long the executions are kept; as usual if not given.
    pub executions: Option<Millis>,
}

/// What a rule is to be found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About<'f> {
    /// An event; events belong to no function.
    Event,
    /// An execution of this function, if it is one of a function.
    Execution(Option<&'f str>),
}

/// A pattern over types of events as in triggers, with the text it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindPattern {
    text: Box<str>,
    pattern: Pattern,
}

impl KindPattern {
    /// Reads `order.*`.
    ///
    /// # Errors
    /// When it is no pattern.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Ok(Self { text: text.into(), pattern: Pattern::parse(text, Separator::Dot)? })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Rule {
    /// Whether the rule is about this. The type is not known where the event is gone already.
    fn fits(&self, kind: Option<&str>, about: About<'_>) -> bool {
        let kind_fits = match (&self.kind, kind) {
            (None, _) => true,
            (Some(wanted), Some(kind)) => wanted.pattern.matches(kind),
            (Some(_), None) => false,
        };
        kind_fits
            && match (self.function.as_deref(), about) {
                (None, _) => true,
                (Some(wanted), About::Execution(function)) => function == Some(wanted),
                (Some(_), About::Event) => false,
            }
    }

    /// The name under which the archive keeps what the rule is about. It tells what the rule
    /// selects and not for how long, so that a changed time holds for what is archived already.
    pub(crate) fn class(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.kind.as_ref().map(KindPattern::as_str), self.function.as_deref()] {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.unwrap_or_default());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let mut name = String::from("rule:");
        for byte in &digest[..8] {
            name.push_str(&format!("{byte:02x}"));
        }
        name
    }
}

impl RetentionPolicy {
    /// The place of the first rule that fits an event of this type, or an execution of one.
    pub(crate) fn rule_for(&self, kind: Option<&str>, about: About<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.fits(kind, about))
    }

    /// How long what a rule is about is kept; what no rule is about, for `None`.
    pub(crate) fn keep(&self, holds: Holds, rule: Option<usize>) -> Millis {
        let rule = rule.and_then(|place| self.rules.get(place));
        match holds {
            Holds::Events => rule.and_then(|rule| rule.events).unwrap_or(self.events),
            Holds::Executions => rule.and_then(|rule| rule.executions).unwrap_or(self.executions),
        }
    }

    /// All ages at which something may happen to the record, the youngest first.
    pub(crate) fn ages(&self) -> Vec<Millis> {
        let rules = self.rules.iter().flat_map(|rule| [rule.events, rule.executions]);
        let mut ages: Vec<Millis> = rules.flatten().chain(self.archive_after).collect();
        ages.extend([self.events, self.executions, self.dead_letters]);
        ages.sort_unstable();
        ages.dedup();
        ages
    }

    /// Whether everything in a segment is older than its class may become now. A class whose rule
    /// is gone is treated as usual.
    pub(crate) fn is_past(&self, segment: &SegmentInfo, now: Timestamp) -> bool {
        let class = Class::parse(&segment.class);
        let rule = self.rules.iter().position(|rule| rule.class() == class.name);
        let newest = segment.last.made_at().max(class.settled.unwrap_or_default());
        newest.plus(self.keep(segment.holds, rule)) <= now
    }

    /// The name of the class of what a rule is about and what ended late.
    pub(crate) fn class(&self, rule: Option<usize>, settled: Option<Timestamp>) -> Box<str> {
        let rule = rule.and_then(|place| self.rules.get(place));
        let name = rule.map_or_else(|| DEFAULT.to_owned(), Rule::class);
        match settled {
            None => name.into(),
            Some(at) => format!("{name}@{}", at.as_millis()).into(),
        }
    }
}

/// The parts of a class's name.
struct Class<'c> {
    name: &'c str,
    /// From when on the age of its items counts, where that is not their acceptance.
    settled: Option<Timestamp>,
}

impl<'c> Class<'c> {
    fn parse(text: &'c str) -> Self {
        match text.split_once('@') {
            None => Self { name: text, settled: None },
            Some((name, at)) => Self { name, settled: at.parse().ok().map(Timestamp::from_millis) },
        }
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::{EventId, SegmentId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn rule(kind: Option<&str>, function: Option<&str>) -> Rule {
        let kind = kind.map(|text| KindPattern::parse(text).unwrap());
        Rule { kind, function: function.map(Into::into), ..Rule::default() }
    }

    #[test]
    fn the_first_rule_that_fits_wins() {
        let policy = RetentionPolicy {
            rules: vec![
                rule(Some("order.*"), Some("bill")),
                rule(Some("order.*"), None),
                rule(None, Some("bill")),
            ],
            ..RetentionPolicy::default()
        };
        let of = |function| About::Execution(Some(function));
        let cases = [
            (Some("order.paid"), of("bill"), Some(0)),
            (Some("order.paid"), of("ship"), Some(1)),
            (Some("order.paid"), About::Execution(None), Some(1)),
            (Some("order.paid"), About::Event, Some(1)),
            (Some("user.created"), of("bill"), Some(2)),
            (Some("user.created"), of("ship"), None),
            (Some("user.created"), About::Event, None),
            (None, of("bill"), Some(2)),
            (None, of("ship"), None),
        ];
        for (kind, about, place) in cases {
            assert_eq!(policy.rule_for(kind, about), place, "{kind:?} {about:?}");
        }
    }

    #[test]
    fn a_rule_without_a_time_of_its_own_leaves_it_as_usual() {
        let short = Rule { events: Some(Millis::from_secs(60)), ..rule(Some("debug.*"), None) };
        let policy = RetentionPolicy { rules: vec![short], ..RetentionPolicy::default() };
        assert_eq!(policy.keep(Holds::Events, Some(0)), Millis::from_secs(60));
        assert_eq!(policy.keep(Holds::Executions, Some(0)), policy.executions);
        assert_eq!(policy.keep(Holds::Events, None), policy.events);
        assert_eq!(policy.ages()[0], Millis::from_secs(60));
        assert_eq!(policy.ages().len(), 4);
    }

    #[test]
    fn a_class_is_what_a_rule_selects_and_not_for_how_long() {
        let one = rule(Some("a"), None);
        let longer = Rule { events: Some(Millis::from_secs(9)), ..one.clone() };
        assert_eq!(one.class(), longer.class());
        assert_ne!(one.class(), rule(None, Some("a")).class());
        assert_ne!(one.class(), rule(Some("a"), Some("")).class());
    }

    fn segment(class: &str, age: Millis) -> SegmentInfo {
        let last = EventId::first_at(NOW.minus(age));
        SegmentInfo {
            id: SegmentId::from_u64(1),
            holds: Holds::Events,
            class: class.into(),
            first: EventId::from_u64(1),
            last,
            items: 1,
            bytes: 1,
        }
    }

    #[test]
    fn a_segment_goes_when_its_class_says_so_now() {
        let kept = Rule { events: Some(Millis::from_secs(3_600)), ..rule(Some("a"), None) };
        let class = kept.class();
        let gone = rule(Some("b"), None).class();
        let mut policy = RetentionPolicy {
            events: Millis::from_secs(60),
            rules: vec![kept],
            ..RetentionPolicy::default()
        };
        let minutes = |minutes: u64| Millis::from_secs(60 * minutes);
        let late = format!("default@{}", NOW.minus(minutes(1)).as_millis() + 1);
        let cases = [
            ("default", minutes(1), true),
            ("default", Millis::from_secs(59), false),
            (class.as_str(), minutes(59), false),
            (class.as_str(), minutes(60), true),
            (gone.as_str(), minutes(1), true),
            ("something else", minutes(1), true),
            (late.as_str(), minutes(1_000), false),
        ];
        for (class, age, past) in cases {
            assert_eq!(policy.is_past(&segment(class, age), NOW), past, "{class} {age}");
        }
        policy.rules[0].events = Some(Millis::from_secs(1));
        assert!(policy.is_past(&segment(&class, minutes(1)), NOW));
    }
}

//! A model of cron expressions that is slow and plain: a field is asked value by value, and the
//! local clock minute by minute.

use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// One part of a list.
#[derive(Debug, Clone)]
enum Part {
    All,
    Every(i64),
    One(i64),
    Range {
        from: i64,
        to: i64,
        step: i64,
    },
    /// `L-n`, or `L` with 0.
    FromLast(i64),
    LastWeekday,
    Nearest(i64),
    Nth {
        day: i64,
        nth: i64,
    },
    LastOf(i64),
}

#[derive(Debug, Clone)]
pub struct Expression {
    minute: Vec<Part>,
    hour: Vec<Part>,
    month_day: Vec<Part>,
    month: Vec<Part>,
    weekday: Vec<Part>,
    both: bool,
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Every(step) => format!("*/{step}"),
            Self::One(value) => value.to_string(),
            Self::Range { from, to, step: 1 } => format!("{from}-{to}"),
            Self::Range { from, to, step } => format!("{from}-{to}/{step}"),
            Self::FromLast(0) => "L".to_owned(),
            Self::FromLast(back) => format!("L-{back}"),
            Self::LastWeekday => "LW".to_owned(),
            Self::Nearest(day) => format!("{day}W"),
            Self::Nth { day, nth } => format!("{day}#{nth}"),
            Self::LastOf(day) => format!("{day}L"),
        }
    }

    /// Whether a plain part has a value of a field that goes from `min` to `max`.
    fn has(&self, value: i64, min: i64, max: i64) -> bool {
        match self {
            Self::All => true,
            Self::Every(step) => (value - min) % step == 0,
            Self::One(one) => *one == value,
            Self::Range { from, to, step } => {
                let mut at = *from;
                let mut steps = 0;
                loop {
                    if at == value && steps % step == 0 {
                        return true;
                    }
                    if at == *to {
                        return false;
                    }
                    at = if at == max { min } else { at + 1 };
                    steps += 1;
                }
            }
            _ => false,
        }
    }

    fn has_month_day(&self, local: DateTime) -> bool {
        let (day, last) = (i64::from(local.day()), i64::from(local.days_in_month()));
        let weekday =
            |day: i64| weekday(local.with().day(day as i8).build().expect("a day of the month"));
        let workday = |day: i64| (1..=last).contains(&day) && (1..=5).contains(&weekday(day));
        match self {
            Self::FromLast(back) => day == last - back,
            Self::LastWeekday => (1..=last).rev().find(|day| workday(*day)) == Some(day),
            // The nearest: the day itself, the day before a Saturday, the one after a Sunday, else
            // the next one inwards.
            Self::Nearest(target) if *target <= last => {
                let order = match weekday(*target) {
                    6 => [0, -1, 1, 2, -2],
                    _ => [0, 1, -1, -2, 2],
                };
                order.into_iter().map(|by| target + by).find(|day| workday(*day)) == Some(day)
            }
            _ => self.has(day, 1, 31),
        }
    }

    fn has_weekday(&self, local: DateTime) -> bool {
        let (day, last) = (i64::from(local.day()), i64::from(local.days_in_month()));
        let today = weekday(local);
        match self {
            Self::Nth { day: wanted, nth } => wanted % 7 == today && (day - 1) / 7 + 1 == *nth,
            Self::LastOf(wanted) => wanted % 7 == today && day + 7 > last,
            _ => self.has(today, 0, 6),
        }
    }
}

fn weekday(local: DateTime) -> i64 {
    i64::from(local.weekday().to_sunday_zero_offset())
}

impl Expression {
    pub fn hourly() -> Self {
        let all = || vec![Part::All];
        Self {
            minute: vec![Part::One(0)],
            hour: all(),
            month_day: all(),
            month: all(),
            weekday: all(),
            both: false,
        }
    }

    pub fn at(hour: i64, minute: i64) -> Self {
        let (hour, minute) = (vec![Part::One(hour)], vec![Part::One(minute)]);
        Self { hour, minute, ..Self::hourly() }
    }

    pub fn text(&self) -> String {
        let list = |parts: &[Part]| parts.iter().map(Part::text).collect::<Vec<_>>().join(",");
        let plus = if self.both { "+" } else { "" };
        let fields = [&self.minute, &self.hour, &self.month_day, &self.month].map(|f| list(f));
        format!("{} {plus}{}", fields.join(" "), list(&self.weekday))
    }

    fn is_rhythm(&self) -> bool {
        self.hour.iter().any(|part| match part {
            Part::All | Part::Every(_) => true,
            Part::Range { step, .. } => *step > 1,
            _ => false,
        }) || (0..24).all(|hour| self.hour.iter().any(|part| part.has(hour, 0, 23)))
    }

    fn matches(&self, local: DateTime) -> bool {
        let any = |parts: &[Part], value: i8, min, max| {
            parts.iter().any(|part| part.has(i64::from(value), min, max))
        };
        any(&self.minute, local.minute(), 0, 59)
            && any(&self.hour, local.hour(), 0, 23)
            && any(&self.month, local.month(), 1, 12)
            && self.matches_day(local)
    }

    fn matches_day(&self, local: DateTime) -> bool {
        let free = |parts: &[Part]| matches!(parts, [Part::All]);
        let month_day = self.month_day.iter().any(|part| part.has_month_day(local));
        let weekday = self.weekday.iter().any(|part| part.has_weekday(local));
        if self.both || free(&self.month_day) || free(&self.weekday) {
            month_day && weekday
        } else {
            month_day || weekday
        }
    }
}

/// The instants of a range, in seconds, where the range is of whole minutes and so are offsets.
pub fn instants(expression: &Expression, zone: &TimeZone, range: Range<i64>) -> Vec<i64> {
    let show =
        |second: i64| zone.to_datetime(jiff::Timestamp::from_second(second).expect("a time"));
    let minute = jiff::Span::new().minutes(1);
    let mut found = Vec::new();
    // Two days before the range, so that it is known how far the clock had come.
    let mut reached = show(range.start - 49 * 3_600);
    for second in (range.start - 48 * 3_600..range.end).step_by(60) {
        let shown = show(second);
        let mut fires = expression.is_rhythm() && expression.matches(shown);
        while reached < shown {
            reached = reached.saturating_add(minute);
            fires |= !expression.is_rhythm() && expression.matches(reached);
        }
        if fires && second >= range.start {
            found.push(second);
        }
    }
    found
}

fn plain(min: i64, max: i64) -> impl Strategy<Value = Part> + Clone {
    let range = (min..=max, min..=max, 1..=3_i64);
    prop_oneof![
        (2..=(max - min).min(20)).prop_map(Part::Every),
        (min..=max).prop_map(Part::One),
        (min..=max).prop_map(Part::One),
        range.prop_map(|(from, to, step)| Part::Range { from, to, step }),
    ]
}

fn list(parts: impl Strategy<Value = Part> + Clone) -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(parts, 1..4)
}

fn all() -> impl Strategy<Value = Vec<Part>> {
    Just(vec![Part::All])
}

pub fn expressions() -> impl Strategy<Value = Expression> {
    let month_day = prop_oneof![
        4 => plain(1, 31),
        1 => (0..=30_i64).prop_map(Part::FromLast),
        1 => Just(Part::LastWeekday),
        1 => (1..=31_i64).prop_map(Part::Nearest),
    ];
    let weekday = prop_oneof![
        4 => plain(0, 6),
        1 => (0..=7_i64, 1..=5_i64).prop_map(|(day, nth)| Part::Nth { day, nth }),
        1 => (0..=7_i64).prop_map(Part::LastOf),
    ];
    let fields = (
        prop_oneof![1 => all(), 4 => list(plain(0, 59))],
        // Most changes of a clock are in the early hours.
        prop_oneof![1 => all(), 2 => list(plain(0, 23)), 2 => list(plain(0, 4))],
        prop_oneof![3 => all(), 2 => list(month_day)],
        prop_oneof![6 => all(), 1 => list(plain(1, 12))],
        prop_oneof![3 => all(), 2 => list(weekday)],
        any::<bool>(),
    );
    fields.prop_map(|(minute, hour, month_day, month, weekday, both)| {
        let both = both && !matches!(weekday.as_slice(), [Part::All]);
        Expression { minute, hour, month_day, month, weekday, both }
    })
}

//! The live feed of `evoke dev` as lines of a terminal.

use anstyle::{AnsiColor, Style};
use evoke_engine::Notice;
use evoke_model::execution::Level;
use evoke_model::{Event, State};

const DIM: Style = Style::new().dimmed();

/// Whether lines carry colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ColorChoice {
    /// They do: for terminals, or for a stream that strips them where they do not belong.
    #[default]
    Always,
    /// They do not.
    Never,
}

/// A notice as text without a line break at its end; a stack makes more than one line.
pub fn render(notice: &Notice, color: ColorChoice) -> String {
    let text = match notice {
        Notice::Event(event) => self::event(event),
        Notice::Execution { target, trigger, state, attempt, duration_us, error, .. } => {
            let what = Ended { target, trigger, state: *state, attempt: *attempt };
            what.line(*duration_us, error.as_deref())
        }
        Notice::Log { function, line, .. } => log(function, line.level, &line.message),
        Notice::Deployed { function, version, error } => {
            deployed(function, *version, error.as_deref())
        }
    };
    match color {
        ColorChoice::Always => text,
        ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
    }
}

fn colored(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}

fn event(event: &Event) -> String {
    let style = colored(AnsiColor::Cyan);
    let subject = event.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
    format!("{style}event{style:#}    {}{subject} {DIM}{}{DIM:#}", event.kind, event.id)
}

/// An execution that came into a state.
struct Ended<'a> {
    target: &'a str,
    trigger: &'a str,
    state: State,
    attempt: u32,
}

impl Ended<'_> {
    fn line(&self, duration_us: u64, error: Option<&str>) -> String {
        let (color, word) = match self.state {
            State::Pending if error.is_some() => (AnsiColor::Yellow, "retry"),
            State::Pending => (AnsiColor::Yellow, "waiting"),
            State::Running => (AnsiColor::Blue, "start"),
            State::Success => (AnsiColor::Green, "ok"),
            State::Failed => (AnsiColor::Red, "failed"),
            State::TimedOut => (AnsiColor::Red, "timeout"),
            State::Cancelled => (AnsiColor::Yellow, "cancel"),
        };
        let style = colored(color);
        let took = match self.state {
            State::Running => String::new(),
            _ => format!(" {}", took(duration_us)),
        };
        let attempt = match self.attempt {
            0 | 1 => String::new(),
            number => format!(" attempt {number}"),
        };
        let via = match self.trigger == self.target {
            true => String::new(),
            false => format!(" {DIM}{}{DIM:#}", self.trigger),
        };
        let head = format!("{style}{word:<8}{style:#} {}{via}{took}{attempt}", self.target);
        match error {
            Some(error) => format!("{head}\n{}", indented(error)),
            None => head,
        }
    }
}

fn log(function: &str, level: Level, message: &str) -> String {
    let (color, word) = match level {
        Level::Debug => (AnsiColor::BrightBlack, "debug"),
        Level::Info => (AnsiColor::White, "log"),
        Level::Warn => (AnsiColor::Yellow, "warn"),
        Level::Error => (AnsiColor::Red, "error"),
    };
    let style = colored(color);
    format!("{style}{word:<8}{style:#} {function} {DIM}|{DIM:#} {message}")
}

fn deployed(function: &str, version: Option<u32>, error: Option<&str>) -> String {
    let (green, red) = (colored(AnsiColor::Green), colored(AnsiColor::Red));
    match (version, error) {
        (Some(version), _) => format!("{green}live{green:#}     {function} version {version}"),
        (None, error) => {
            let error = indented(error.unwrap_or("without a word"));
            format!("{red}broken{red:#}   {function}: the last good version goes on\n{error}")
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("         {line}")).collect::<Vec<_>>().join("\n")
}

fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{:.1}ms", micros as f64 / 1e3),
        _ => format!("{:.1}s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evoke_model::{EventId, ExecutionId, LogLine, Timestamp, TriggerId};

    use super::*;

    fn ended(state: State, attempt: u32, error: Option<&str>) -> Notice {
        Notice::Execution {
            id: ExecutionId { event: EventId::from_u64(1), trigger: TriggerId::from_u64(2) },
            target: "resize".into(),
            trigger: "on-upload".into(),
            state,
            attempt,
            duration_us: 1_234,
            error: error.map(Arc::from),
        }
    }

    #[test]
    fn each_notice_is_a_line() {
        let line = LogLine { time: Timestamp::EPOCH, level: Level::Warn, message: "hm".into() };
        let log = Notice::Log { execution: None, function: "resize".into(), line };
        let live = Notice::Deployed { function: "resize".into(), version: Some(3), error: None };
        let broken = Notice::Deployed {
            function: "resize".into(),
            version: None,
            error: Some("FN_005: no\n  at x".into()),
        };
        for (notice, text) in [
            (ended(State::Success, 1, None), "ok       resize on-upload 1.2ms"),
            (
                ended(State::Pending, 2, Some("Error: no\n  at x")),
                "retry    resize on-upload 1.2ms attempt 2\n         Error: no\n           at x",
            ),
            (ended(State::Running, 1, None), "start    resize on-upload"),
            (log, "warn     resize | hm"),
            (live, "live     resize version 3"),
            (
                broken,
                "broken   resize: the last good version goes on\n         FN_005: no\n           at x",
            ),
        ] {
            assert_eq!(render(&notice, ColorChoice::Never), text);
            assert!(render(&notice, ColorChoice::Always).contains('\u{1b}'));
        }
    }
}

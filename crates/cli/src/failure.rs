//! What a command failed of, how it is told, and the exit code it gives.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use evoke_client::{Class, Error, Refusal};
use evoke_model::{Problem, Rejection};

/// What a command comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A command that did not work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Whose fault it was: the exit code.
    pub class: Class,
    /// The error code, where there is one: `FN_006`.
    pub code: Option<Box<str>>,
    /// One sentence.
    pub message: String,
    /// What it came of, outermost first.
    pub causes: Vec<String>,
    /// Single fields and what would be right.
    pub problems: Vec<Problem>,
    /// What to do now.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            code: None,
            message: message.into(),
            causes: Vec::new(),
            problems: Vec::new(),
            hint: None,
        }
    }

    /// The user's mistake: exit code 1.
    pub fn mistake(message: impl Into<String>) -> Self {
        Self::new(Class::Mistake, message)
    }

    /// Who read our output went away: there is nothing to say and nobody to say it to.
    pub(crate) fn reader_left() -> Self {
        Self::mistake("")
    }

    /// Whether a command ended only because nobody reads on.
    pub(crate) fn is_reader_left(&self) -> bool {
        self.message.is_empty()
    }

    /// Ours: exit code 5.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::new(Class::Server, message)
    }

    /// An error with its chain of causes.
    pub fn chain(class: Class, error: &anyhow::Error) -> Self {
        let causes = error.chain().skip(1).map(ToString::to_string).collect();
        Self { causes, ..Self::new(class, error.to_string()) }
    }

    /// With what to do now.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With single fields and what would be right.
    #[must_use]
    pub fn problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// The text for a terminal, with colours that a stream without them strips.
    pub fn render(&self) -> String {
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let bold = Style::new().bold();
        let code = self.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
        let mut out = format!("{red}error{code}{red:#}{bold}:{bold:#} {}\n", self.message);
        // Writing to a String cannot fail.
        for cause in &self.causes {
            writeln!(out, "  because {cause}").ok();
        }
        // A message made of its only problem has said it.
        if self.problems.len() > 1 || self.problems.iter().any(|one| !self.tells(one)) {
            for problem in &self.problems {
                writeln!(out, "  - {problem}").ok();
            }
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "  {hint}").ok();
        }
        out
    }

    fn tells(&self, problem: &Problem) -> bool {
        self.message.contains(&problem.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let class = error.class();
        match error {
            Error::Refused(refusal) => Self::of_refusal(class, *refusal),
            Error::Unreachable { .. } => {
                let causes = causes(&error);
                let failure = Self { causes, ..Self::new(class, error.to_string()) };
                failure.hint("start a server with `evoke dev`, or name another one with --url")
            }
            other => Self { causes: causes(&other), ..Self::new(class, other.to_string()) },
        }
    }
}

impl Failure {
    fn of_refusal(class: Class, refusal: Refusal) -> Self {
        let Refusal { status, code, message, problems, request_id, .. } = refusal;
        let hint = match (class, request_id) {
            (Class::NotAllowed, _) if status == 401 => {
                Some("give a key with --api-key or EVOKE_API_KEY".to_owned())
            }
            (Class::Server, Some(id)) => Some(format!("the server logged it under request {id}")),
            _ => None,
        };
        let code = Some(code).filter(|code| !code.is_empty()).map(String::into_boxed_str);
        Self { class, code, message, causes: Vec::new(), problems, hint }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let class = match rejection.code.status() {
            401 | 403 => Class::NotAllowed,
            404 => Class::NotFound,
            400..=499 => Class::Mistake,
            _ => Class::Server,
        };
        let Rejection { code, message, problems, .. } = rejection;
        Self { code: Some(code.as_str().into()), problems, ..Self::new(class, message) }
    }
}

impl From<anyhow::Error> for Failure {
    /// What is left after all known cases is a fault of ours or of the machine.
    fn from(error: anyhow::Error) -> Self {
        Self::chain(Class::Server, &error)
    }
}

/// The chain below an error.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some libraries repeat their source in their own message.
        if found.last().is_none_or(|last| !last.contains(&text)) {
            found.push(text);
        }
        next = cause.source();
    }
    found
}

#[cfg(test)]
mod tests {
    use evoke_model::Code;

    use super::*;

    fn plain(failure: &Failure) -> String {
        anstream::adapter::strip_str(&failure.render()).to_string()
    }

    #[test]
    fn a_refusal_is_told_with_its_code_and_all_its_problems() {
        let problems = vec![
            Problem::new("runtime", "unknown").suggest("did you mean \"nodejs20\"?"),
            Problem::new("memory", "too small"),
        ];
        let failure = Failure::from(Rejection::of(Code::InvalidConfiguration, problems));
        assert_eq!(
            plain(&failure),
            "error[FN_006]: runtime: unknown (did you mean \"nodejs20\"?) (and 1 more)\n  \
             - runtime: unknown (did you mean \"nodejs20\"?)\n  - memory: too small\n"
        );
        assert_eq!(failure.class, Class::Mistake);
    }

    #[test]
    fn a_single_problem_is_not_told_twice() {
        let problems = vec![Problem::new("type", "may not be empty")];
        let failure = Failure::from(Rejection::of(Code::InvalidEvent, problems));
        assert_eq!(plain(&failure), "error[EV_001]: type: may not be empty\n");
    }

    #[test]
    fn a_chain_is_told_from_the_outside_in() {
        let error = anyhow::anyhow!("port 8090 is taken").context("listen");
        let failure = Failure::chain(Class::Mistake, &error);
        assert_eq!(plain(&failure), "error: listen\n  because port 8090 is taken\n");
    }
}

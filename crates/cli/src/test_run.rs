//! A function run once without a server: what the caller of the command line is asked for, what it
//! gives, and how that is printed.

use std::sync::Arc;
use std::time::Duration;

use evoke_client::Class;
use evoke_model::{Data, LogLine, State};
use serde_json::{Map, Value, json};

use crate::args::{TestFormat, TestFunction};
use crate::failure::{Failure, Outcome};
use crate::output;

/// A test run to carry out.
pub struct TestRun {
    /// What was typed.
    pub args: TestFunction,
    /// Told what happens while it runs.
    pub tell: Tell,
}

/// Takes what a run has to say before its end.
pub type Tell = Arc<dyn Fn(Told<'_>) + Send + Sync>;

/// Something a run has to say.
pub enum Told<'a> {
    /// The function printed a line.
    Log(&'a LogLine),
    /// The run itself speaks: what takes time, what is left out.
    Note(&'a str),
}

/// What came of a test run.
#[derive(Clone, PartialEq, Debug)]
pub struct TestReport {
    /// The function.
    pub function: String,
    /// The name of the trigger it ran for.
    pub trigger: String,
    /// The kind of the trigger.
    pub trigger_kind: String,
    /// What the function got: an event, several, or a request.
    pub input: Value,
    /// How long the call took.
    pub took: Duration,
    /// How it ended.
    pub end: End,
    /// What the function printed, up to the limit of a server's record.
    pub logs: Vec<LogLine>,
}

/// How a test run ended.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// With the value an event handler returned.
    Value(Data),
    /// With an answer to a request.
    Response(Response),
    /// It failed.
    Failed(evoke_model::Failure),
    /// It ran out of time.
    TimedOut(evoke_model::Failure),
    /// It was stopped.
    Cancelled,
}

/// An answer to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Data,
}

impl Response {
    /// From this status on the fault is the function's, not the caller's.
    const FAULT: u16 = 500;
}

impl TestReport {
    /// The state an execution would be in.
    fn state(&self) -> State {
        match &self.end {
            End::Response(response) if response.status >= Response::FAULT => State::Failed,
            End::Value(_) | End::Response(_) => State::Success,
            End::Failed(_) => State::Failed,
            End::TimedOut(_) => State::TimedOut,
            End::Cancelled => State::Cancelled,
        }
    }

    /// What the command ends with: a failure of the function is one of the command.
    fn verdict(&self) -> Outcome {
        let (name, took) = (&self.function, took(self.took));
        match &self.end {
            End::Response(response) if response.status >= Response::FAULT => {
                let status = response.status;
                Err(Failure::mistake(format!("{name} answered {status} after {took}")))
            }
            End::Value(_) | End::Response(_) => Ok(()),
            End::Failed(failure) => Err(failed(failure, &format!("{name} failed after {took}"))),
            End::TimedOut(failure) => {
                Err(failed(failure, &format!("{name} ran out of time after {took}")))
            }
            End::Cancelled => Err(Failure::mistake(format!("{name} was stopped after {took}"))),
        }
    }

    fn json(&self) -> Value {
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        put("function", self.function.as_str().into());
        put("trigger", json!({ "kind": self.trigger_kind, "name": self.trigger }));
        put("status", self.state().as_str().into());
        put("duration_ms", json!(self.took.as_micros() as f64 / 1e3));
        put("input", self.input.clone());
        match &self.end {
            End::Value(data) => put("output", shown(data)),
            End::Response(response) => {
                let headers = response.headers.iter();
                let headers = headers.map(|(name, value)| (name.clone(), json!(value)));
                let headers = Value::Object(headers.collect());
                let (status, body) = (response.status, shown(&response.body));
                put("output", json!({ "status": status, "headers": headers, "body": body }));
            }
            End::Failed(failure) | End::TimedOut(failure) => {
                let mut error = json!({ "code": failure.code, "message": failure.message });
                if let Some(stack) = &failure.stack {
                    error["stack"] = stack.as_str().into();
                }
                put("error", error);
            }
            End::Cancelled => {}
        }
        put("logs", json!(self.logs));
        Value::Object(all)
    }
}

/// Data in JSON; bytes that are no text as base64.
fn shown(data: &Data) -> Value {
    match data {
        Data::Binary(bytes) => evoke_model::event::base64(bytes).into(),
        other => other.to_value(),
    }
}

fn failed(failure: &evoke_model::Failure, what: &str) -> Failure {
    let mut told = Failure::new(Class::Mistake, format!("{what}: {}", failure.message));
    told.code = Some(failure.code.as_str().into());
    told
}

fn took(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1_000_000 => format!("{:.1}ms", micros as f64 / 1e3),
        micros => format!("{:.2}s", micros as f64 / 1e6),
    }
}

/// Who takes what a run says: log lines and notes go to stderr.
pub(crate) fn teller() -> Tell {
    Arc::new(|told| match told {
        Told::Log(line) => output::say(output::log_line(&json!(line)).trim_end_matches('\n')),
        Told::Note(note) => output::say(note),
    })
}

/// Prints the end of a run: data on stdout, the rest on stderr.
pub(crate) fn report(report: &TestReport, format: TestFormat) -> Outcome {
    match format {
        TestFormat::Json => output::print(&output::json(&report.json())?)?,
        TestFormat::Text => text(report)?,
    }
    report.verdict()
}

fn text(report: &TestReport) -> Outcome {
    match &report.end {
        End::Value(data) => {
            summary(report);
            body(data)
        }
        End::Response(response) => {
            summary(report);
            let headers = response.headers.iter();
            let lines = headers.map(|(name, value)| format!("\n{name}: {value}"));
            output::say(&format!("HTTP {}{}", response.status, lines.collect::<String>()));
            body(&response.body)
        }
        End::Failed(failure) | End::TimedOut(failure) => {
            if let Some(stack) = &failure.stack {
                output::say(stack.trim_end());
            }
            Ok(())
        }
        End::Cancelled => Ok(()),
    }
}

fn summary(report: &TestReport) {
    let kind = report.input["type"].as_str().or(report.input["path"].as_str()).unwrap_or_default();
    let (state, trigger) = (report.state().as_str(), &report.trigger);
    let took = took(report.took);
    output::say(&format!("{state}  {}  {took}  {kind} by {trigger}", report.function));
}

/// Prints data as it is, with a line break at its end.
fn body(data: &Data) -> Outcome {
    if matches!(data, Data::None) {
        return Ok(());
    }
    output::print_bytes(data.bytes())?;
    match data {
        Data::Binary(_) => Ok(()),
        other if other.bytes().ends_with(b"\n") => Ok(()),
        _ => output::print("\n"),
    }
}

#[cfg(test)]
mod tests {
    use evoke_model::Code;

    use super::*;

    fn report(end: End) -> TestReport {
        TestReport {
            function: "bill".to_owned(),
            trigger: "orders".to_owned(),
            trigger_kind: "event".to_owned(),
            input: json!({ "type": "order.created" }),
            took: Duration::from_micros(12_340),
            end,
            logs: Vec::new(),
        }
    }

    fn answered(status: u16) -> End {
        End::Response(Response { status, headers: Vec::new(), body: Data::None })
    }

    #[test]
    fn only_what_the_function_is_to_blame_for_fails() {
        let boom = evoke_model::Failure::new(Code::FunctionError, "Error: boom");
        let late = evoke_model::Failure::new(Code::FunctionTimeout, "30s are over");
        for (end, state, said) in [
            (End::Value(Data::None), "success", None),
            (answered(404), "success", None),
            (answered(503), "failed", Some("bill answered 503 after 12.3ms")),
            (End::Failed(boom), "failed", Some("bill failed after 12.3ms: Error: boom")),
            (
                End::TimedOut(late),
                "timed_out",
                Some("bill ran out of time after 12.3ms: 30s are over"),
            ),
            (End::Cancelled, "cancelled", Some("bill was stopped after 12.3ms")),
        ] {
            let report = report(end);
            assert_eq!(report.json()["status"], state);
            let failure = report.verdict().err();
            assert_eq!(failure.as_ref().map(|failure| failure.message.as_str()), said);
            assert!(failure.is_none_or(|failure| failure.class == Class::Mistake));
        }
    }

    #[test]
    fn the_object_has_what_the_record_would_have() {
        let mut boom = evoke_model::Failure::new(Code::FunctionError, "Error: boom");
        boom.stack = Some("at handler".to_owned());
        assert_eq!(
            report(End::Failed(boom)).json(),
            json!({
                "function": "bill",
                "trigger": { "kind": "event", "name": "orders" },
                "status": "failed",
                "duration_ms": 12.34,
                "input": { "type": "order.created" },
                "error": { "code": "FN_004", "message": "Error: boom", "stack": "at handler" },
                "logs": [],
            })
        );
        let bytes = Data::Binary(b"\xff\x00".as_slice().to_vec().into());
        assert_eq!(report(End::Value(bytes)).json()["output"], "/wA=");
    }
}

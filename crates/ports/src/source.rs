//! Sources: where events come from.

use std::sync::Arc;

use evoke_model::{
    Data, Millis, Problem, Rejection, Timestamp, Trigger, TriggerId, trigger::Subscription,
};
use evoke_schedule::Schedule;
use serde_json::Value;

use crate::descriptor::Descriptor;
use crate::http::HttpCall;
use crate::identity::User;

/// A kind of trigger. A source checks the configuration of its triggers and says which events they
/// want; one that takes HTTP requests also has an intake.
pub trait Source: Send + Sync {
    /// What the kind says of itself.
    fn descriptor(&self) -> &Descriptor;

    /// Checks a trigger's configuration and gives it back in its canonical form: aliases resolved,
    /// defaults filled in. Called before a trigger is stored; may not have effects.
    ///
    /// # Errors
    /// Everything that is wrong, with fields relative to the configuration.
    fn check(&self, config: &Value) -> Result<Value, Vec<Problem>>;

    /// Which events of the log a trigger with this checked configuration wants. `None` when its
    /// executions are planned by the source itself and never by matching.
    fn subscription(&self, config: &Value) -> Option<Subscription>;

    /// Where the events come from that this kind makes itself: an event of a trigger has this, a
    /// slash and the id of the trigger as its `source`. The trigger takes those events, and so does
    /// any other that asks for them. `None` for a kind that makes no events.
    fn origin(&self) -> Option<&'static str> {
        None
    }

    /// Whether triggers of this kind with `mode: sync` are hooks: asked before what they want to
    /// know of happens, and able to say no. See [`crate::Journal::ask`]. The events of such a kind
    /// come from a `source` that begins with a slash and the kind, and nobody else may send them.
    fn has_hooks(&self) -> bool {
        false
    }

    /// When a trigger with this checked configuration fires by itself; `None` for a kind that waits
    /// for something to happen.
    fn timing(&self, config: &Value) -> Option<Timing> {
        let _ = config;
        None
    }

    /// An event as a trigger with this checked configuration makes it, for test runs; `None` where
    /// nothing can be said of it.
    fn sample(&self, name: &str, config: &Value) -> Option<Sample> {
        let _ = (name, config);
        None
    }

    /// A configuration as it may be shown: what is secret is replaced. References to secrets are
    /// shown as they were written.
    fn shown(&self, config: &Value) -> Value {
        config.clone()
    }

    /// The part that takes HTTP requests, if the kind has one.
    fn intake(&self) -> Option<Arc<dyn HttpIntake>> {
        None
    }
}

/// When a trigger fires by itself.
#[derive(Clone, PartialEq, Debug)]
pub enum Timing {
    /// At instants that are known beforehand.
    Schedule(Arc<Recurring>),
    /// Whenever its function says so, which is asked again and again.
    Poll(Arc<Poll>),
}

/// Instants, and what happens at each.
#[derive(Clone, PartialEq, Debug)]
pub struct Recurring {
    /// The instants.
    pub schedule: Schedule,
    /// What each occurrence carries.
    pub input: Value,
}

/// A function that is asked whether something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// The function.
    pub function: String,
    /// From the beginning of one question to that of the next.
    pub every: Millis,
    /// How long it may take to answer, from the beginning of the question.
    pub timeout: Millis,
    /// What becomes of an answer that is the same as one that is still carried out.
    pub repeats: Repeats,
}

/// What becomes of an answer that is the same as one that is still carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Repeats {
    /// It is left out.
    #[default]
    Skip,
    /// It is carried out as well.
    Run,
}

/// An event for a test run.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// CloudEvents `type`.
    pub kind: String,
    /// CloudEvents `data`.
    pub data: Value,
}

/// The part of a source that takes HTTP requests at the root of the server.
pub trait HttpIntake: Send + Sync {
    /// Takes the triggers of this kind anew; called whenever one changed. Only active ones come.
    fn rebuild(&self, triggers: &[Arc<Trigger>]);

    /// Whose request this is. `path` is as it came, percent-encoded, without the query.
    fn claim(&self, method: &http::Method, path: &str) -> Claim;

    /// Which of the triggers would keep requests from a new one with this checked configuration, or
    /// lose them to it. `own` is the one it replaces.
    fn rival(&self, config: &Value, own: Option<TriggerId>) -> Option<TriggerId> {
        let _ = (config, own);
        None
    }

    /// What a request is to the trigger that has it. Pure: it may look at the request for as long
    /// as its size takes, and has no effects.
    fn receive(&self, trigger: TriggerId, call: &HttpCall, now: Timestamp) -> Received {
        let _ = (trigger, call, now);
        Received::Call
    }
}

/// What a request is to the trigger that has it.
#[derive(Clone, PartialEq, Debug)]
pub enum Received {
    /// A call of the trigger's function, which gets the request as it is and answers it.
    Call,
    /// The same by a user whose token was looked at.
    CallBy(Box<User>),
    /// News of something that happened.
    Event(Box<Arrived>),
    /// Nothing: it is refused, and nothing is recorded of it.
    Refused(Box<Denied>),
}

/// News of something that happened, as an event of the trigger.
#[derive(Clone, PartialEq, Debug)]
pub struct Arrived {
    /// The sender's id of the delivery, the same when it is sent again.
    pub id: Option<String>,
    /// CloudEvents `type`.
    pub kind: String,
    /// CloudEvents `data`.
    pub data: Data,
}

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// Why.
    pub rejection: Rejection,
    /// What the answer carries as `www-authenticate`, if anything.
    pub challenge: Option<&'static str>,
}

/// Whose request it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Nobody's.
    None,
    /// The path is known, but not with this method.
    MethodNotAllowed {
        /// The methods that are.
        allow: Vec<http::Method>,
    },
    /// This trigger's.
    Trigger {
        /// The trigger.
        id: TriggerId,
        /// Path parameters, decoded, in the order of the pattern.
        params: Vec<(String, String)>,
    },
}

//! Sources: where events come from.

use std::sync::Arc;

use evoke_model::{Problem, Trigger, TriggerId, trigger::Subscription};
use serde_json::Value;

use crate::descriptor::Descriptor;

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

    /// The part that takes HTTP requests, if the kind has one.
    fn intake(&self) -> Option<Arc<dyn HttpIntake>> {
        None
    }
}

/// The part of a source that takes HTTP requests at the root of the server.
pub trait HttpIntake: Send + Sync {
    /// Takes the triggers of this kind anew; called whenever one changed. Only active ones come.
    fn rebuild(&self, triggers: &[Arc<Trigger>]);

    /// Whose request this is. `path` is as it came, percent-encoded, without the query.
    fn claim(&self, method: &http::Method, path: &str) -> Claim;
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

//! What others learn: each thing that happens to a user is an event, committed with the change.

use evoke_model::Timestamp;
use evoke_ports::News;
use serde_json::json;

use crate::handle::Visitor;
use crate::session::described;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Signup,
    Login,
    Logout,
    PasswordReset,
    EmailVerify,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::PasswordReset => "password_reset",
            Self::EmailVerify => "email_verify",
        }
    }
}

/// The user news are about.
pub(crate) struct About<'a> {
    pub(crate) id: &'a str,
    pub(crate) email: &'a str,
    pub(crate) created_at: Timestamp,
}

/// News of a user.
pub(crate) fn news(action: Action, user: &About<'_>, visitor: &Visitor) -> News {
    let About { id, email, created_at } = user;
    let data = json!({
        "user": { "id": id, "email": email, "created_at": created_at },
        "action": action.as_str(),
        "metadata": {
            "ip": visitor.ip,
            "user_agent": visitor.user_agent.as_deref().map(described),
        },
    });
    News {
        kind: format!("auth.{}", action.as_str()).into(),
        source: "/auth".into(),
        subject: Some((*id).into()),
        data,
        origin: visitor.origin.clone(),
        revise: None,
    }
}

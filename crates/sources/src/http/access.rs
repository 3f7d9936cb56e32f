//! Who may call a route: anybody, users, or users with a role. Decided before the function is
//! called.

use evoke_model::{Code, Problem, Rejection, Timestamp};
use evoke_ports::{Denied, Fields, HttpCall, Identify, Received};
use http::header::AUTHORIZATION;

/// Who may call a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Anybody; who shows a token is known to the function.
    Optional,
    /// Users.
    Required,
    /// Users with this role.
    Role(Box<str>),
}

const ROLE: &str = "role:";

/// What a caller proves itself with.
const CHALLENGE: &str = "Bearer";
const CHALLENGE_TOKEN: &str = "Bearer error=\"invalid_token\"";
const CHALLENGE_ROLE: &str = "Bearer error=\"insufficient_scope\"";

impl Access {
    /// Reads `required`, `optional`, `role:NAME`, and `none`, which is as good as nothing.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Problem> {
        match text {
            "none" => return Ok(None),
            "optional" => return Ok(Some(Self::Optional)),
            "required" => return Ok(Some(Self::Required)),
            _ => {}
        }
        let role = text.strip_prefix(ROLE).map(str::trim).filter(|role| !role.is_empty());
        let wrong = || {
            let problem = Problem::new("auth", format!("{text:?} does not say who may call"));
            problem.suggest("required, optional, role:NAME or none")
        };
        role.map(|role| Some(Self::Role(role.into()))).ok_or_else(wrong)
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Optional => "optional".to_owned(),
            Self::Required => "required".to_owned(),
            Self::Role(role) => format!("{ROLE}{role}"),
        }
    }

    /// What a request is to a route with this rule.
    pub(super) fn receive(
        &self,
        call: &HttpCall,
        identify: &dyn Identify,
        now: Timestamp,
    ) -> Received {
        let token = match token(call) {
            Some(token) => token,
            None if *self == Self::Optional => return Received::Call,
            None => return denied(Code::TokenInvalid, "log in first: no token came", CHALLENGE),
        };
        let user = match identify.identify(token, now) {
            Ok(user) => user,
            Err(why) => return denied(Code::TokenInvalid, &why.0, CHALLENGE_TOKEN),
        };
        match self {
            Self::Role(role) if !user.roles.iter().any(|own| **own == **role) => {
                let message = format!("this needs the role {role:?}");
                denied(Code::RoleMissing, &message, CHALLENGE_ROLE)
            }
            _ => Received::CallBy(Box::new(user)),
        }
    }
}

/// The token of a request, if it shows one.
fn token(call: &HttpCall) -> Option<&str> {
    let value = call.headers.get(AUTHORIZATION)?.to_str().unwrap_or("Bearer ?");
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case(CHALLENGE).then(|| token.trim())
}

fn denied(code: Code, why: &str, challenge: &'static str) -> Received {
    let rejection = Rejection::new(code, why);
    Received::Refused(Box::new(Denied { rejection, challenge: Some(challenge) }))
}

/// Reads `auth` of a route.
pub(super) fn access(fields: &mut Fields<'_>) -> Option<Access> {
    let text = fields.text("auth")?;
    Access::parse(text).map_err(|problem| fields.problem(problem)).ok().flatten()
}

//! A user: as it is kept, and as it is shown.

use evoke_model::{Millis, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::records::{Kept, Record};

/// Bytes of what a user's profile may hold: it is read with each login.
const DATA_BYTES_MAX: usize = 16 * 1024;
/// Roles of one user: they go into each token.
const ROLES_MAX: usize = 32;
const ROLE_CHARS_MAX: usize = 64;

/// What ids of users of ours begin with.
pub(crate) const PREFIX: &str = "usr_";

/// A user as it is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// As its owner writes it.
    pub(crate) email: String,
    /// The same for all ways to write it.
    pub(crate) email_key: String,
    pub(crate) verified_at: Option<Timestamp>,
    /// The hash; `None` where there is no password yet.
    pub(crate) password: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) data: Map<String, Value>,
    pub(crate) last_login_at: Option<Timestamp>,
    pub(crate) lock: Option<Lock>,
    /// Roles that were taken away while tokens that say them may still be about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) taken_roles: Vec<String>,
    /// Until when, in milliseconds; not there else, so that an index holds only these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taken_until: Option<i64>,
}

/// An account that was locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) until: Timestamp,
    /// The how many-th time since the last login.
    pub(crate) times: u32,
}

impl Record for Account {
    const COLLECTION: &'static str = "_users";
    const INDEXES: &'static [(&'static str, bool)] = &[("email_key", true), ("taken_until", false)];
}

impl Account {
    /// Gives it these roles and no others. Tokens that say one it had are refused until the last
    /// of them has expired.
    pub(crate) fn set_roles(&mut self, roles: Vec<String>, holds: Millis, now: Timestamp) {
        let roles = distinct(roles);
        let is_over = self.taken_until.is_none_or(|until| until <= now.as_millis());
        let before = if is_over { Vec::new() } else { std::mem::take(&mut self.taken_roles) };
        let lost = self.roles.iter().any(|role| !roles.contains(role));
        if lost || is_over {
            self.taken_until = lost.then(|| now.plus(holds).as_millis());
        }
        let taken = before.into_iter().chain(std::mem::take(&mut self.roles));
        self.taken_roles = distinct(taken.filter(|role| !roles.contains(role)).collect());
        if self.taken_roles.is_empty() {
            self.taken_until = None;
        }
        self.roles = roles;
    }

    /// The roles of which tokens are refused, and until when.
    pub(crate) fn taken(&self) -> Option<(Vec<String>, Timestamp)> {
        let until = Timestamp::from_millis(self.taken_until?);
        Some((self.taken_roles.clone(), until))
    }
}

/// A user as others see it.
#[derive(Clone, PartialEq, Debug)]
pub struct User {
    /// The id.
    pub id: String,
    /// The address as its owner writes it.
    pub email: String,
    /// When its owner proved to read mail there.
    pub verified_at: Option<Timestamp>,
    /// The roles.
    pub roles: Vec<String>,
    /// What the application keeps with the user.
    pub data: Map<String, Value>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When its owner last logged in.
    pub last_login_at: Option<Timestamp>,
    /// Until when nobody may log in, after too many wrong passwords.
    pub locked_until: Option<Timestamp>,
}

impl From<&Kept<Account>> for User {
    fn from(kept: &Kept<Account>) -> Self {
        let account = kept.record.clone();
        Self {
            id: kept.id.to_string(),
            email: account.email,
            verified_at: account.verified_at,
            roles: account.roles,
            data: account.data,
            created_at: kept.created_at,
            updated_at: kept.updated_at,
            last_login_at: account.last_login_at,
            locked_until: account.lock.map(|lock| lock.until),
        }
    }
}

/// Checks what an application wants to keep with a user.
pub(crate) fn check_data(data: &Map<String, Value>) -> Result<(), Problem> {
    let bytes = serde_json::to_vec(data).map_or(0, |text| text.len());
    if bytes <= DATA_BYTES_MAX {
        return Ok(());
    }
    let what = format!("has {bytes} bytes; {DATA_BYTES_MAX} is the most");
    Err(Problem::new("data", what).suggest("keep large things in a collection, by the user's id"))
}

/// Checks roles.
pub(crate) fn check_roles(roles: &[String]) -> Result<(), Problem> {
    let is_sane = |role: &String| {
        (1..=ROLE_CHARS_MAX).contains(&role.len())
            && role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
    };
    if let Some(place) = roles.iter().position(|role| !is_sane(role)) {
        let problem = Problem::new(format!("roles[{place}]"), "is no name of a role");
        return Err(problem.suggest("1 to 64 letters, digits and - _ . : /"));
    }
    if roles.len() > ROLES_MAX {
        return Err(Problem::new("roles", format!("a user may have {ROLES_MAX} roles")));
    }
    Ok(())
}

/// Roles without doubles, in the order they were given.
pub(crate) fn distinct(roles: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(roles.len());
    for role in roles {
        if !kept.contains(&role) {
            kept.push(role);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_known_until_the_last_token_that_says_it_has_expired() {
        let holds = Millis::from_secs(900);
        let later = |secs| Timestamp::EPOCH.plus(Millis::from_secs(secs));
        let mut account = Account {
            email: String::new(),
            email_key: String::new(),
            verified_at: None,
            password: None,
            roles: vec!["a".to_owned(), "b".to_owned()],
            data: Map::new(),
            last_login_at: None,
            lock: None,
            taken_roles: Vec::new(),
            taken_until: None,
        };
        for (at, roles, taken) in [
            (0, &["a", "b", "c"][..], None),
            (10, &["a", "c", "c"], Some((&["b"][..], 910))),
            (20, &["c"], Some((&["b", "a"], 920))),
            // Nothing more is taken.
            (30, &["c"], Some((&["b", "a"], 920))),
            (40, &["c", "b"], Some((&["a"], 920))),
            (50, &["c", "b", "a"], None),
            (60, &["c", "b"], Some((&["a"], 960))),
            (960, &["c", "b"], None),
            (2_000, &[], Some((&["c", "b"], 2_900))),
            (3_000, &["x"], None),
        ] {
            let wanted = roles.iter().map(|role| (*role).to_owned()).collect();
            account.set_roles(wanted, holds, later(at));
            let expected = taken.map(|(roles, until)| {
                (roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>(), later(until))
            });
            assert_eq!(account.taken(), expected, "{roles:?} at {at}");
            assert_eq!(account.taken_roles.is_empty(), account.taken_until.is_none());
        }
        assert_eq!(account.roles, ["x"]);
    }
}

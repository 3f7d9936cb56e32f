//! Tokens that hold no longer though they have not expired. What is kept here is in memory, since
//! every request asks; the store has it too, for the next start.

use std::collections::HashMap;

use evoke_model::{Millis, Timestamp};

/// Sessions that were ended, and users who lost a role, while tokens of them still held.
const REMEMBERED_MAX: usize = 100_000;

/// What is refused, by session and by user.
#[derive(Default)]
pub(crate) struct Revocations {
    by_id: HashMap<Box<str>, Revoked>,
    /// Every token that was made until then is refused: there was no room to tell them apart.
    floor: Option<Timestamp>,
}

struct Revoked {
    /// When the last token has expired.
    until: Timestamp,
    what: What,
}

/// Which tokens of a session or a user.
pub(crate) enum What {
    /// All.
    All,
    /// Those that say that their user has one of these roles.
    Roles(Vec<String>),
}

/// A token of ours, as far as it is looked at here.
pub(crate) struct Made<'a> {
    pub(crate) session: &'a str,
    pub(crate) user: &'a str,
    pub(crate) roles: &'a [String],
    pub(crate) at: Timestamp,
}

impl Revocations {
    /// From now on tokens of a session or a user are refused, until the last has expired.
    pub(crate) fn add(&mut self, id: &str, what: What, until: Timestamp) {
        self.by_id.insert(id.into(), Revoked { until, what });
    }

    /// Forgets what was noted of a session or a user.
    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Makes room where there is none: the older half gives way to one instant, and whoever has a
    /// token that was made before refreshes it once more. `holds` is how long tokens hold.
    pub(crate) fn make_room(&mut self, holds: Millis, now: Timestamp) {
        if self.by_id.len() < REMEMBERED_MAX {
            return;
        }
        self.sweep(now);
        if self.by_id.len() < REMEMBERED_MAX {
            return;
        }
        tracing::warn!(
            "More sessions were ended than are remembered one by one: tokens that were made before \
             have to be refreshed"
        );
        let mut ends: Vec<Timestamp> = self.by_id.values().map(|one| one.until).collect();
        let middle = ends.len() / 2;
        let (_, middle, _) = ends.select_nth_unstable(middle);
        let middle = *middle;
        self.by_id.retain(|_, one| one.until > middle);
        // An end that is written for longer than tokens hold now says nothing of the future.
        let ended = middle.minus(holds).min(now);
        self.floor = self.floor.max(Some(ended));
    }

    /// Forgets those whose tokens have all expired.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.by_id.retain(|_, one| one.until > now);
    }

    /// Why a token is refused, if it is.
    pub(crate) fn refuses(&self, token: &Made<'_>) -> Option<&'static str> {
        if self.floor.is_some_and(|floor| token.at <= floor) {
            return Some("the token is too old at this moment: refresh it");
        }
        if self.by_id.contains_key(token.session) {
            return Some("the session has ended");
        }
        match &self.by_id.get(token.user)?.what {
            What::Roles(taken) if taken.iter().any(|role| token.roles.contains(role)) => {
                Some("the user has other roles now: refresh the token")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
    const HOLDS: Millis = Millis::from_secs(900);

    fn later(secs: u64) -> Timestamp {
        NOW.plus(Millis::from_secs(secs))
    }

    #[test]
    fn a_token_with_a_role_that_was_taken_away_is_refused_and_others_are_not() {
        let mut revocations = Revocations::default();
        let taken = What::Roles(vec!["admin".to_owned()]);
        revocations.add("usr_1", taken, later(900));
        let refuses = |revocations: &Revocations, user: &str, roles: &[&str]| {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            let token = Made { session: "ses_1", user, roles: &roles, at: NOW };
            revocations.refuses(&token).is_some()
        };
        for (user, roles, expected) in [
            ("usr_1", &["editor", "admin"][..], true),
            ("usr_1", &["editor"], false),
            ("usr_1", &[], false),
            ("usr_2", &["admin"], false),
        ] {
            assert_eq!(refuses(&revocations, user, roles), expected, "{user} {roles:?}");
        }
        revocations.sweep(later(899));
        assert!(refuses(&revocations, "usr_1", &["admin"]));
        revocations.sweep(later(900));
        assert!(!refuses(&revocations, "usr_1", &["admin"]));
    }

    #[test]
    fn however_many_sessions_end_no_token_of_theirs_holds_again() {
        let mut revocations = Revocations::default();
        let count = REMEMBERED_MAX as u64 + 1;
        let ended = |number: u64| NOW.plus(Millis::new(number));
        for number in 0..count {
            revocations.make_room(HOLDS, ended(number));
            revocations.add(&format!("ses_{number}"), What::All, ended(number).plus(HOLDS));
        }
        assert!(revocations.by_id.len() <= REMEMBERED_MAX);
        for number in [0, 1, count / 2, count - 1] {
            let session = format!("ses_{number}");
            let token = Made { session: &session, user: "usr_1", roles: &[], at: ended(number) };
            assert!(revocations.refuses(&token).is_some(), "{number}");
        }
        let fresh = Made { session: "ses_x", user: "usr_1", roles: &[], at: ended(count) };
        assert!(revocations.refuses(&fresh).is_none(), "who refreshes gets on");
    }
}

//! What users see and change of themselves.

use evoke_model::{Code, Problem, Rejection};
use serde_json::{Map, Value};

use crate::handle::{Auth, Inner, Visitor, refused};
use crate::mail::Purpose;
use crate::password;
use crate::records::{self, ROUNDS, Written, overrun};
use crate::user::{Account, User, check_data};

/// What a user changes.
#[derive(Clone, Default)]
pub struct ProfileChange {
    /// What the application keeps with the user; fields that are left out stay, `null` removes one
    /// (JSON Merge Patch).
    pub data: Option<Map<String, Value>>,
    /// A new password.
    pub password: Option<String>,
    /// The password so far; a new one needs it.
    pub current_password: Option<String>,
}

impl Auth {
    /// The user an access token of ours speaks for, as it is now.
    ///
    /// # Errors
    /// AU_002.
    pub async fn me(&self, access: &str) -> Result<User, Rejection> {
        let inner = &self.inner;
        let session = inner.session_in(access, inner.now()).await?;
        let user = inner.records.get::<Account>(&session.record.user).await?;
        user.map(|user| (&user).into()).ok_or_else(|| refused("the user is gone"))
    }

    /// Changes the user an access token speaks for. With a new password all other sessions end.
    ///
    /// # Errors
    /// AU_002, AU_006; AU_001 and AU_003 for the password so far.
    pub async fn change_me(
        &self,
        access: &str,
        change: ProfileChange,
        visitor: &Visitor,
    ) -> Result<User, Rejection> {
        let inner = &self.inner;
        let own = inner.session_in(access, inner.now()).await?;
        check(&change)?;
        let hash = match change.password {
            None => None,
            Some(password) => {
                let user = inner.user(&own.record.user).await?;
                let current = change.current_password.as_deref().unwrap_or_default();
                inner.prove(&user.record.email_key, Some(&user), current, visitor.ip).await?;
                Some((inner.hasher.hash(password).await?, user.record.password))
            }
        };
        for _ in 0..ROUNDS {
            let made = inner.unannounced();
            let mut user = inner.user(&own.record.user).await?;
            if let Some(data) = &change.data {
                merge(&mut user.record.data, data);
                check_data(&user.record.data)
                    .map_err(|problem| Rejection::of(Code::SignupInvalid, vec![problem]))?;
            }
            let mut ended = Vec::new();
            if let Some((hash, before)) = &hash {
                if user.record.password != *before {
                    return Err(overrun());
                }
                user.record.password = Some(hash.clone());
                ended = inner.sessions(&user.id, made.1).await?;
                ended.retain(|session| session.id != own.id);
            }
            let mut changes = inner.end_sessions(&mut ended, made)?;
            changes.push(records::replace(&user, made)?);
            if hash.is_some() {
                // Who could set another by mail is not to do so after this one was set.
                let mailed = inner.mail_tokens(&user.id).await?;
                let resets = mailed.iter().filter(|it| it.record.purpose == Purpose::Reset);
                changes.extend(resets.map(records::remove));
            }
            let ends = move |inner: &Inner| inner.forget_sessions(&ended);
            if inner.commit(changes, Vec::new(), ends).await? == Written::Done {
                user.updated_at = made.1;
                return Ok((&user).into());
            }
        }
        Err(overrun())
    }
}

fn check(change: &ProfileChange) -> Result<(), Rejection> {
    let mut problems = Vec::new();
    match (&change.password, &change.current_password) {
        (Some(_), None) => {
            let problem = Problem::new("current_password", "is missing");
            problems.push(problem.suggest("a new password needs the one so far"));
        }
        (None, Some(_)) => problems.push(Problem::new("password", "is missing")),
        _ => {}
    }
    if let Some(password) = &change.password {
        problems.extend(password::check("password", password).err());
    }
    if problems.is_empty() { Ok(()) } else { Err(Rejection::of(Code::SignupInvalid, problems)) }
}

/// JSON Merge Patch (RFC 7396) of objects.
pub(crate) fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                into.remove(name);
            }
            Value::Object(inner) => {
                let old = into.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !old.is_object() {
                    *old = Value::Object(Map::new());
                }
                if let Value::Object(old) = old {
                    merge(old, inner);
                }
            }
            other => {
                into.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_profile_is_merged() {
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let mut data = object(json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1] }));
        merge(
            &mut data,
            &object(json!({ "a": null, "b": { "c": null, "x": 1 }, "e": { "f": null } })),
        );
        assert_eq!(Value::Object(data), json!({ "b": { "d": 3, "x": 1 }, "e": {} }));
    }
}

//! What whoever runs the server does with accounts.

use evoke_document::{Condition, Op, Query, Scalar};
use evoke_model::{Code, Rejection};
use evoke_ports::store::{DocumentChange, Page};
use serde_json::{Map, Value};

use crate::address::Address;
use crate::handle::{Auth, Inner, Visitor};
use crate::profile::merge;
use crate::records::{self, Kept, ROUNDS, Written, overrun, path};
use crate::signup::{By, NewAccount};
use crate::user::{Account, User, check_data, check_roles};

/// Which users.
#[derive(Clone, Default, Debug)]
pub struct UserQuery {
    /// Only the one with this address.
    pub email: Option<String>,
    /// Only those with this role.
    pub role: Option<String>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
    /// From the page before.
    pub cursor: Option<String>,
}

/// What is changed of a user; what is `None` stays.
#[derive(Clone, Default, Debug)]
pub struct UserChange {
    /// All roles from now on. Tokens have new ones once they are refreshed; those that say one
    /// that was taken away are refused.
    pub roles: Option<Vec<String>>,
    /// What the application keeps with the user, as a JSON Merge Patch.
    pub data: Option<Map<String, Value>>,
    /// Whether the address counts as verified.
    pub is_verified: Option<bool>,
    /// Whether a lock ends at once.
    pub unlock: Option<bool>,
}

impl Auth {
    /// A page of users, the oldest first: that is the order of their ids.
    ///
    /// # Errors
    /// API_001 for a bad cursor, ST_001.
    pub async fn users(&self, query: UserQuery) -> Result<Page<User>, Rejection> {
        let mut filter = Vec::new();
        if let Some(email) = query.email {
            let key = Address::read(&email).map_or(email, |address| address.key);
            filter.push(Condition { field: path("email_key")?, op: Op::Eq(Scalar::Text(key)) });
        }
        if let Some(role) = query.role {
            let op = Op::ArrayContains(Scalar::Text(role));
            filter.push(Condition { field: path("roles")?, op });
        }
        let UserQuery { limit, cursor, .. } = query;
        let query = Query { filter, limit, cursor, ..Query::default() };
        let page: Page<Kept<Account>> = self.inner.records.page(query).await?;
        Ok(Page { items: page.items.iter().map(User::from).collect(), next: page.next })
    }

    /// A user.
    ///
    /// # Errors
    /// AU_005.
    pub async fn user(&self, id: &str) -> Result<User, Rejection> {
        self.inner.user(id).await.map(|user| (&user).into())
    }

    /// Makes an account for somebody. It counts as a signup, without a session.
    ///
    /// # Errors
    /// AU_004, AU_006, what hooks on `signup` say.
    pub async fn create_user(
        &self,
        wanted: NewAccount,
        visitor: &Visitor,
    ) -> Result<User, Rejection> {
        self.inner.sign_up(wanted, visitor, By::Operator).await.map(|made| made.user)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// AU_005, AU_006.
    pub async fn change_user(&self, id: &str, change: UserChange) -> Result<User, Rejection> {
        let inner = &self.inner;
        let wrong = |problem| Rejection::of(Code::SignupInvalid, vec![problem]);
        if let Some(roles) = &change.roles {
            check_roles(roles).map_err(wrong)?;
        }
        for _ in 0..ROUNDS {
            let made = inner.unannounced();
            let mut user = inner.user(id).await?;
            let account = &mut user.record;
            if let Some(roles) = &change.roles {
                account.set_roles(roles.clone(), inner.settings.access_ttl, made.1);
            }
            if let Some(data) = &change.data {
                merge(&mut account.data, data);
                check_data(&account.data).map_err(wrong)?;
            }
            match change.is_verified {
                Some(true) => {
                    account.verified_at.get_or_insert(made.1);
                }
                Some(false) => account.verified_at = None,
                None => {}
            }
            if change.unlock == Some(true) {
                account.lock = None;
            }
            let replaced = records::replace(&user, made)?;
            user.updated_at = made.1;
            let shown = User::from(&user);
            let are_roles_new = change.roles.is_some();
            let is_unlocked = change.unlock == Some(true);
            let ends = move |inner: &Inner| {
                if are_roles_new {
                    inner.forget_roles(&user.id, &user.record);
                }
                if is_unlocked {
                    inner.forgive(&user.record.email_key);
                }
            };
            if inner.commit(vec![replaced], Vec::new(), ends).await? == Written::Done {
                return Ok(shown);
            }
        }
        Err(overrun())
    }

    /// Ends all sessions of a user. Access tokens of them are refused from now on.
    ///
    /// # Errors
    /// AU_005.
    pub async fn end_sessions_of(&self, id: &str) -> Result<(), Rejection> {
        let inner = &self.inner;
        for _ in 0..ROUNDS {
            let made = inner.unannounced();
            inner.user(id).await?;
            let mut ended = inner.sessions(id, made.1).await?;
            let changes = inner.end_sessions(&mut ended, made)?;
            if changes.is_empty() {
                return Ok(());
            }
            let ends = move |inner: &Inner| inner.forget_sessions(&ended);
            if inner.commit(changes, Vec::new(), ends).await? == Written::Done {
                return Ok(());
            }
        }
        Err(overrun())
    }

    /// Removes a user with all sessions. What other collections say of it stays.
    ///
    /// # Errors
    /// AU_005.
    pub async fn delete_user(&self, id: &str) -> Result<(), Rejection> {
        let inner = &self.inner;
        for _ in 0..ROUNDS {
            let made = inner.unannounced();
            let user = inner.user(id).await?;
            let mut ended = inner.sessions(id, made.1).await?;
            let mut changes: Vec<DocumentChange> = inner.end_sessions(&mut ended, made)?;
            changes.extend(inner.mail_tokens(id).await?.iter().map(records::remove));
            changes.push(records::remove(&user));
            let ends = move |inner: &Inner| inner.forget_sessions(&ended);
            if inner.commit(changes, Vec::new(), ends).await? == Written::Done {
                return Ok(());
            }
        }
        Err(overrun())
    }
}

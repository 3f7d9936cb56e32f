//! What whoever runs the server does with accounts.

use evoke_document::{Condition, Op, Query, Scalar};
use evoke_model::{Code, Rejection};
use evoke_ports::store::{DocumentChange, Page};
use serde_json::{Map, Value};

use crate::address::Address;
use crate::handle::{Auth, Visitor};
use crate::profile::merge;
use crate::records::{self, Kept, ROUNDS, Written, oldest_first, overrun, path};
use crate::signup::{By, NewAccount};
use crate::user::{Account, User, check_data, check_roles, distinct};

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
    /// All roles from now on. Tokens have them once they are refreshed.
    pub roles: Option<Vec<String>>,
    /// What the application keeps with the user, as a JSON Merge Patch.
    pub data: Option<Map<String, Value>>,
    /// Whether the address counts as verified.
    pub is_verified: Option<bool>,
    /// Whether a lock ends at once.
    pub unlock: Option<bool>,
}

impl Auth {
    /// A page of users, the oldest first.
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
        let query = Query { filter, order: oldest_first(), limit, cursor };
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
                account.roles = distinct(roles.clone());
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
                inner.by_account.lock().clear(&account.email_key);
            }
            let replaced = records::replace(&user, made)?;
            if inner.records.commit(vec![replaced], Vec::new()).await? == Written::Done {
                user.updated_at = made.1;
                return Ok((&user).into());
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
            if inner.records.commit(changes, Vec::new()).await? == Written::Done {
                inner.forget_sessions(&ended);
                return Ok(());
            }
        }
        Err(overrun())
    }
}

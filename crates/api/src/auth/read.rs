//! Reading what users send: all problems at once. What is secret is never repeated.

use evoke_auth::logout::Scope;
use evoke_auth::{Credentials, NewAccount, ProfileChange, UserChange};
use evoke_model::Problem;
use evoke_ports::Fields;
use serde_json::{Map, Value};

pub(super) fn signup(body: &Value) -> Result<NewAccount, Vec<Problem>> {
    let mut fields = Fields::new(body, &["email", "password", "data"]);
    let account = NewAccount {
        email: required(&mut fields, "email"),
        password: Some(required(&mut fields, "password")),
        data: object(&mut fields, "data").unwrap_or_default(),
        ..NewAccount::default()
    };
    fields.finish(account)
}

pub(super) fn login(body: &Value) -> Result<Credentials, Vec<Problem>> {
    let mut fields = Fields::new(body, &["email", "password"]);
    let credentials = Credentials {
        email: required(&mut fields, "email"),
        password: required(&mut fields, "password"),
    };
    fields.finish(credentials)
}

/// A body with one text.
pub(super) fn one(body: &Value, name: &'static str) -> Result<String, Vec<Problem>> {
    let known: &'static [&'static str] = match name {
        "refresh_token" => &["refresh_token"],
        "email" => &["email"],
        _ => &["token"],
    };
    let mut fields = Fields::new(body, known);
    let text = required(&mut fields, name);
    fields.finish(text)
}

pub(super) fn logout(body: &Value) -> Result<(Option<String>, Scope), Vec<Problem>> {
    let mut fields = Fields::new(body, &["refresh_token", "all"]);
    let refresh = fields.text("refresh_token").map(str::to_owned);
    let scope = match flag(&mut fields, "all") {
        Some(true) => Scope::All,
        Some(false) | None => Scope::This,
    };
    fields.finish((refresh, scope))
}

pub(super) fn reset(body: &Value) -> Result<(String, String), Vec<Problem>> {
    let mut fields = Fields::new(body, &["token", "password"]);
    let read = (required(&mut fields, "token"), required(&mut fields, "password"));
    fields.finish(read)
}

pub(super) fn profile(body: &Value) -> Result<ProfileChange, Vec<Problem>> {
    let mut fields = Fields::new(body, &["data", "password", "current_password"]);
    let change = ProfileChange {
        data: object(&mut fields, "data"),
        password: fields.text("password").map(str::to_owned),
        current_password: fields.text("current_password").map(str::to_owned),
    };
    fields.finish(change)
}

pub(super) fn new_user(body: &Value) -> Result<NewAccount, Vec<Problem>> {
    let mut fields = Fields::new(body, &["email", "password", "roles", "data", "email_verified"]);
    let account = NewAccount {
        email: required(&mut fields, "email"),
        password: fields.text("password").map(str::to_owned),
        data: object(&mut fields, "data").unwrap_or_default(),
        roles: texts(&mut fields, "roles").unwrap_or_default(),
        is_verified: flag(&mut fields, "email_verified").unwrap_or(false),
    };
    fields.finish(account)
}

pub(super) fn user(body: &Value) -> Result<UserChange, Vec<Problem>> {
    let mut fields = Fields::new(body, &["roles", "data", "email_verified", "locked_until"]);
    // `null` says something here, so it is looked for in the body itself.
    let lock = body.get("locked_until");
    if lock.is_some_and(|lock| !lock.is_null()) {
        let problem = Problem::new("locked_until", "a lock can only be ended");
        fields.problem(problem.suggest("null"));
    }
    let change = UserChange {
        roles: texts(&mut fields, "roles"),
        data: object(&mut fields, "data"),
        is_verified: flag(&mut fields, "email_verified"),
        unlock: lock.map(|_| true),
    };
    fields.finish(change)
}

/// A text that must be there; what is wrong with an empty one is for others to say.
fn required(fields: &mut Fields<'_>, name: &str) -> String {
    if fields.get(name).is_none() {
        fields.problem(Problem::new(name, "is missing"));
    }
    fields.text(name).unwrap_or_default().to_owned()
}

fn object(fields: &mut Fields<'_>, name: &str) -> Option<Map<String, Value>> {
    let object = fields.get(name)?.as_object().cloned();
    if object.is_none() {
        fields.problem(Problem::new(name, "expected an object"));
    }
    object
}

fn flag(fields: &mut Fields<'_>, name: &str) -> Option<bool> {
    let flag = fields.get(name)?.as_bool();
    if flag.is_none() {
        fields.problem(Problem::new(name, "expected true or false"));
    }
    flag
}

fn texts(fields: &mut Fields<'_>, name: &str) -> Option<Vec<String>> {
    let list = fields.get(name)?.as_array();
    let texts = list.and_then(|list| {
        list.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    if texts.is_none() {
        fields.problem(Problem::new(name, "expected a list of texts"));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_told_without_repeating_what_is_secret() {
        let told = |problems: Vec<Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let password = json!({ "secret": "hunter2hunter2" });
        let body = json!({ "email": 7, "password": password, "data": [], "roles": ["admin"] });
        let problems = told(signup(&body).err().unwrap());
        assert!(!problems.contains("hunter2"), "{problems}");
        for field in ["email", "password", "data", "roles"] {
            assert!(problems.contains(&format!("{field}: ")), "{problems}");
        }
        assert!(login(&json!({ "email": "a", "password": "b", "remember": true })).is_err());
        assert!(signup(&json!([])).is_err() && one(&json!({}), "token").is_err());
    }

    #[test]
    fn what_is_left_out_stays_and_null_ends_a_lock() {
        let change = user(&json!({ "roles": ["editor"], "locked_until": null })).unwrap();
        assert_eq!((change.roles, change.unlock), (Some(vec!["editor".to_owned()]), Some(true)));
        assert_eq!((change.data, change.is_verified), (None, None));
        assert!(user(&json!({ "locked_until": "2026-01-01T00:00:00Z" })).is_err());
        assert_eq!(user(&json!({})).unwrap().unlock, None);
        assert_eq!(logout(&json!({ "all": true })).unwrap(), (None, Scope::All));
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evoke_model::{Code, Rejection};
use serde_json::{Map, json};

use super::world::{EMAIL, PASSWORD, World, code, settings, tokens};
use crate::logout::Scope;
use crate::settings::{Hashing, Settings, Signup};
use crate::{Leaving, NewAccount, ProfileChange, UserChange, UserQuery, Visitor};

fn here() -> Visitor {
    Visitor::default()
}

#[tokio::test]
async fn a_user_signs_up_logs_in_and_leaves() {
    let world = World::new().await;
    let signed_up = world.signup(EMAIL).await.unwrap();
    assert_eq!(signed_up.user.email, EMAIL);
    let (access, _) = tokens(&signed_up);
    assert_eq!(world.auth.me(&access).await.unwrap().id, signed_up.user.id);
    let logged_in = world.login(" ada@example.TEST", PASSWORD).await.unwrap();
    assert_eq!(logged_in.user.id, signed_up.user.id);
    assert_eq!(logged_in.user.last_login_at, Some(world.now()));
    let (access, refresh) = tokens(&logged_in);
    let leaving = Leaving { access: Some(access.clone()), ..Leaving::default() };
    world.auth.logout(leaving, &here()).await.unwrap();
    assert_eq!(code(world.auth.me(&access).await), "AU_002");
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002");
    assert_eq!(code(world.auth.refresh(&refresh, &here()).await), "AU_002");
    assert_eq!(world.told(), ["signup", "login", "logout"]);
    let told = world.journal.told.lock()[0].clone();
    let user = &signed_up.user;
    let expected = json!({
        "user": { "id": user.id, "email": EMAIL, "created_at": user.created_at },
        "action": "signup",
        "metadata": { "ip": null, "user_agent": null },
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_address_has_one_account_however_it_is_written() {
    let world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    assert_eq!(code(world.signup("ADA@example.test").await), "AU_004");
    // Two at once are one.
    let (one, other) = tokio::join!(world.signup("b@example.test"), world.signup("B@example.test"));
    let mut codes = [code(one), code(other)];
    codes.sort_unstable();
    assert_eq!(codes, ["AU_004", "ok"]);
    for (email, password) in [("ada", PASSWORD), ("c@example.test", "short"), ("", "")] {
        let wanted = NewAccount {
            email: email.to_owned(),
            password: Some(password.to_owned()),
            ..NewAccount::default()
        };
        assert_eq!(code(world.auth.signup(wanted, &here()).await), "AU_006", "{email}");
    }
}

#[tokio::test]
async fn who_signs_up_gives_himself_no_roles() {
    let world = World::new().await;
    let wanted = NewAccount {
        email: EMAIL.to_owned(),
        password: Some(PASSWORD.to_owned()),
        roles: vec!["admin".to_owned()],
        is_verified: true,
        ..NewAccount::default()
    };
    let user = world.auth.signup(wanted, &here()).await.unwrap().user;
    assert_eq!((user.roles.len(), user.verified_at), (0, None));
    let closed = World::with(Settings { signup: Signup::Closed, ..settings() }).await;
    let refused = closed.signup(EMAIL).await.unwrap_err();
    assert_eq!((refused.code, refused.status), (Code::SignupInvalid, Some(403)));
}

#[tokio::test]
async fn a_hook_that_says_no_leaves_nothing_behind() {
    let world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    world.hook(|news| match &*news.kind {
        "auth.signup" | "auth.login" => Err(Rejection::new(Code::HookRejected, "not today")),
        _ => Ok(()),
    });
    assert_eq!(code(world.signup("b@example.test").await), "HK_001");
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "HK_001");
    let users = world.auth.users(UserQuery { limit: 10, ..UserQuery::default() }).await.unwrap();
    assert_eq!(users.items.len(), 1);
    assert_eq!(users.items[0].last_login_at, None);
    let sessions = world.auth.inner.sessions(&users.items[0].id, world.now()).await.unwrap();
    assert_eq!(sessions.len(), 1, "only that of the signup");
    assert_eq!(world.told(), ["signup"]);
}

#[tokio::test]
async fn a_change_between_hook_and_commit_is_looked_at_anew() {
    let world = World::new().await;
    let user = world.signup(EMAIL).await.unwrap().user;
    let asked = Arc::new(AtomicU32::new(0));
    let (count, auth, id) = (asked.clone(), world.auth.clone(), user.id.clone());
    world.hook(move |news| {
        if &*news.kind == "auth.login" && count.fetch_add(1, Ordering::Relaxed) == 0 {
            let change =
                UserChange { roles: Some(vec!["editor".to_owned()]), ..UserChange::default() };
            let (auth, id) = (auth.clone(), id.clone());
            // In a thread of its own: hooks are asked while somebody waits for them.
            let changed = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(auth.change_user(&id, change)).unwrap()
            });
            changed.join().unwrap();
        }
        Ok(())
    });
    let logged_in = world.login(EMAIL, PASSWORD).await.unwrap();
    assert_eq!(logged_in.user.roles, ["editor"], "what came in between is not overwritten");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(world.told(), ["signup", "login"]);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_second_use_ends_the_session() {
    let mut world = World::new().await;
    let (_, first) = tokens(&world.signup(EMAIL).await.unwrap());
    let (access, second) = tokens(&world.auth.refresh(&first, &here()).await.unwrap());
    let (_, third) = tokens(&world.auth.refresh(&second, &here()).await.unwrap());
    world.restart().await;
    // A guess for the session ends nothing.
    let mut parts: Vec<&str> = third.split('.').collect();
    parts[1] = "guess";
    assert_eq!(code(world.auth.refresh(&parts.join("."), &here()).await), "AU_002");
    assert!(world.auth.me(&access).await.is_ok());
    for token in [&first, &third, &second] {
        assert_eq!(code(world.auth.refresh(token, &here()).await), "AU_002");
    }
    assert_eq!(code(world.auth.me(&access).await), "AU_002");
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002");
    world.restart().await;
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002", "also after a restart");
}

#[tokio::test]
async fn two_who_refresh_at_once_get_the_same_next_token() {
    let world = World::new().await;
    let (_, token) = tokens(&world.signup(EMAIL).await.unwrap());
    let visitor = here();
    let (one, other) =
        tokio::join!(world.auth.refresh(&token, &visitor), world.auth.refresh(&token, &visitor));
    let ((_, one), (_, other)) = (tokens(&one.unwrap()), tokens(&other.unwrap()));
    assert_eq!(one, other);
    assert_eq!(code(world.auth.refresh(&one, &visitor).await), "ok");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_for_a_moment() {
    let mut world = World::new().await;
    let (_, first) = tokens(&world.signup(EMAIL).await.unwrap());
    world.pass(60);
    let (_, second) = tokens(&world.auth.refresh(&first, &here()).await.unwrap());
    world.restart().await;
    world.pass(9);
    let (access, again) = tokens(&world.auth.refresh(&first, &here()).await.unwrap());
    assert_eq!(again, second);
    // Asking again does not make the moment longer.
    world.pass(1);
    assert_eq!(code(world.auth.refresh(&first, &here()).await), "AU_002");
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002", "the session has ended");
    assert_eq!(code(world.auth.refresh(&second, &here()).await), "AU_002");
    // The one before that is good no longer, however soon it comes.
    let (_, first) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let (_, second) = tokens(&world.auth.refresh(&first, &here()).await.unwrap());
    let (_, third) = tokens(&world.auth.refresh(&second, &here()).await.unwrap());
    assert_eq!(code(world.auth.refresh(&first, &here()).await), "AU_002");
    assert_eq!(code(world.auth.refresh(&third, &here()).await), "AU_002");
}

#[tokio::test]
async fn a_session_that_is_not_used_ends_and_is_swept_away() {
    let world = World::new().await;
    let signed_up = world.signup(EMAIL).await.unwrap();
    let (_, token) = tokens(&signed_up);
    world.pass(29 * 24 * 3600);
    let (_, token) = tokens(&world.auth.refresh(&token, &here()).await.unwrap());
    world.pass(30 * 24 * 3600);
    assert_eq!(code(world.auth.refresh(&token, &here()).await), "AU_002");
    let count = async || {
        let all: Vec<crate::records::Kept<crate::session::Session>> =
            world.auth.inner.records.all(Vec::new()).await.unwrap();
        all.len()
    };
    assert_eq!(count().await, 1);
    world.pass(1);
    world.auth.inner.sweep().await.unwrap();
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn leaving_everywhere_ends_all_sessions_and_no_others() {
    let world = World::new().await;
    let (_, first) = tokens(&world.signup(EMAIL).await.unwrap());
    let (access, second) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let (_, others) = tokens(&world.signup("b@example.test").await.unwrap());
    let leaving =
        Leaving { refresh: Some(second.clone()), scope: Scope::All, ..Leaving::default() };
    world.auth.logout(leaving, &here()).await.unwrap();
    for token in [&first, &second] {
        assert_eq!(code(world.auth.refresh(token, &here()).await), "AU_002");
    }
    assert_eq!(code(world.auth.me(&access).await), "AU_002");
    assert!(world.auth.refresh(&others, &here()).await.is_ok());
    let nobody = Leaving { refresh: Some("evr_x.y.z".to_owned()), ..Leaving::default() };
    assert_eq!(code(world.auth.logout(nobody, &here()).await), "AU_002");
    assert_eq!(code(world.auth.logout(Leaving::default(), &here()).await), "AU_002");
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions() {
    let world = World::new().await;
    let (_, elsewhere) = tokens(&world.signup(EMAIL).await.unwrap());
    let (access, refresh) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let change = |password: &str, current: Option<&str>| ProfileChange {
        password: Some(password.to_owned()),
        current_password: current.map(str::to_owned),
        ..ProfileChange::default()
    };
    for (change, expected) in [
        (change("another horse", None), "AU_006"),
        (change("short", Some(PASSWORD)), "AU_006"),
        (change("another horse", Some("wrong password")), "AU_001"),
        (change("another horse", Some(PASSWORD)), "ok"),
    ] {
        assert_eq!(code(world.auth.change_me(&access, change, &here()).await), expected);
    }
    assert_eq!(code(world.auth.refresh(&elsewhere, &here()).await), "AU_002");
    assert!(world.auth.refresh(&refresh, &here()).await.is_ok());
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "AU_001");
    assert!(world.login(EMAIL, "another horse").await.is_ok());
}

#[tokio::test]
async fn a_profile_is_merged_and_has_a_limit() {
    let world = World::new().await;
    let (access, _) = tokens(&world.signup(EMAIL).await.unwrap());
    let data = |value: serde_json::Value| ProfileChange {
        data: value.as_object().cloned(),
        ..ProfileChange::default()
    };
    let first = data(json!({ "name": "Ada", "theme": { "dark": true } }));
    world.auth.change_me(&access, first, &here()).await.unwrap();
    let then = data(json!({ "theme": { "dark": null, "large": 1 } }));
    let user = world.auth.change_me(&access, then, &here()).await.unwrap();
    let expected = json!({ "name": "Ada", "theme": { "large": 1 } });
    assert_eq!(user.data, expected.as_object().cloned().unwrap_or_else(Map::new));
    let large = data(json!({ "text": "x".repeat(20_000) }));
    assert_eq!(code(world.auth.change_me(&access, large, &here()).await), "AU_006");
}

#[tokio::test]
async fn the_operator_makes_changes_and_removes_users() {
    let world = World::new().await;
    let wanted = NewAccount {
        email: EMAIL.to_owned(),
        roles: vec!["admin".to_owned(), "admin".to_owned()],
        is_verified: true,
        ..NewAccount::default()
    };
    let user = world.auth.create_user(wanted, &here()).await.unwrap();
    assert_eq!(user.roles, ["admin"]);
    assert_eq!(code(world.login(EMAIL, "").await), "AU_001", "no password is none that fits");
    for email in ["b@example.test", "c@example.test"] {
        world.signup(email).await.unwrap();
    }
    let page = |cursor| UserQuery { limit: 2, cursor, ..UserQuery::default() };
    let first = world.auth.users(page(None)).await.unwrap();
    let second = world.auth.users(page(first.next)).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next), (2, 1, None));
    let bad = page(Some("of another list".to_owned()));
    assert_eq!(code(world.auth.users(bad).await), "API_001");
    let admins = UserQuery { role: Some("admin".to_owned()), limit: 10, ..UserQuery::default() };
    assert_eq!(world.auth.users(admins).await.unwrap().items.len(), 1);
    let by_email =
        UserQuery { email: Some("B@example.test".to_owned()), limit: 10, ..UserQuery::default() };
    let found = world.auth.users(by_email).await.unwrap().items;
    let (access, _) = tokens(&world.login("b@example.test", PASSWORD).await.unwrap());
    let bad = UserChange { roles: Some(vec!["two words".to_owned()]), ..UserChange::default() };
    assert_eq!(code(world.auth.change_user(&found[0].id, bad).await), "AU_006");
    world.auth.delete_user(&found[0].id).await.unwrap();
    assert_eq!(code(world.auth.me(&access).await), "AU_002");
    assert_eq!(code(world.auth.user(&found[0].id).await), "AU_005");
    assert_eq!(code(world.auth.delete_user(&found[0].id).await), "AU_005");
    assert_eq!(code(world.login("b@example.test", PASSWORD).await), "AU_001");
    assert_eq!(code(world.signup("b@example.test").await), "ok", "the address is free again");
}

#[tokio::test]
async fn a_hash_that_costs_too_little_is_made_anew_at_a_login() {
    let mut world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    world.costs(Hashing { memory_kib: 16, passes: 2 });
    world.restart().await;
    world.login(EMAIL, PASSWORD).await.unwrap();
    let user = world.auth.inner.user_by_email("ada@example.test").await.unwrap().unwrap();
    let hash = user.record.password.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=16,t=2,p=1$"), "{hash}");
    assert!(world.login(EMAIL, PASSWORD).await.is_ok());
}

/// Does something whose caller leaves once it is on disk, before it is answered.
async fn left_alone(world: &World, work: impl Future<Output = ()> + Send + 'static) {
    let gate = world.gate();
    let mut work = tokio::spawn(work);
    tokio::select! {
        () = gate.reached.notified() => {}
        _ = &mut work => panic!("it ended before anything was committed"),
    }
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());
    gate.open.notify_one();
}

/// Whether an access token is refused, now or in a moment.
async fn is_refused_soon(world: &World, access: &str) -> bool {
    for _ in 0..1_000 {
        if world.auth.verify_token(access).is_err() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn who_leaves_before_the_answer_has_ended_the_session_all_the_same() {
    let mut world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    world.auth.request_reset(EMAIL).unwrap();
    let mailed = world.mailed().await.pop().unwrap();
    world.restart().await;
    let auth = world.auth.clone();

    let (access, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let (one, leaving) =
        (auth.clone(), Leaving { access: Some(access.clone()), ..Leaving::default() });
    left_alone(&world, async move { drop(one.logout(leaving, &here()).await) }).await;
    assert!(is_refused_soon(&world, &access).await, "logout");

    let (access, first) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    world.auth.refresh(&first, &here()).await.unwrap();
    world.pass(10);
    let one = auth.clone();
    left_alone(&world, async move { drop(one.refresh(&first, &here()).await) }).await;
    assert!(is_refused_soon(&world, &access).await, "a refresh token that is used twice");

    let (access, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let one = auth.clone();
    let reset =
        async move { drop(one.reset_password(&mailed, PASSWORD.to_owned(), &here()).await) };
    left_alone(&world, reset).await;
    assert!(is_refused_soon(&world, &access).await, "a reset");

    let signed_in = world.login(EMAIL, PASSWORD).await.unwrap();
    let (access, _) = tokens(&signed_in);
    let (one, id) = (auth.clone(), signed_in.user.id);
    left_alone(&world, async move { drop(one.delete_user(&id).await) }).await;
    assert!(is_refused_soon(&world, &access).await, "the removal of the user");
}

#[tokio::test]
async fn a_token_with_a_role_that_was_taken_away_is_refused_and_the_session_goes_on() {
    let mut world = World::new().await;
    let user = world.signup(EMAIL).await.unwrap().user;
    let roles = |roles: &[&str]| UserChange {
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..UserChange::default()
    };
    world.auth.change_user(&user.id, roles(&["admin", "editor"])).await.unwrap();
    let (admin, refresh) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    world.auth.change_user(&user.id, roles(&["admin", "editor", "reader"])).await.unwrap();
    assert!(world.auth.verify_token(&admin).is_ok(), "nothing was taken");
    world.auth.change_user(&user.id, roles(&["editor"])).await.unwrap();
    assert_eq!(code(world.auth.verify_token(&admin)), "AU_002");
    let next = world.auth.refresh(&refresh, &here()).await.unwrap();
    assert_eq!(next.user.roles, ["editor"]);
    assert_eq!(code(world.auth.verify_token(&tokens(&next).0)), "ok");
    world.restart().await;
    assert_eq!(code(world.auth.verify_token(&admin)), "AU_002", "also after a restart");
    assert_eq!(code(world.auth.verify_token(&tokens(&next).0)), "ok");
    world.auth.change_user(&user.id, roles(&["editor", "admin", "reader"])).await.unwrap();
    assert_eq!(code(world.auth.verify_token(&admin)), "ok", "it says what is true again");
}

#[tokio::test]
async fn the_operator_ends_all_sessions_of_a_user() {
    let mut world = World::new().await;
    let signed_up = world.signup(EMAIL).await.unwrap();
    let (access, refresh) = tokens(&signed_up);
    let (others, _) = tokens(&world.signup("b@example.test").await.unwrap());
    world.auth.end_sessions_of(&signed_up.user.id).await.unwrap();
    world.auth.end_sessions_of(&signed_up.user.id).await.unwrap();
    world.restart().await;
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002");
    assert_eq!(code(world.auth.refresh(&refresh, &here()).await), "AU_002");
    assert_eq!(code(world.auth.verify_token(&others)), "ok");
    assert!(world.login(EMAIL, PASSWORD).await.is_ok());
    assert_eq!(code(world.auth.end_sessions_of("usr_none").await), "AU_005");
}

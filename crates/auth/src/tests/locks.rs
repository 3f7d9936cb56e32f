use std::net::IpAddr;

use super::world::{EMAIL, PASSWORD, World, code, settings};
use crate::settings::Settings;
use crate::{Credentials, UserChange, Visitor};

const WRONG: &str = "not the password";

async fn three() -> World {
    World::with(Settings { lock_after: 3, ..settings() }).await
}

#[tokio::test]
async fn an_account_is_locked_for_longer_each_time() {
    let mut world = three().await;
    world.signup(EMAIL).await.unwrap();
    for minutes in [1, 2] {
        for _ in 0..3 {
            assert_eq!(code(world.login(EMAIL, WRONG).await), "AU_001");
        }
        let refused = world.login(EMAIL, PASSWORD).await.unwrap_err();
        assert_eq!(refused.code.to_string(), "AU_003", "also with the right password");
        assert_eq!(refused.retry_after.map(|wait| wait.as_u64()), Some(minutes * 60_000));
        world.restart().await;
        assert_eq!(code(world.login(EMAIL, PASSWORD).await), "AU_003", "also after a restart");
        world.pass(minutes * 60);
    }
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "ok");
    // Who got in begins anew.
    for _ in 0..3 {
        assert_eq!(code(world.login(EMAIL, WRONG).await), "AU_001");
    }
    let refused = world.login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(refused.retry_after.map(|wait| wait.as_u64()), Some(60_000));
}

#[tokio::test]
async fn the_operator_ends_a_lock() {
    let world = three().await;
    let user = world.signup(EMAIL).await.unwrap().user;
    for _ in 0..4 {
        drop(world.login(EMAIL, WRONG).await);
    }
    assert!(world.auth.user(&user.id).await.unwrap().locked_until.is_some());
    let unlock = UserChange { unlock: Some(true), ..UserChange::default() };
    assert_eq!(world.auth.change_user(&user.id, unlock).await.unwrap().locked_until, None);
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "ok");
}

#[tokio::test]
async fn an_unknown_address_is_answered_as_a_known_one_and_costs_the_same() {
    let world = three().await;
    world.signup(EMAIL).await.unwrap();
    let answers = async |email: &str| {
        let mut answers = Vec::new();
        for _ in 0..5 {
            let before = world.auth.inner.hasher.compared();
            let refused = world.login(email, WRONG).await.unwrap_err();
            let compared = world.auth.inner.hasher.compared() - before;
            answers.push((refused.code.to_string(), refused.message, compared));
        }
        answers
    };
    let known = answers(EMAIL).await;
    assert_eq!(known, answers("nobody@example.test").await);
    assert_eq!(known.iter().map(|answer| answer.2).collect::<Vec<_>>(), [1, 1, 1, 0, 0]);
    assert_eq!(known[3].0, "AU_003");
}

#[tokio::test]
async fn many_at_once_try_no_more_than_one_by_one() {
    let world = three().await;
    world.signup(EMAIL).await.unwrap();
    let before = world.auth.inner.hasher.compared();
    let tries = (0..20).map(|_| {
        let (auth, visitor) = (world.auth.clone(), Visitor::default());
        let credentials = Credentials { email: EMAIL.to_owned(), password: WRONG.to_owned() };
        tokio::spawn(async move { auth.login(credentials, &visitor).await })
    });
    for tried in tries.collect::<Vec<_>>() {
        assert!(tried.await.unwrap().is_err());
    }
    assert!(world.auth.inner.hasher.compared() - before <= 3);
}

#[tokio::test]
async fn who_tries_many_accounts_from_one_address_has_to_wait() {
    let world = World::new().await;
    let from = |ip: &str| Visitor { ip: ip.parse::<IpAddr>().ok(), ..Visitor::default() };
    let attempt = async |number: usize, ip: &str| {
        let email = format!("user{number}@example.test");
        let credentials = Credentials { email, password: WRONG.to_owned() };
        code(world.auth.login(credentials, &from(ip)).await)
    };
    for number in 0..100 {
        assert_eq!(attempt(number, "203.0.113.7").await, "AU_001");
    }
    assert_eq!(attempt(100, "203.0.113.7").await, "AU_003");
    assert_eq!(attempt(100, "203.0.113.8").await, "AU_001");
    // This machine is a proxy for many.
    for number in 200..310 {
        assert_eq!(attempt(number, "127.0.0.1").await, "AU_001");
    }
}

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::world::{EMAIL, PASSWORD, World, code, settings};
use crate::settings::Settings;
use crate::{Credentials, NewAccount, UserChange, Visitor};

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

#[tokio::test]
async fn an_unknown_address_is_locked_as_long_as_a_known_one_and_opens_when_it_does() {
    let world = three().await;
    world.signup(EMAIL).await.unwrap();
    let mut answers: [Vec<(String, Option<u64>)>; 2] = Default::default();
    // Minute by minute, so that it is seen when each opens.
    for _ in 0..20 {
        for (email, answers) in [EMAIL, "nobody@example.test"].into_iter().zip(&mut answers) {
            for _ in 0..4 {
                let refused = world.login(email, WRONG).await.unwrap_err();
                let wait = refused.retry_after.map(|wait| wait.as_u64());
                answers.push((refused.code.to_string(), wait));
            }
        }
        world.pass(60);
    }
    let [known, unknown] = answers;
    assert_eq!(known, unknown);
    let waits: Vec<_> = known.iter().filter_map(|(_, wait)| *wait).collect();
    assert!(waits.contains(&60_000) && waits.contains(&480_000), "{waits:?}");
}

#[tokio::test]
async fn who_is_locked_while_hooks_run_does_not_get_in() {
    let world = three().await;
    world.signup(EMAIL).await.unwrap();
    let (auth, asked) = (world.auth.clone(), Arc::new(AtomicBool::new(false)));
    world.hook(move |news| {
        if &*news.kind == "auth.login" && !asked.swap(true, Ordering::Relaxed) {
            let auth = auth.clone();
            // In a thread of its own: hooks are asked while somebody waits for them.
            let tried = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for _ in 0..3 {
                        let credentials =
                            Credentials { email: EMAIL.to_owned(), password: WRONG.to_owned() };
                        drop(auth.login(credentials, &Visitor::default()).await);
                    }
                });
            });
            tried.join().unwrap();
        }
        Ok(())
    });
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "AU_003");
    world.pass(60);
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "ok");
}

#[tokio::test]
async fn many_signups_from_one_address_have_to_wait() {
    let world = World::new().await;
    let sign_up = async |number: usize, ip: &str| {
        let wanted = NewAccount {
            email: format!("user{number}@example.test"),
            password: Some(PASSWORD.to_owned()),
            ..NewAccount::default()
        };
        let visitor = Visitor { ip: ip.parse::<IpAddr>().ok(), ..Visitor::default() };
        world.auth.signup(wanted, &visitor).await
    };
    for number in 0..100 {
        // Also one that is taken counts.
        assert_ne!(code(sign_up(number / 2, "203.0.113.7").await), "AU_003");
    }
    let refused = sign_up(100, "203.0.113.7").await.unwrap_err();
    assert_eq!((refused.code.to_string().as_str(), refused.status), ("AU_003", None));
    assert_eq!(refused.retry_after.map(|wait| wait.as_u64()), Some(15 * 60_000));
    assert_eq!(code(sign_up(100, "203.0.113.8").await), "ok");
    assert_eq!(code(sign_up(101, "127.0.0.1").await), "ok");
    world.pass(15 * 60);
    assert_eq!(code(sign_up(102, "203.0.113.7").await), "ok");
}

use super::world::{EMAIL, PASSWORD, World, code, settings, tokens};
use crate::settings::{Settings, VerifiedOnly};
use crate::{NewAccount, ProfileChange, UserChange, Visitor};

fn here() -> Visitor {
    Visitor::default()
}

#[tokio::test]
async fn an_address_is_verified_once_with_the_token_that_was_sent_there() {
    let mut world = World::with(Settings { verified: VerifiedOnly::Yes, ..settings() }).await;
    let signed_up = world.signup(EMAIL).await.unwrap();
    assert!(signed_up.tokens.is_none());
    let refused = world.login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!((refused.code.to_string().as_str(), refused.status), ("AU_001", Some(403)));
    let mailed = world.mailed().await;
    assert_eq!(mailed.len(), 1);
    world.restart().await;
    assert_eq!(code(world.auth.verify_email("evm_guess", &here()).await), "AU_002");
    let reset = world.auth.reset_password(&mailed[0], PASSWORD.to_owned(), &here()).await;
    assert_eq!(code(reset), "AU_002", "it is for something else");
    let user = world.auth.verify_email(&mailed[0], &here()).await.unwrap();
    assert_eq!(user.verified_at, Some(world.now()));
    assert_eq!(code(world.auth.verify_email(&mailed[0], &here()).await), "AU_002");
    assert!(world.login(EMAIL, PASSWORD).await.is_ok());
    assert_eq!(world.told(), ["signup", "email_verify", "login"]);
}

#[tokio::test]
async fn a_token_that_is_too_old_is_none() {
    let mut world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    let mailed = world.mailed().await;
    world.restart().await;
    world.pass(24 * 3600);
    assert_eq!(code(world.auth.verify_email(&mailed[0], &here()).await), "AU_002");
}

#[tokio::test]
async fn a_password_that_is_set_by_mail_ends_sessions_locks_and_other_mails() {
    let mut world = World::with(Settings { lock_after: 2, ..settings() }).await;
    let (access, refresh) = tokens(&world.signup(EMAIL).await.unwrap());
    for _ in 0..3 {
        drop(world.login(EMAIL, "not the password").await);
    }
    assert_eq!(code(world.login(EMAIL, PASSWORD).await), "AU_003");
    world.auth.request_reset(EMAIL).unwrap();
    world.auth.request_reset(EMAIL).unwrap();
    let mailed = world.mailed().await;
    assert_eq!(mailed.len(), 3, "one of the signup, two of these");
    world.restart().await;
    let reset = async |token: &str, password: &str| {
        code(world.auth.reset_password(token, password.to_owned(), &here()).await)
    };
    let to_reset = &mailed[1..];
    assert_eq!(reset(&to_reset[0], "short").await, "AU_006");
    assert_eq!(reset(&to_reset[0], "another horse").await, "ok");
    for token in &mailed {
        assert_eq!(reset(token, "a third horse").await, "AU_002");
        assert_eq!(code(world.auth.verify_email(token, &here()).await), "AU_002");
    }
    assert_eq!(code(world.auth.verify_token(&access)), "AU_002");
    assert_eq!(code(world.auth.refresh(&refresh, &here()).await), "AU_002");
    let user = world.login(EMAIL, "another horse").await.unwrap().user;
    assert!(user.verified_at.is_some() && user.locked_until.is_none());
    assert_eq!(world.told(), ["signup", "password_reset", "login"]);
}

#[tokio::test]
async fn nobody_learns_who_has_an_account_and_nobody_gets_heaps_of_mail() {
    let world = World::new().await;
    let wanted = NewAccount {
        email: EMAIL.to_owned(),
        is_verified: true,
        password: Some(PASSWORD.to_owned()),
        ..NewAccount::default()
    };
    world.auth.create_user(wanted, &here()).await.unwrap();
    for _ in 0..20 {
        for email in [EMAIL, "nobody@example.test", "not an address", ""] {
            assert_eq!(world.auth.request_reset(email), Ok(()));
            assert_eq!(world.auth.request_verification(email), Ok(()));
        }
    }
    let mails = world.mails().await;
    assert_eq!(mails.len(), 5);
    assert!(mails.iter().all(|mail| mail.starts_with(&format!("Mail to {EMAIL}: Set your"))));
}

#[tokio::test]
async fn of_two_who_use_a_token_at_once_one_does() {
    let mut world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    let mailed = world.mailed().await;
    world.restart().await;
    let visitor = here();
    let (one, other) = tokio::join!(
        world.auth.verify_email(&mailed[0], &visitor),
        world.auth.verify_email(&mailed[0], &visitor)
    );
    let mut codes = [code(one), code(other)];
    codes.sort_unstable();
    assert_eq!(codes, ["AU_002", "ok"]);
    assert_eq!(world.told(), ["signup", "email_verify"]);
}

#[tokio::test]
async fn without_mail_what_needs_it_is_refused_for_everybody() {
    let world = World::new().await;
    world.auth.close(evoke_model::Millis::from_secs(1)).await;
    for email in [EMAIL, "nobody@example.test"] {
        assert_eq!(code(world.auth.request_reset(email)), "AU_008");
    }
}

#[tokio::test]
async fn a_new_password_leaves_no_mail_good_that_sets_another() {
    let mut world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    world.auth.request_reset(EMAIL).unwrap();
    let mailed = world.mailed().await;
    world.restart().await;
    let (access, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let change = ProfileChange {
        password: Some("another horse".to_owned()),
        current_password: Some(PASSWORD.to_owned()),
        ..ProfileChange::default()
    };
    world.auth.change_me(&access, change, &here()).await.unwrap();
    for token in &mailed {
        let reset = world.auth.reset_password(token, "a third horse".to_owned(), &here()).await;
        assert_eq!(code(reset), "AU_002");
    }
    // The one that verifies the address proves what it proved before.
    assert_eq!(code(world.auth.verify_email(&mailed[0], &here()).await), "ok");
}

#[tokio::test]
async fn whose_address_counts_as_verified_no_more_gets_no_next_tokens() {
    let world = World::with(Settings { verified: VerifiedOnly::Yes, ..settings() }).await;
    let wanted = NewAccount {
        email: EMAIL.to_owned(),
        password: Some(PASSWORD.to_owned()),
        is_verified: true,
        ..NewAccount::default()
    };
    let user = world.auth.create_user(wanted, &here()).await.unwrap();
    let (_, refresh) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    let verified = |is| UserChange { is_verified: Some(is), ..UserChange::default() };
    world.auth.change_user(&user.id, verified(false)).await.unwrap();
    let refused = world.auth.refresh(&refresh, &here()).await.unwrap_err();
    assert_eq!((refused.code.to_string().as_str(), refused.status), ("AU_001", Some(403)));
    world.auth.change_user(&user.id, verified(true)).await.unwrap();
    assert_eq!(code(world.auth.refresh(&refresh, &here()).await), "ok");
}

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evoke_model::Millis;
use evoke_ports::Identify;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::world::{EMAIL, PASSWORD, World, settings, tokens};
use crate::settings::Settings;

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Header and claims of a token.
fn opened(token: &str) -> (Value, Value) {
    let mut parts = token.split('.');
    (read(parts.next().unwrap()), read(parts.next().unwrap()))
}

#[tokio::test]
async fn a_token_says_who_and_until_when() {
    let world = World::new().await;
    let signed_up = world.signup(EMAIL).await.unwrap();
    let (access, _) = tokens(&signed_up);
    let (header, claims) = opened(&access);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("JWT")));
    let now = world.now().as_millis() / 1_000;
    let expected = json!({
        "iss": "evoke", "aud": "evoke", "sub": signed_up.user.id, "email": EMAIL,
        "email_verified": false, "roles": [], "sid": signed_up.tokens.unwrap().session,
        "iat": now, "exp": now + 900,
    });
    assert_eq!(claims, expected);
    let jwks = world.auth.jwks().unwrap();
    assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
    assert_eq!(jwks["keys"][0].as_object().map(|key| key.contains_key("d")), Some(false));
    let verified = world.auth.verify_token(&format!("Bearer {access}")).unwrap();
    assert_eq!(verified.user.email.as_deref(), Some(EMAIL));
    assert_eq!((verified.user.email_verified, verified.user.issuer), (false, None));
    world.pass(899);
    assert!(world.identities.identify(&access, world.now()).is_ok());
    world.pass(1);
    let refused = world.identities.identify(&access, world.now()).unwrap_err();
    assert!(refused.0.contains("expired"), "{refused}");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let world = World::new().await;
    let (access, _) = tokens(&world.signup(EMAIL).await.unwrap());
    let (header, claims) = opened(&access);
    let signature = access.rsplit('.').next().unwrap();
    let body = access.rsplit_once('.').unwrap().0;
    let with = |change: &[(&str, Value)], of: &Value| {
        let mut changed = of.clone();
        for (name, value) in change {
            changed[*name] = value.clone();
        }
        changed
    };
    let alg = |alg: &str| part(&with(&[("alg", json!(alg))], &header));
    let admin = part(&with(&[("roles", json!(["admin"]))], &claims));
    let claims_part = part(&claims);
    let public = world.auth.jwks().unwrap()["keys"][0]["x"].as_str().unwrap().to_owned();
    let confused = |key: &[u8]| {
        let header = Header {
            kid: header["kid"].as_str().map(str::to_owned),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key)).unwrap()
    };
    let mut other_signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    other_signature[0] ^= 1;
    let forged = [
        format!("{}.{admin}.{signature}", part(&header)),
        format!("{}.{claims_part}.", alg("none")),
        format!("{}.{admin}.", alg("None")),
        format!("{}.{claims_part}.{signature}", alg("none")),
        format!("{}.{claims_part}.{signature}", alg("HS256")),
        format!("{}.{claims_part}.{signature}", alg("RS256")),
        confused(public.as_bytes()),
        confused(&URL_SAFE_NO_PAD.decode(&public).unwrap()),
        format!("{body}."),
        body.to_owned(),
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(other_signature)),
        format!("{access}.{signature}"),
        format!("{}.{claims_part}.{signature}", part(&with(&[("kid", json!("other"))], &header))),
        format!("{}.{claims_part}.{signature}", part(&with(&[("crit", json!(["b64"]))], &header))),
        "a.b.c".to_owned(),
        String::new(),
        ".".repeat(100),
        "x".repeat(100_000),
    ];
    for token in &forged {
        assert!(world.identities.identify(token, world.now()).is_err(), "{token}");
    }
    assert!(world.identities.identify(&access, world.now()).is_ok());
}

#[tokio::test]
async fn a_token_of_another_server_with_the_same_name_is_refused() {
    let (one, other) = (World::new().await, World::new().await);
    let (access, _) = tokens(&one.signup(EMAIL).await.unwrap());
    other.signup(EMAIL).await.unwrap();
    assert!(other.identities.identify(&access, other.now()).is_err());
}

#[tokio::test]
async fn tokens_hold_over_restarts_and_when_keys_change() {
    let day = 24 * 3600;
    let access_ttl = Millis::from_secs(2 * day);
    let mut world = World::with(Settings { access_ttl, ..settings() }).await;
    let (first, _) = tokens(&world.signup(EMAIL).await.unwrap());
    world.restart().await;
    assert!(world.identities.identify(&first, world.now()).is_ok());
    let kids = |world: &World| {
        let jwks = world.auth.jwks().unwrap();
        let keys = jwks["keys"].as_array().unwrap().clone();
        keys.into_iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    world.pass(90 * day);
    world.auth.inner.tend_keys().await.unwrap();
    assert_eq!(kids(&world).len(), 2, "the next one is published");
    let (old, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    assert_eq!(opened(&old).0["kid"], kids(&world)[0], "and does not sign yet");
    world.pass(day);
    world.auth.inner.tend_keys().await.unwrap();
    let (new, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    assert_eq!(opened(&new).0["kid"], kids(&world)[1]);
    assert!(world.identities.identify(&old, world.now()).is_ok(), "the last one still verifies");
    world.pass(2 * day);
    world.auth.inner.tend_keys().await.unwrap();
    assert_eq!(kids(&world).len(), 1);
    assert_eq!(kids(&world)[0], opened(&new).0["kid"]);
}

#[tokio::test]
async fn a_key_that_gives_way_late_verifies_what_it_signed_last() {
    let day = 24 * 3600;
    let world = World::new().await;
    world.signup(EMAIL).await.unwrap();
    world.pass(90 * day);
    world.auth.inner.tend_keys().await.unwrap();
    // The successor is ready after a day; that is looked at once an hour.
    world.pass(day + 58 * 60);
    let (last, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    world.pass(60);
    world.auth.inner.tend_keys().await.unwrap();
    let (next, _) = tokens(&world.login(EMAIL, PASSWORD).await.unwrap());
    assert_ne!(opened(&last).0["kid"], opened(&next).0["kid"]);
    world.auth.inner.tend_keys().await.unwrap();
    assert!(world.identities.identify(&last, world.now()).is_ok());
    world.pass(900);
    world.auth.inner.tend_keys().await.unwrap();
    let keys = world.auth.jwks().unwrap()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1, "then it has served");
}

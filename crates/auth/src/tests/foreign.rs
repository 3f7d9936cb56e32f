use evoke_model::Millis;
use evoke_ports::Identify;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::world::{World, settings};
use crate::keys::SigningKey;
use crate::settings::{Issuer, Settings, Trust};

const ISSUER: &str = "https://login.example.test";
const SECRET: &str = "a secret of two";

fn claims(world: &World, change: &[(&str, Value)]) -> Value {
    let now = world.now().as_millis() / 1_000;
    let mut claims = json!({
        "iss": ISSUER, "sub": "user-7", "aud": ["shop", "other"], "exp": now + 60,
        "email": "ada@example.test", "roles": "editor admin", "sid": "theirs",
    });
    for (name, value) in change {
        claims[*name] = value.clone();
    }
    claims
}

fn shared(claims: &Value, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

async fn trusting(trust: Trust) -> World {
    let audience = Some("shop".to_owned());
    let foreign = vec![Issuer { issuer: ISSUER.to_owned(), trust, audience }];
    World::with(Settings { foreign, ..settings() }).await
}

#[tokio::test]
async fn tokens_of_an_issuer_we_share_a_secret_with_are_taken() {
    let world = trusting(Trust::Secret(SECRET.to_owned())).await;
    let now = world.now().as_millis() / 1_000;
    let verified =
        world.auth.verify_token(&shared(&claims(&world, &[]), Algorithm::HS256)).unwrap();
    assert_eq!((verified.user.id.as_str(), verified.session), ("user-7", None));
    assert_eq!(verified.user.roles, ["editor", "admin"]);
    for (change, is_taken) in [
        (vec![("exp", json!(now - 59))], true),
        (vec![("exp", json!(now - 60))], false),
        (vec![("exp", Value::Null)], false),
        (vec![("nbf", json!(now + 61))], false),
        (vec![("nbf", json!(now + 60))], true),
        (vec![("aud", json!("shop"))], true),
        (vec![("aud", json!("elsewhere"))], false),
        (vec![("aud", Value::Null)], false),
        (vec![("iss", json!("https://evil.test"))], false),
        (vec![("iss", json!("evoke"))], false),
        (vec![("sub", json!(""))], false),
        (vec![("roles", json!(7))], true),
    ] {
        let token = shared(&claims(&world, &change), Algorithm::HS512);
        let taken = world.identities.identify(&token, world.now());
        assert_eq!(taken.is_ok(), is_taken, "{change:?}: {taken:?}");
    }
    let debug = format!("{:?}", world.auth.inner.settings);
    assert!(!debug.contains(SECRET));
}

/// Answers each request with what stands there at the time; counts them.
async fn publish(document: std::sync::Arc<parking_lot::Mutex<(String, u32)>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            drop(stream.read(&mut head).await);
            let body = {
                let mut document = document.lock();
                document.1 += 1;
                document.0.clone()
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    url
}

fn published(keys: &[(&str, &SigningKey)]) -> String {
    let keys = keys
        .iter()
        .map(|(id, key)| json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": key.public }));
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

fn signed(world: &World, id: &str, key: &SigningKey) -> String {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims(world, &[]), &key.encoding().unwrap()).unwrap()
}

/// Waits until a token is taken: its key is on the way.
async fn until_taken(world: &World, token: &str) {
    for _ in 0..2_000 {
        if world.identities.identify(token, world.now()).is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the token is not taken");
}

#[tokio::test]
async fn keys_of_an_issuer_are_fetched_and_fetched_again_for_one_that_is_new() {
    let (first, second) = (SigningKey::new().unwrap(), SigningKey::new().unwrap());
    let document = std::sync::Arc::new(parking_lot::Mutex::new((published(&[("a", &first)]), 0)));
    let world = trusting(Trust::Jwks(publish(document.clone()).await)).await;
    until_taken(&world, &signed(&world, "a", &first)).await;
    assert_eq!(document.lock().1, 1);
    document.lock().0 = published(&[("b", &second)]);
    for _ in 0..50 {
        assert!(world.identities.identify(&signed(&world, "b", &second), world.now()).is_err());
    }
    tokio::task::yield_now().await;
    assert_eq!(document.lock().1, 1, "a minute has not passed");
    world.pass(60);
    let token = signed(&world, "b", &second);
    until_taken(&world, &token).await;
    assert_eq!(document.lock().1, 2);
    let old = signed(&world, "a", &first);
    assert!(world.identities.identify(&old, world.now()).is_err(), "it is published no more");
    // A public key is no secret, and the shared algorithms are not for it.
    let confused = EncodingKey::from_secret(second.public.as_bytes());
    let header = Header { kid: Some("b".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(&header, &claims(&world, &[]), &confused).unwrap();
    assert!(world.identities.identify(&confused, world.now()).is_err());
    world.auth.close(Millis::from_secs(5)).await;
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_holds_up_no_other_and_no_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let key = SigningKey::new().unwrap();
    let document = std::sync::Arc::new(parking_lot::Mutex::new((published(&[("a", &key)]), 0)));
    let issuer = |issuer: &str, url: String| Issuer {
        issuer: issuer.to_owned(),
        trust: Trust::Jwks(url),
        audience: None,
    };
    let foreign = vec![
        issuer("silent", format!("http://{}/jwks", silent.local_addr().unwrap())),
        issuer(ISSUER, publish(document).await),
    ];
    let world = World::with(Settings { foreign, ..settings() }).await;
    // Its turn has come, and it says nothing from here on.
    let (mut held, _) = silent.accept().await.unwrap();
    let mut head = [0; 4096];
    drop(held.read(&mut head).await);
    until_taken(&world, &signed(&world, "a", &key)).await;
    assert!(held.try_read(&mut head).is_err(), "it is still waited for");
    world.auth.close(Millis::from_secs(5)).await;
    assert!(world.auth.inner.tasks.is_empty());
}

#[tokio::test]
async fn a_user_of_another_issuer_passes_for_none_of_ours() {
    let world = trusting(Trust::Secret(SECRET.to_owned())).await;
    let ours = world.signup("ada@example.test").await.unwrap().user.id;
    let user = |change: &[(&str, Value)]| {
        let token = shared(&claims(&world, change), Algorithm::HS256);
        world.identities.identify(&token, world.now()).unwrap()
    };
    let theirs = user(&[]);
    assert_eq!((theirs.id.as_str(), theirs.issuer.as_deref()), ("user-7", Some(ISSUER)));
    assert!(!theirs.email_verified);
    let pretender = user(&[("sub", json!(ours))]);
    assert_eq!(pretender.id, format!("{ISSUER}|{ours}"));
    for (claim, expected) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("yes"), false),
        (Value::Null, false),
    ] {
        assert_eq!(user(&[("email_verified", claim.clone())]).email_verified, expected, "{claim}");
    }
}

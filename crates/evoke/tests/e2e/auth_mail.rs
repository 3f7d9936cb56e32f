//! Mail that proves an address, against a real server for mail.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use evoke_testkit::{Options, TestServer};
use serde_json::{Value, json};

use crate::auth::{PASSWORD, by, login, refresh, signup};
use crate::facts::until;
use crate::pages::{files, steps, walk};
use crate::support::{BINARY, dev, tool};

/// Takes mail of who logs in, after it has said "later" as often as it was told to.
const CATCHER: &str = r#"
import asyncio, json, sys
from email import message_from_bytes, policy
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

class Handler:
    later = int(sys.argv[1])

    async def handle_DATA(self, server, session, envelope):
        if Handler.later:
            Handler.later -= 1
            return "451 not now"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        part = lambda kind: mail.get_body((kind,)).get_content()
        print(json.dumps({"to": envelope.rcpt_tos, "from": mail["from"], "subject": mail["subject"],
                          "text": part("plain"), "html": part("html")}), flush=True)
        return "250 taken"

def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"shop", b"hunter2!")
    return AuthResult(success=good, handled=False)

async def main():
    make = lambda: SMTP(Handler(), authenticator=authenticate, auth_required=True,
                        auth_require_tls=False, enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"#;

/// A server for mail, and what it caught.
struct Catcher {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    port: u16,
}

impl Catcher {
    async fn start(later: u32) -> Self {
        let mut command = Command::new(tool("venv/bin/python"));
        command.args(["-c", CATCHER, &later.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("start the catcher");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stdout, kept) = (child.stdout.take().expect("a pipe"), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                kept.lock().expect("nobody panicked with it").push(line);
            }
        });
        let first = until("the catcher says its port", async || {
            lines.lock().expect("nobody panicked with it").first().cloned()
        })
        .await;
        Self { child, lines, port: first.parse().expect("a port") }
    }

    /// Waits until so many mails came.
    async fn mails(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} mails came"), async || {
            let lines = self.lines.lock().expect("nobody panicked with it").clone();
            let mails: Vec<Value> =
                lines[1..].iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// A server that sends its mail here.
    async fn server(&self, command: &'static str) -> TestServer {
        let settings = "[users]\nrequire_verified = true\n\
            verify_page = 'https://app.test/verify?t={token}'\n\
            [mail]\nfrom = 'Shop <no-reply@shop.test>'\n";
        let url = format!("smtp://shop:hunter2%21@127.0.0.1:{}", self.port);
        let env = vec![("EVOKE_MAIL_URL".to_owned(), url)];
        let options = Options { command, env, ..Options::default() };
        TestServer::start(BINARY, &[("evoke.toml", settings)], options).await
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The token in a mail.
fn token(mail: &Value) -> String {
    let text = mail["text"].as_str().expect("a text");
    let line = text.lines().find(|line| line.starts_with("evm_"));
    line.expect("a token").trim().to_owned()
}

#[tokio::test]
async fn an_address_is_verified_and_a_password_set_by_mail() {
    let catcher = Catcher::start(1).await;
    let server = catcher.server("serve").await;
    let signed_up = signup(&server, "ada@example.com").await.expect(201).json();
    assert_eq!(signed_up["access_token"], Value::Null, "the address is not verified");
    assert_eq!(login(&server, "ada@example.com", PASSWORD).await.expect(403).code(), "AU_001");
    // The first time it was told to come later.
    let mail = catcher.mails(1).await.remove(0);
    assert_eq!(mail["to"], json!(["ada@example.com"]));
    assert_eq!(mail["from"], "Shop <no-reply@shop.test>");
    assert_eq!(mail["subject"], "Verify your address");
    let link = format!("https://app.test/verify?t={}", token(&mail));
    for part in ["text", "html"] {
        assert!(mail[part].as_str().is_some_and(|text| text.contains(&link)), "{mail}");
    }
    let verify = json!({ "token": token(&mail) });
    server.post("/api/auth/verify-email", verify.clone()).await.expect(200);
    assert_eq!(server.post("/api/auth/verify-email", verify).await.expect(401).code(), "AU_002");
    let logged_in = login(&server, "ada@example.com", PASSWORD).await.expect(200).json();

    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let asked = server.post("/api/auth/password-reset/request", json!({ "email": email }));
        answers.push(asked.await.expect(202).text);
    }
    assert_eq!(answers[0], answers[1]);
    let mail = catcher.mails(2).await.remove(1);
    let link = format!("{}/api/auth/password-reset?token={}", server.url(""), token(&mail));
    assert!(mail["text"].as_str().is_some_and(|text| text.contains(&link)), "{mail}");
    // The server's own page: looking at it changes nothing, sending it does.
    let path = format!("/api/auth/password-reset?token={}", token(&mail));
    let page = server.get(&path).await.expect(200);
    assert!(page.text.contains("type=\"password\"") && page.text.contains(&token(&mail)));
    assert!(page.headers["content-security-policy"].to_str().is_ok());
    let form = [("token", token(&mail)), ("password", "another horse & co".to_owned())];
    let sent = server.request("POST", "/api/auth/password-reset").form(&form);
    let done = server.answer(sent).await.expect(200);
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    assert_eq!(login(&server, "ada@example.com", PASSWORD).await.expect(401).code(), "AU_001");
    login(&server, "ada@example.com", "another horse & co").await.expect(200);
    refresh(&server, &logged_in["refresh_token"]).await.expect(401);
    by(&server, &logged_in["access_token"], "GET", "/api/auth/me").await.expect(401);
    assert_eq!(catcher.mails(2).await.len(), 2, "nobody else got one");
    let output = server.output();
    for secret in ["evm_", "evr_", "hunter2", PASSWORD, "another horse", "argon2"] {
        assert!(!output.contains(secret), "{secret} in {output}");
    }
}

#[tokio::test]
async fn a_mail_that_waits_is_sent_before_the_server_ends() {
    let catcher = Catcher::start(2).await;
    let mut server = catcher.server("dev").await;
    signup(&server, "ada@example.com").await.expect(201);
    assert_eq!(server.terminate().await, Some(0));
    assert_eq!(catcher.mails(1).await[0]["to"], json!(["ada@example.com"]));
}

#[tokio::test]
async fn a_server_for_mail_that_is_not_there_is_told_in_the_log() {
    let settings = "[mail]\nurl = 'smtp://shop:hunter2@127.0.0.1:9'\n";
    let server = dev(&[("evoke.toml", settings)]).await;
    signup(&server, "ada@example.com").await.expect(201);
    until("it is told", async || server.output().contains("A mail was not sent").then_some(()))
        .await;
    assert!(!server.output().contains("hunter2") && !server.output().contains("evm_"));
}

#[tokio::test]
async fn the_guide_runs_as_written_and_prints_what_it_says() {
    let page = include_str!("../../../../docs/auth.md");
    let server = dev(&files(page)).await;
    assert!(steps(page).len() >= 5);
    walk(&server, page).await;
}

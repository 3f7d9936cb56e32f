//! The examples that use several services: their pages are walked, and do what they say.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use evoke_testkit::TestServer;
use serde_json::{Value, json};

use crate::facts::until;
use crate::pages::{steps, walk};
use crate::support::dev;

/// Its folder.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// The functions of an example, as paths and texts, each with what `change` makes of it.
fn functions(name: &str, change: impl Fn(&str, String) -> String) -> Vec<(String, String)> {
    let root = example(name);
    let mut files = Vec::new();
    for function in std::fs::read_dir(root.join("functions")).expect("functions") {
        for file in std::fs::read_dir(function.expect("a function").path()).expect("files") {
            let path = file.expect("a file").path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).expect("a text");
                let path = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                let text = change(&path, text);
                files.push((path, text));
            }
        }
    }
    files
}

async fn start(files: &[(String, String)]) -> TestServer {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    dev(&files).await
}

fn page(name: &str) -> String {
    std::fs::read_to_string(example(name).join("README.md")).expect("a page")
}

/// A server for mail that keeps what it gets, after it has said "later" a few times.
fn catch_mail(later: usize) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mails: Arc<Mutex<Vec<String>>> = Arc::default();
    let caught = Arc::clone(&mails);
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().flatten().enumerate() {
            if let Some(mail) = take_mail(stream, at < later) {
                caught.lock().expect("no panic").push(mail);
            }
        }
    });
    (port, mails)
}

/// One conversation in SMTP; the mail, if there was one.
fn take_mail(mut stream: TcpStream, is_later: bool) -> Option<String> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut say = move |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 here")?;
    loop {
        let line = lines.next()?.ok()?.to_ascii_uppercase();
        if line.starts_with("QUIT") {
            say("221 bye");
            return None;
        }
        if line.starts_with("MAIL") && is_later {
            say("451 not now")?;
        } else if line.starts_with("DATA") {
            say("354 go on")?;
            let body = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
            let mail = body.collect::<Vec<_>>().join("\n");
            say("250 taken")?;
            return Some(mail);
        } else {
            say("250 fine")?;
        }
    }
}

#[tokio::test]
async fn the_page_of_the_welcome_mail_is_true() {
    let page = page("welcome-mail");
    assert!(steps(&page).len() >= 4);
    let server = start(&functions("welcome-mail", |_, text| text)).await;
    walk(&server, &page).await;
}

#[tokio::test]
async fn a_welcome_mail_arrives_once_even_if_the_server_for_mail_is_away_at_first() {
    let (port, mails) = catch_mail(2);
    let files = functions("welcome-mail", |path, text| {
        let url = format!("MAIL_URL: \"smtp://127.0.0.1:{port}\"");
        let text = text.replace("MAIL_URL: \"\"", &url).replace("initial: 1s", "initial: 10ms");
        assert!(path != "functions/welcome/function.yaml" || text.contains(&url));
        text
    });
    let server = start(&files).await;
    let account = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    server.post("/api/auth/signup", account).await.expect(201);
    server.ended("function=welcome&status=success", 1).await;
    let profiles = server.get("/api/collections/profiles/documents").await.expect(200).json();
    assert_eq!(profiles["data"][0]["welcomed"], true, "{profiles}");
    let mails = mails.lock().expect("no panic").clone();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("To: ada@example.com"), "{mails:?}");
    assert!(mails[0].contains("Subject: Welcome, ada!"), "{mails:?}");
}

#[tokio::test]
async fn the_page_of_the_image_pipeline_is_true() {
    let page = page("image-pipeline");
    assert!(steps(&page).len() >= 5);
    let server = start(&functions("image-pipeline", |_, text| text)).await;
    let picture = "sunset.png";
    std::fs::copy(example("image-pipeline").join(picture), server.dir().join(picture))
        .expect("a picture");
    until("Pillow is installed", async || {
        let function = server.get("/api/functions/thumbnail").await.expect(200).json();
        assert_ne!(function["status"], "failed", "{function}");
        is_live(&function).then_some(())
    })
    .await;
    walk(&server, &page).await;
}

fn is_live(function: &Value) -> bool {
    function["version"].is_number()
}

//! The guide as it is written, and the command line.

use std::process::{Command, Output, Stdio};

use evoke_testkit::TestServer;

use super::{get, put};
use crate::pages::{files, walk};
use crate::support::{BINARY, dev};

#[tokio::test]
async fn the_guide_does_what_it_says() {
    let page = include_str!("../../../../../docs/storage.md");
    let project = files(page);
    assert_eq!(project.len(), 2, "{project:?}");
    let server = dev(&project).await;
    walk(&server, page).await;
}

/// Runs the command line against a server, in its folder.
async fn evoke(server: &TestServer, arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env("EVOKE_URL", server.url("")).current_dir(server.dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let stdin = stdin.to_owned();
    let run = move || {
        let mut child = command.spawn().expect("start the command");
        let mut pipe = child.stdin.take().expect("a pipe");
        // Who does not read it has ended.
        std::io::Write::write_all(&mut pipe, stdin.as_bytes()).ok();
        drop(pipe);
        child.wait_with_output().expect("wait for the command")
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

fn printed(output: &Output) -> String {
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    String::from_utf8_lossy(out).into_owned()
}

#[tokio::test]
async fn the_command_line_puts_gets_lists_signs_and_deletes() {
    let server = dev(&[("cat.txt", "meow")]).await;
    let run = async |arguments: &[&str], stdin: &str| {
        let all: Vec<&str> = ["files"].into_iter().chain(arguments.iter().copied()).collect();
        evoke(&server, &all, stdin).await
    };
    assert_eq!(printed(&run(&["put", "cat.txt", "b"], "").await), "b/cat.txt\n");
    assert_eq!(printed(&run(&["put", "-", "b/in/x y.bin"], "a\u{0}b").await), "b/in/x y.bin\n");
    put(&server, ("b", "a%2Fb"), "slash").await.expect(201);
    assert_eq!(get(&server, ("b", "in/x%20y.bin")).await, b"a\0b");
    assert_eq!(printed(&run(&["get", "b/in/x y.bin"], "").await), "a\0b");
    printed(&run(&["get", "b/cat.txt", "--to", "copy.txt"], "").await);
    let copy = std::fs::read_to_string(server.dir().join("copy.txt")).expect("a copy");
    assert_eq!(copy, "meow");
    let names = printed(&run(&["list", "b", "-o", "id"], "").await);
    assert_eq!(names, "a/b\ncat.txt\nin/x y.bin\n");
    let names = printed(&run(&["list", "b", "--folders", "-o", "id"], "").await);
    assert_eq!(names, "a/\nin/\ncat.txt\n");
    let names = printed(&run(&["list", "b/in/", "-o", "id"], "").await);
    assert_eq!(names, "in/x y.bin\n");
    let link = printed(&run(&["sign", "b/cat.txt", "--expires", "1h"], "").await);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let linked = client.get(link.trim()).send().await.expect("an answer");
    assert_eq!(linked.text().await.expect("text"), "meow");
    printed(&run(&["bucket", "pub", "--public", "--type", "text/*"], "").await);
    assert_eq!(printed(&run(&["buckets", "-o", "id"], "").await), "b\npub\n");
    printed(&run(&["delete", "b/cat.txt", "b/a/b"], "").await);
    printed(&run(&["delete-bucket", "pub"], "").await);
    for (arguments, code) in [
        (["get", "b/nothing"], 3),
        (["get", "nothing"], 1),
        (["delete", "b/../x"], 1),
        (["delete-bucket", "b"], 1),
        (["list", "none"], 3),
    ] {
        let output = run(&arguments, "").await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
}

//! The real binary, started on a folder of its own and driven from outside as a user would.
//! Dropping it kills it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a connection that is not used is kept: the server closes it after a minute, and one
/// that is used at that moment has no answer.
const IDLE: Duration = Duration::from_secs(30);

/// How long anything may take before a test gives up. Generous: machines are slow under load, and a
/// test that waits for a fact does not wait longer than the fact takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server under test.
pub struct TestServer {
    binary: PathBuf,
    dir: Arc<TempDir>,
    port: u16,
    options: Options,
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    client: reqwest::Client,
}

/// How to start it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `dev` or `serve`.
    pub command: &'static str,
    /// Further arguments.
    pub args: Vec<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// Sent with each request.
    pub key: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { command: "dev", args: Vec::new(), env: Vec::new(), key: None }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text))
    }

    /// The error code of an error answer.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The answer, if its status is this.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// Writes files of a project: path and content.
pub fn write_files(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make folders");
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("write {path:?}: {error}"));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
    listener.local_addr().expect("a bound address").port()
}

impl TestServer {
    /// `evoke dev` on a project of these files, ready to be used.
    pub async fn dev(binary: &str, files: &[(&str, &str)]) -> Self {
        Self::start(binary, files, Options::default()).await
    }

    /// The server on a project of these files, ready to be used.
    pub async fn start(binary: &str, files: &[(&str, &str)], options: Options) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("make a folder"));
        write_files(dir.path(), files);
        let port = free_port();
        let output = Arc::new(Mutex::new(Vec::new()));
        let child = spawn(Path::new(binary), dir.path(), port, &options, &output);
        let client =
            reqwest::Client::builder().timeout(PATIENCE).pool_idle_timeout(IDLE).no_proxy().build();
        let client = client.expect("make a client");
        let binary = binary.into();
        let mut server = Self { binary, dir, port, options, child, output, client };
        server.ready().await;
        server
    }

    /// Waits until it says it is ready.
    async fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("ask for the child") {
                panic!("the server ended with {status}:\n{}", self.output());
            }
            let answer = self.client.get(self.url("/health/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(Instant::now() < deadline, "the server is not ready:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The project's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("nobody panicked with it").join("\n")
    }

    /// Writes files of the project while it runs.
    pub fn write(&self, files: &[(&str, &str)]) {
        write_files(self.dir(), files);
    }

    /// SIGKILL, as a power cut would end it.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill the server");
        self.child.wait().expect("wait for the server");
    }

    /// SIGTERM, and its exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("send a signal");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("ask for the child") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.binary, self.dir.path(), self.port, &self.options, &self.output);
        self.ready().await;
    }

    /// Other options for the next start and the requests from now on.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.client.request(method, self.url(path));
        match &self.options.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends a request and reads the whole answer.
    pub async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap_or_else(|error| {
            panic!("no answer: {error:?}\n{}", self.output());
        });
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("read the body"),
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.answer(self.request("GET", path)).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.answer(self.request("POST", path).json(&body)).await
    }

    /// Sends a custom event and gives back its id.
    pub async fn emit(&self, kind: &str, data: Value) -> String {
        let answer = self.post("/api/events", json!({ "type": kind, "data": data })).await;
        let ids = answer.expect(202).json();
        ids["ids"][0].as_str().expect("an id").to_owned()
    }

    /// The executions a query finds, newest first.
    pub async fn executions(&self, query: &str) -> Vec<Value> {
        let page = self.get(&format!("/api/executions?{query}")).await.expect(200).json();
        page["data"].as_array().expect("a list").clone()
    }

    /// One execution with everything known of it.
    pub async fn execution(&self, id: &str) -> Value {
        self.get(&format!("/api/executions/{id}")).await.expect(200).json()
    }

    /// Waits until this many executions that a query finds are in a final state.
    pub async fn ended(&self, query: &str, count: usize) -> Vec<Value> {
        const FINAL: [&str; 4] = ["success", "failed", "timed_out", "cancelled"];
        let is_final = |one: &&Value| FINAL.contains(&one["status"].as_str().unwrap_or_default());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.executions(query).await;
            let done: Vec<_> = found.iter().filter(is_final).cloned().collect();
            if done.len() >= count {
                return done;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} ended, found {found:#?}\n{}",
                done.len(),
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a value of the metrics is reached.
    pub async fn metric(&self, name: &str, is_reached: impl Fn(f64) -> bool) -> f64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.get("/metrics").await.text;
            let value = text
                .lines()
                .filter(|line| line.starts_with(name))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum();
            if is_reached(value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{name} is {value}\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill();
        }
        if std::thread::panicking() {
            // A failed test shows what the server said.
            let lines = self.output();
            std::io::Write::write_all(&mut std::io::stderr(), lines.as_bytes()).ok();
        }
    }
}

fn spawn(
    binary: &Path,
    dir: &Path,
    port: u16,
    options: &Options,
    output: &Arc<Mutex<Vec<String>>>,
) -> Child {
    let mut command = Command::new(binary);
    command.arg(options.command);
    match options.command {
        "dev" => command.arg(dir).args(["--port", &port.to_string()]),
        _ => command.current_dir(dir).env("EVOKE_SERVER_PORT", port.to_string()),
    };
    command.args(&options.args).envs(options.env.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("start {binary:?}: {error}"));
    let streams: [Box<dyn std::io::Read + Send>; 2] = [
        Box::new(child.stdout.take().expect("a pipe")),
        Box::new(child.stderr.take().expect("a pipe")),
    ];
    for stream in streams {
        let output = output.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                output.lock().expect("nobody panicked with it").push(line);
            }
        });
    }
    child
}

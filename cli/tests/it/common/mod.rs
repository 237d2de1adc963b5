//! Runs the built command as a person or a script would.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value as Json;
use turnstone_cli::device::{Answer, Request};

/// The built command.
pub const TURNSTONE: &str = env!("CARGO_BIN_EXE_turnstone");
/// A key long enough for a server.
pub const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// What a run of the command said.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub exit: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        Self {
            exit: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The result, which must be one JSON object on one line, after exit code 0.
    #[track_caller]
    pub fn json(&self) -> Json {
        assert_eq!(self.exit, 0, "out {} err {}", self.out, self.err);
        self.json_with(0)
    }

    /// The result after another exit code.
    #[track_caller]
    pub fn json_with(&self, exit: i32) -> Json {
        assert_eq!(self.exit, exit, "out {} err {}", self.out, self.err);
        assert_eq!(self.out.lines().count(), 1, "one line: {}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }

    /// The error's code, after this exit code; it is one JSON object on stderr with message and advice.
    #[track_caller]
    pub fn error(&self, exit: i32) -> String {
        assert_eq!(self.exit, exit, "out {} err {}", self.out, self.err);
        assert_eq!(self.out, "", "nothing on stdout");
        let error: Json = serde_json::from_str(self.err.lines().last().unwrap_or_default()).unwrap();
        let error = &error["error"];
        assert_eq!(error["exit"], exit);
        assert!(error["message"].as_str().is_some_and(|text| text.ends_with('.')), "{error}");
        assert!(error["next"].as_str().is_some_and(|text| !text.is_empty()), "what to do next: {error}");
        error["code"].as_str().unwrap().to_owned()
    }
}

/// The command with nothing of the tester's environment in it.
pub fn command() -> Command {
    let mut command = Command::new(TURNSTONE);
    for name in ["DB", "SCHEMA", "SERVER", "TOKEN", "LOG", "KEY"] {
        command.env_remove(format!("TURNSTONE_{name}"));
    }
    command.env_remove("NOTES").env_remove("EDITS").stdin(Stdio::null());
    command
}

/// A device's database, and the command on it.
pub struct Device {
    pub db: PathBuf,
    pub more: Vec<String>,
}

impl Device {
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { db: folder.join(name), more: Vec::new() }
    }

    /// The same device with a server.
    pub fn with_server(folder: &Path, name: &str, server: &str, token: &str) -> Self {
        let more = ["--server", server, "--token", token, "--timeout-ms", "3000"].map(str::to_owned).to_vec();
        Self { db: folder.join(name), more }
    }

    /// Options for every run of it.
    pub fn and(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|&text| text.to_owned()));
        self
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.arg("--json").arg("--db").arg(&self.db).args(&self.more).args(args);
        command
    }

    /// Runs it with `--json`.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::new(self.command(args).output().unwrap())
    }

    /// Runs it for a person.
    pub fn say(&self, args: &[&str]) -> Ran {
        let mut command = command();
        command.arg("--db").arg(&self.db).args(&self.more).args(args);
        Ran::new(command.output().unwrap())
    }

    /// Runs it with something on stdin.
    pub fn pipe(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::new(child.wait_with_output().unwrap())
    }

    /// Starts it as a session of JSON lines.
    pub fn session(&self) -> Session {
        let mut command = command();
        command.arg("--db").arg(&self.db).args(&self.more).arg("device");
        Session::start(&mut command)
    }
}

/// Runs the command with these arguments only.
pub fn turnstone(args: &[&str]) -> Ran {
    Ran::new(command().args(args).output().unwrap())
}

/// A device as a running process.
pub struct Session {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Session {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { input: child.stdin.take(), output, child }
    }

    /// Sends without waiting; false if the device is gone.
    pub fn send(&mut self, request: &Request) -> bool {
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        self.input.as_mut().is_some_and(|input| input.write_all(&line).is_ok())
    }

    /// The next answer; none if the device is gone.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    #[track_caller]
    pub fn ask(&mut self, request: &Request) -> Answer {
        assert!(self.send(request), "the device is gone");
        self.answer().expect("the device is gone")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in order.
    pub fn finish(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server as a running process. Killed when dropped.
pub struct Server {
    pub child: Child,
    pub url: String,
    pub log: PathBuf,
}

impl Server {
    /// Starts one on a free port.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    pub fn start_with(folder: &Path, more: &[&str]) -> Self {
        let log = folder.join("server.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child = command()
            .args(["--json", "serve", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--log", "json", "--db"])
            .arg(folder.join("server.db"))
            .args(more)
            .env("TURNSTONE_KEY", KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Json = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the server said {line:?}: {}", std::fs::read_to_string(&log).unwrap()));
        Self { child, url: started["listening"].as_str().unwrap().to_owned(), log }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn state_hash(&self, token: &str) -> Json {
        turnstone(&["--json", "state-hash", "--remote", "--server", &self.url, "--token", token]).json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A token of the tenant `tenant` for servers started here.
pub fn token(tenant: &str) -> String {
    let ran =
        Ran::new(command().args(["token", "--json", "--tenant", tenant]).env("TURNSTONE_KEY", KEY).output().unwrap());
    ran.json()["token"].as_str().unwrap().to_owned()
}

/// Everything a process wrote so far.
pub fn read(path: &Path) -> String {
    let mut text = String::new();
    std::fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

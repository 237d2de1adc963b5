//! The processes of the demo: a server, and devices that are driven over their stdin and stdout.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::device::{Answer, Request};
use crate::exit::Exit;
use crate::failure::Failure;

/// A server process. Ends with the demo, also if that is killed.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    /// Where it listens, as `host:port`.
    pub address: String,
}

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerSetup {
    /// The `turnstone` command.
    pub program: PathBuf,
    /// Its database.
    pub db: PathBuf,
    /// The schema document.
    pub schema: PathBuf,
    /// The secret its tokens are signed with.
    pub key: String,
    /// Where its log goes.
    pub log: PathBuf,
}

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

impl ServerProcess {
    /// Starts a server on a free port and waits until it listens.
    ///
    /// # Errors
    /// A failure with where to look.
    pub async fn start(setup: &ServerSetup) -> Result<Self, Failure> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&setup.log);
        let log = log.map_err(|error| Failure::file(&setup.log, &error))?;
        let mut child = Command::new(&setup.program)
            .args(["--json", "serve", "--listen", "127.0.0.1:0", "--stop-with-stdin", "--log", "json"])
            .arg("--db")
            .arg(&setup.db)
            .arg("--schema")
            .arg(&setup.schema)
            .env("TURNSTONE_KEY", &setup.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| unstarted("server", &error))?;
        let mut lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let line = match &mut lines {
            Some(lines) => lines.next_line().await.ok().flatten(),
            None => None,
        };
        let listening = line.and_then(|line| serde_json::from_str::<Listening>(&line).ok()).ok_or_else(|| {
            let next = format!("Its log is {}.", setup.log.display());
            Failure::new(Exit::Failure, "demo_server", "The server did not start.", next)
        })?;
        let address = listening.listening.trim_start_matches("http://").to_owned();
        Ok(Self { child, address })
    }

    /// Kills it as a crash would (SIGKILL).
    ///
    /// # Errors
    /// A failure of the system.
    pub async fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(|error| unstarted("server", &error))
    }
}

/// A device process.
#[derive(Debug)]
pub struct DeviceProcess {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a device is started with.
#[derive(Debug, Clone)]
pub struct DeviceSetup {
    /// The `turnstone` command.
    pub program: PathBuf,
    /// Its database.
    pub db: PathBuf,
    /// The schema document.
    pub schema: PathBuf,
    /// The server, seen through its link.
    pub server: String,
    /// Its access token.
    pub token: String,
    /// How wrong its clock is.
    pub clock_offset: &'static str,
    /// How long it waits for an answer.
    pub timeout_ms: u64,
}

impl DeviceProcess {
    /// Starts a device.
    ///
    /// # Errors
    /// A failure of the system.
    pub fn start(setup: &DeviceSetup) -> Result<Self, Failure> {
        let mut child = Command::new(&setup.program)
            .arg("device")
            .arg("--db")
            .arg(&setup.db)
            .arg("--schema")
            .arg(&setup.schema)
            .args(["--server", &setup.server])
            .args(["--clock-offset", setup.clock_offset])
            .args(["--timeout-ms", &setup.timeout_ms.to_string()])
            .env("TURNSTONE_TOKEN", &setup.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| unstarted("device", &error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { child, input, output: BufReader::new(output).lines() }),
            _ => Err(ended()),
        }
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// A failure if the device ended.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut answers = self.ask_all(std::slice::from_ref(request)).await?;
        answers.pop().ok_or_else(ended)
    }

    /// Asks many things and reads the answers, in order, as they come.
    ///
    /// # Errors
    /// A failure if the device ended.
    pub async fn ask_all(&mut self, requests: &[Request]) -> Result<Vec<Answer>, Failure> {
        let answers = self.ask_until_end(requests).await;
        if answers.len() == requests.len() { Ok(answers) } else { Err(ended()) }
    }

    /// Asks many things and gives the answers that came before the device ended.
    pub async fn ask_until_end(&mut self, requests: &[Request]) -> Vec<Answer> {
        let (input, output) = (&mut self.input, &mut self.output);
        let send = async move {
            for request in requests {
                let mut line = serde_json::to_vec(request).unwrap_or_default();
                line.push(b'\n');
                // A device that ended reads no more; the missing answers tell.
                if input.write_all(&line).await.is_err() {
                    return;
                }
            }
            drop(input.flush().await);
        };
        let receive = async move {
            let mut answers = Vec::with_capacity(requests.len());
            while answers.len() < requests.len() {
                let Ok(Some(line)) = output.next_line().await else { break };
                let Ok(answer) = serde_json::from_str(&line) else { break };
                answers.push(answer);
            }
            answers
        };
        tokio::join!(send, receive).1
    }

    /// Writes requests without reading, kills the device as a crash would (SIGKILL) once `answers` were read, and
    /// gives all the answers that it had sent.
    ///
    /// # Errors
    /// A failure of the system.
    pub async fn kill_after(mut self, requests: &[Request], answers: usize) -> Result<Vec<Answer>, Failure> {
        let (now, rest) = requests.split_at(answers.min(requests.len()));
        let mut read = self.ask_until_end(now).await;
        let mut bytes = Vec::new();
        for request in rest {
            bytes.extend(serde_json::to_vec(request).unwrap_or_default());
            bytes.push(b'\n');
        }
        // The device is busy with the rest, or not, when the blow comes: either is a crash worth surviving.
        drop(tokio::time::timeout(std::time::Duration::from_millis(20), self.input.write_all(&bytes)).await);
        self.child.kill().await.map_err(|error| unstarted("device", &error))?;
        while let Ok(Some(line)) = self.output.next_line().await {
            match serde_json::from_str(&line) {
                Ok(answer) => read.push(answer),
                Err(_) => break,
            }
        }
        Ok(read)
    }

    /// Lets the device close its database and end.
    ///
    /// # Errors
    /// A failure if it did not end well.
    pub async fn finish(self) -> Result<(), Failure> {
        let Self { mut child, input, .. } = self;
        drop(input);
        match child.wait().await {
            Ok(status) if status.success() => Ok(()),
            _ => Err(ended()),
        }
    }
}

/// The `turnstone` command that is running.
///
/// # Errors
/// A failure of the system.
pub fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| unstarted("demo", &error))
}

/// Writes a file of the demo.
///
/// # Errors
/// A failure of the disk.
pub fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::file(path, &error))
}

fn unstarted(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, "demo_process", format!("The {what} process cannot be run: {error}."), "Try again.")
}

fn ended() -> Failure {
    Failure::new(Exit::Failure, "demo_device", "A device process ended before it answered.", "Its error is above.")
}

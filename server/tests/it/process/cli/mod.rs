//! The commands that talk to a server: the real binary beside a running server.

mod checks;
mod describe;
mod exit_codes;
mod keys;
mod lists;
mod lost_answers;
mod moving;
mod terminal;

use std::io::Write;
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::test_app::{Session, TestApp};

/// What a command left behind.
#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Finished {
    /// The error, which is one line and nothing else on standard error.
    fn error(&self) -> &str {
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_default();
        assert!(lines.next().is_none(), "more than a line: {}", self.stderr);
        line.strip_prefix("error: ").unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    /// The cells of each line of standard output.
    fn cells(&self) -> Vec<Vec<&str>> {
        self.stdout.lines().map(|line| line.split('\t').collect()).collect()
    }
}

/// The binary, which sees nothing of the test's environment.
fn latchkey(base: &str, token: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.env_clear().env("LATCHKEY_URL", base).env("LATCHKEY_TOKEN", token);
    command
}

/// Runs a command to its end. The server of the test goes on meanwhile.
async fn finish(mut command: Command, stdin: &str) -> Finished {
    let stdin = stdin.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may have ended.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl TestApp {
    /// Runs a command as this person.
    async fn latchkey(&self, who: &Session, arguments: &[&str]) -> Finished {
        let mut command = latchkey(&self.base, &who.jwt);
        command.args(arguments);
        finish(command, "").await
    }

    /// The same for a command that has to be done; what it wrote.
    async fn done(&self, who: &Session, arguments: &[&str]) -> Finished {
        let finished = self.latchkey(who, arguments).await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished
    }
}

/// A server that gives everybody the same answer; its URL, and the heads of the requests it got.
async fn canned(answer: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                if count == 0 {
                    break;
                }
                head.extend_from_slice(&bytes[..count]);
            }
            let _ = sender.send(String::from_utf8_lossy(&head).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (base, receiver)
}

/// An answer in HTTP, after which the connection is closed.
fn answer(status: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

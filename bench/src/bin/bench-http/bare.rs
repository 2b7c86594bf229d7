//! The baseline for Latchkey: a handler that only does HTTP and JSON.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt;
use serde::Deserialize;

/// The baseline as a child process.
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Starts this program again as a server that responds with `answer`.
    pub(crate) fn start(answer: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bare", answer])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it says nothing")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // Fails only if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing is what it is for")]
struct Body {
    key: String,
    application_id: Option<String>,
    model: Option<String>,
    cost: Option<u64>,
    ip: Option<String>,
}

/// Serves until it is killed, with as many threads as Latchkey.
pub(crate) fn serve(answer: String) -> anyhow::Result<()> {
    let answer = axum::body::Bytes::from(answer);
    let handler = move |Json(_): Json<Body>| {
        let answer = answer.clone();
        async move { ([(CONTENT_TYPE, "application/json")], answer).into_response() }
    };
    let app = axum::Router::new().route(super::PATH, post(handler));
    std::thread::scope(|scope| {
        // On another thread, outside the runtime of `main`.
        let serving = scope.spawn(|| {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                latchkey_bench::report::say(&listener.local_addr()?.to_string());
                let listener = listener.tap_io(|connection| {
                    let _ = connection.set_nodelay(true);
                });
                anyhow::Ok(axum::serve(listener, app).await?)
            })
        });
        serving.join().map_err(|_| anyhow::anyhow!("the bare server panicked"))?
    })
}

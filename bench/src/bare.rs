//! The baseline for Latchkey: a bare server as a child process, which is this program again.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::report;

/// The baseline as a child process. It ends with the bench.
pub struct Bare {
    child: Child,
    /// Address that it listens on.
    pub address: SocketAddr,
}

impl Bare {
    /// Starts this program again with these arguments, upon which it has to call [`serve`] or
    /// [`listen`].
    ///
    /// # Errors
    /// The program can't be started, or does not say where it listens.
    pub fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it says nothing")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// Process ID of the baseline.
    #[must_use]
    pub fn pid(&self) -> u32 {
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

/// Serves until it is killed, with as many threads as Latchkey.
///
/// # Errors
/// No port is free.
pub fn serve(app: Router) -> anyhow::Result<()> {
    listen(move |listener| serve_at(listener, app))
}

async fn serve_at(listener: TcpListener, app: Router) -> anyhow::Result<()> {
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

/// Prints the address of a new listener and passes it to `serving`, on a runtime with as many
/// threads as Latchkey's.
///
/// # Errors
/// No port is free, or those of `serving`.
pub fn listen<F, S>(serving: F) -> anyhow::Result<()>
where
    F: FnOnce(TcpListener) -> S + Send,
    S: Future<Output = anyhow::Result<()>>,
{
    std::thread::scope(|scope| {
        // On another thread, outside the runtime of `main`.
        let serving = scope.spawn(|| {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                report::say(&listener.local_addr()?.to_string());
                serving(listener).await
            })
        });
        serving.join().map_err(|_| anyhow::anyhow!("the bare server panicked"))?
    })
}

//! Something that a load generator calls: nginx with a door or without, or who is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use latchkey_bench::connection::{Connection, get_with_api_key};
use latchkey_bench::mixed::{self, Expected, MixedLoad};
use latchkey_bench::process;
use latchkey_bench::server::Server;
use latchkey_bench::side::Side;
use latchkey_bench::wrk::Wrk;

use crate::nginx::ANSWER;

const CONNECTIONS: usize = 32;
const ROUND: Duration = Duration::from_secs(2);
/// Nobody’s key.
const WRONG_KEY: &str = "wrong";

/// What a good key is answered with.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// nginx's file.
    File,
    Nothing,
}

pub(crate) struct Door {
    pub(crate) name: &'static str,
    load: MixedLoad,
    path: String,
    /// Whose processor time counts.
    pid: u32,
    pub(crate) side: Side,
    /// Made with the first round by wrk.
    wrk: Option<Wrk>,
}

impl Door {
    pub(crate) fn new(
        name: &'static str,
        address: SocketAddr,
        (path, answer): (&str, Answer),
        pid: u32,
        keys: &[String],
    ) -> Self {
        let requests: Arc<[_]> =
            keys.iter().map(|key| get_with_api_key(address, path, key)).collect();
        let expected = match answer {
            Answer::File => Expected { begins_with: ANSWER.as_bytes(), length: ANSWER.len() },
            Answer::Nothing => Expected { begins_with: b"", length: 0 },
        };
        let load =
            MixedLoad { address, requests, expected, connections: CONNECTIONS, duration: ROUND };
        Self { name, load, path: path.to_owned(), pid, side: Side::default(), wrk: None }
    }

    /// The same door without its figures.
    pub(crate) fn anew(self) -> Self {
        Self { side: Side::default(), ..self }
    }

    /// Has every key checked once and loads for a moment. Unless it is open to all, a wrong key
    /// must be refused.
    pub(crate) async fn warm_up(&self, open: bool) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.load.address).await?;
        let wrong = get_with_api_key(self.load.address, &self.path, WRONG_KEY);
        let status = connection.exchange(&wrong).await?.status;
        let name = self.name;
        ensure!(open || matches!(status, 401 | 403), "{name}: a wrong key is answered {status}");
        mixed::walk(&self.load).await?;
        mixed::run(&self.load).await?;
        Ok(())
    }

    /// Whether the server is under load through this door.
    pub(crate) fn is_ours(&self, server: &Server) -> bool {
        self.pid == server.pid()
    }

    pub(crate) async fn round(&mut self) -> anyhow::Result<()> {
        self.side.round(&self.load, || process::cpu_time_of_family(self.pid)).await
    }

    pub(crate) fn wrk_round(&mut self) -> anyhow::Result<()> {
        let wrk = match self.wrk.take() {
            Some(wrk) => wrk,
            None => Wrk::new(&self.load)?,
        };
        self.side.wrk_round(&wrk, || process::cpu_time_of_family(self.pid))?;
        self.wrk = Some(wrk);
        Ok(())
    }
}

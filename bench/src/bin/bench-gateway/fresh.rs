//! Figures of a server that has just started: its memory, and 512 streams at once.
//!
//! A server that was under load before keeps memory that streams would then use again.

use std::time::Duration;

use latchkey_bench::account::Account;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_bench::{load, process, report};

use crate::cell::{Cell, Kind, Via};
use crate::results::Goal;
use crate::subject::{self, Programs};
use crate::{results, streams};

const IDLE: &str = "gateway_idle";
const STREAMS: &str = "gateway_streams_c512";
/// The same streams without the gateway: what the upstream and the load generator do alone.
const DIRECT_STREAMS: &str = "direct_streams_c512";
/// Names of the cells.
pub(crate) const CELLS: [&str; 3] = [IDLE, STREAMS, DIRECT_STREAMS];

/// From the start of a server until its memory is measured.
const REST: Duration = Duration::from_secs(3);
/// Calls before the streams: what the first calls of a process set up is no stream's.
const WARM_UP: Duration = Duration::from_millis(200);
/// MiB.
const IDLE_GOAL: f64 = 32.0;
/// KiB.
const STREAM_GOAL: f64 = 32.0;

/// Measures the cells that `is_wanted` names, and prints their figures.
pub(crate) async fn measure(
    programs: &Programs<'_>,
    clock: Stopwatch,
    is_wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    if is_wanted(DIRECT_STREAMS) {
        tell(DIRECT_STREAMS, &streams::observe(programs.upstream, "none", None, clock).await?);
    }
    if !is_wanted(IDLE) && !is_wanted(STREAMS) {
        return Ok(());
    }
    let server = subject::start_latchkey(programs.now, programs.upstreams).await?;
    tokio::time::sleep(REST).await;
    if is_wanted(IDLE) {
        let mib = f64::from(process::resident_kib(server.pid())?) / 1_024.0;
        results::figure("idle-rss-mib", mib, Goal::AtMost(IDLE_GOAL));
    }
    if is_wanted(STREAMS) {
        let key = subject::unlimited_key(&Account::sign_in(&server).await?).await?;
        let is_small = |cell: &&Cell| cell.connections == 1 && cell.kind != Kind::LongPrompt;
        let cells = Cell::all();
        for cell in cells.iter().filter(is_small).filter(|cell| cell.via == Via::Unlimited) {
            load::run(&cell.load(server.address, &key, WARM_UP)).await?;
        }
        let seen = streams::observe(server.address, &key, Some(server.pid()), clock).await?;
        tell(STREAMS, &seen);
        let stalls = u32::try_from(seen.stalls).map_or(f64::INFINITY, f64::from);
        results::figure("stream-stalls", stalls, Goal::AtMost(0.0));
        results::figure("stream-kib", seen.kib, Goal::AtMost(STREAM_GOAL));
    }
    Ok(())
}

fn tell(cell: &str, seen: &streams::Observed) {
    let streams::Observed { stalls, gaps, latest_beat, .. } = seen;
    report::say(&format!(
        "{cell}: {gaps} gaps above 50 ms, {stalls} of them without what upstream and load generator \
         were late by; the generator by at most {latest_beat:?}"
    ));
}

//! Many paced streams at once: events that come late, and the memory that a stream takes.
//!
//! The upstream writes the time into each event that it sends. A gap between two events of a
//! stream is the upstream's as far as it sent the second one later than its pace, and the load
//! generator's as far as it was late itself: a task on its thread wakes up every 5 ms, and what a
//! wake-up was late by is taken off the gaps that ended by then. What is left is the gateway's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use latchkey_bench::connection::post;
use latchkey_bench::process;
use latchkey_bench::stopwatch::Stopwatch;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::cell::MODEL;
use crate::stamp;
use crate::upstream::{PACE, PACED};

/// Number of streams.
const STREAMS: u32 = 512;
/// Files that this program has open: both ends of each stream at the upstream, and a few more.
const FILES: u64 = 1_200;
/// Pause between two streams that are opened.
const APART: Duration = Duration::from_millis(2);
/// From the last stream's start to the measurement.
const SETTLE: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(8);
/// A longer gap is a stall.
const STALL: Duration = Duration::from_millis(50);
const BEAT: Duration = Duration::from_millis(5);
/// A stream that is silent for so long has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// What was seen of the streams.
pub(crate) struct Observed {
    /// Gaps above 50 ms, of which the upstream and the generator made less than is needed for it.
    pub(crate) stalls: usize,
    /// All gaps above 50 ms.
    pub(crate) gaps: usize,
    /// The most that a wake-up of the generator was late by.
    pub(crate) latest_beat: Duration,
    /// Memory of the server for each stream.
    pub(crate) kib: f64,
}

/// A gap above 50 ms between two events of a stream.
struct Gap {
    from: Duration,
    until: Duration,
    /// What the upstream was late by.
    upstream: Duration,
}

/// A late wake-up of the load generator.
struct Beat {
    from: Duration,
    until: Duration,
    late: Duration,
}

/// Opens the streams one after the other and follows them. `pid` is the server whose memory is
/// measured.
pub(crate) async fn observe(
    address: SocketAddr,
    key: &str,
    pid: Option<u32>,
    clock: Stopwatch,
) -> anyhow::Result<Observed> {
    let files = rlimit::increase_nofile_limit(FILES).context("the limit of open files")?;
    ensure!(files >= FILES, "{files} open files are too few for {STREAMS} streams");
    let resident = || pid.map_or(Ok(0), process::resident_kib);
    let before = resident()?;
    let stop = Arc::new(AtomicBool::new(false));
    let beats = tokio::spawn(beat(clock, Arc::clone(&stop)));
    let streams = open((address, key), clock, &stop).await?;
    tokio::time::sleep(SETTLE).await;
    let after = resident()?;
    let begin = clock.elapsed();
    tokio::time::sleep(RUN).await;
    let end = clock.elapsed();
    let after = after.max(resident()?);
    stop.store(true, Ordering::Relaxed);
    let gaps = streams.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let measured = |from: Duration| from >= begin && from <= end;
    let gaps = gaps.into_iter().flatten().filter(|gap| measured(gap.from));
    let (gaps, beats) = (gaps.collect::<Vec<_>>(), beats.await?);
    let stalls = gaps.iter().filter(|gap| of_the_gateway(gap, &beats) > STALL).count();
    let beats = beats.iter().filter(|beat| measured(beat.from));
    Ok(Observed {
        stalls,
        gaps: gaps.len(),
        latest_beat: beats.map(|beat| beat.late).max().unwrap_or_default(),
        kib: (f64::from(after) - f64::from(before)) / f64::from(STREAMS),
    })
}

async fn open(
    (address, key): (SocketAddr, &str),
    clock: Stopwatch,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<JoinSet<anyhow::Result<Vec<Gap>>>> {
    let messages = json!([{ "role": "user", "content": PACED }]);
    let body =
        json!({ "model": MODEL, "messages": messages, "max_tokens": 100_000, "stream": true });
    let request = post(address, "/v1/chat/completions", key, &body.to_string());
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&request).await?;
        streams.spawn(follow(stream, clock, Arc::clone(stop)));
        tokio::time::sleep(APART).await;
    }
    Ok(streams)
}

/// Reads a stream until `stop` and returns its gaps.
async fn follow(
    mut stream: TcpStream,
    clock: Stopwatch,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Gap>> {
    let mut unread = Vec::with_capacity(4 * 1024);
    let mut gaps = Vec::new();
    // When the last event was sent and when it arrived.
    let mut last: Option<(Duration, Duration)> = None;
    while !stop.load(Ordering::Relaxed) {
        let read = tokio::time::timeout(SILENCE, stream.read_buf(&mut unread)).await;
        let arrived = clock.elapsed();
        let text = || String::from_utf8_lossy(&unread).into_owned();
        let read = read.with_context(|| format!("a stream is silent after {}", text()))??;
        ensure!(read > 0, "a stream has ended after {}", text());
        ensure!(last.is_some() || unread.starts_with(b"HTTP/1.1 200"), "no stream: {}", text());
        for sent in stamp::take(&mut unread)? {
            if let Some((last_sent, from)) = last
                && arrived.saturating_sub(from) > STALL
            {
                let upstream = sent.saturating_sub(last_sent).saturating_sub(PACE);
                gaps.push(Gap { from, until: arrived, upstream });
            }
            last = Some((sent, arrived));
        }
    }
    Ok(gaps)
}

/// Wakes up every `BEAT` until `stop` and returns the late wake-ups.
async fn beat(clock: Stopwatch, stop: Arc<AtomicBool>) -> Vec<Beat> {
    let mut beats = Vec::new();
    let mut from = clock.elapsed();
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(BEAT).await;
        let until = clock.elapsed();
        let late = until.saturating_sub(from).saturating_sub(BEAT);
        // The timer itself is a millisecond or two late.
        if late >= BEAT {
            beats.push(Beat { from, until, late });
        }
        from = until;
    }
    beats
}

/// What is left of a gap without what the upstream and the load generator were late by.
fn of_the_gateway(gap: &Gap, beats: &[Beat]) -> Duration {
    // The late wake-up may come just before the late read, in the same turn of the runtime.
    let ended_in = |beat: &&Beat| beat.from <= gap.until && gap.until <= beat.until + BEAT;
    let generator = beats.iter().filter(ended_in).map(|beat| beat.late).max();
    let length = gap.until.saturating_sub(gap.from);
    length.saturating_sub(gap.upstream).saturating_sub(generator.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_is_not_the_gateways_when_others_were_late() {
        let at = Duration::from_millis;
        let gap = |upstream| Gap { from: at(100), until: at(180), upstream: at(upstream) };
        assert_eq!(of_the_gateway(&gap(0), &[]), at(80));
        assert_eq!(of_the_gateway(&gap(60), &[]), at(20));
        let beat = |until| Beat { from: at(until - 45), until: at(until), late: at(40) };
        assert_eq!(of_the_gateway(&gap(10), &[beat(178)]), at(30));
        assert_eq!(of_the_gateway(&gap(10), &[beat(170)]), at(70));
    }
}

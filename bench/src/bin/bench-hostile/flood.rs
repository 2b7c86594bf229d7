//! The flood: connections on a separate thread that post batches without a pause.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use latchkey_bench::connection::Connection;
use latchkey_bench::process;
use serde_json::json;

/// Name of the thread.
const GENERATOR: &str = "flood";
const CONNECTIONS: usize = 12;
const ITEMS: u64 = 10_000;
/// A time in the past: SDKs also send telemetry that they have buffered.
const START: u64 = 1_795_000_000_000;
const STEP: Duration = Duration::from_millis(5);
/// Start of each span id, which is replaced by the number of the call. A duplicate item would be
/// stored only once.
const CALL: &[u8; 8] = b"00f067aa";

#[derive(Default)]
struct State {
    runs: AtomicBool,
    under_way: AtomicUsize,
    items: AtomicU64,
    refused: AtomicU64,
}

/// Posts batches while it is switched on.
pub(crate) struct Flood(Arc<State>);

impl Flood {
    pub(crate) fn start(address: SocketAddr, key: &str, application: &str) -> Self {
        let state = Arc::new(State::default());
        let request: Arc<[u8]> = request(address, key, application).into();
        let flooding = Arc::clone(&state);
        let generator = std::thread::Builder::new().name(GENERATOR.to_owned());
        // If the thread can't be started, the bench reports that nothing was sent.
        let _ = generator.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            let connections = (0..CONNECTIONS).map(|number| {
                let batches = Batches::of(&request, number);
                post(address, batches, &flooding)
            });
            runtime.block_on(futures::future::join_all(connections));
        });
        Self(state)
    }

    /// Switches the flood on or off.
    pub(crate) fn run(&self, runs: bool) {
        self.0.runs.store(runs, Ordering::Release);
    }

    /// Processor time of the flood so far: sending, parsing and storing. What the server's own
    /// threads spend on receiving can't be separated, and counts as the checks'.
    pub(crate) fn cpu_time(server: u32) -> Duration {
        process::cpu_time_of_threads(std::process::id(), GENERATOR)
            + process::cpu_time_of_threads(server, "telemetry-")
            + process::cpu_time_of_processes("postgres")
    }

    /// Waits until no request is in progress.
    pub(crate) async fn rest(&self) {
        while self.0.under_way.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(STEP).await;
        }
    }

    /// Number of acknowledged items.
    pub(crate) fn items(&self) -> u64 {
        self.0.items.load(Ordering::Acquire)
    }

    /// Number of batches that were not acknowledged.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Acquire)
    }
}

/// Requests with different items each.
struct Batches {
    request: Vec<u8>,
    /// Where the number of the call goes.
    places: Vec<usize>,
    call: usize,
}

impl Batches {
    /// The batches of one connection.
    fn of(request: &[u8], connection: usize) -> Self {
        let places = request.windows(CALL.len()).enumerate();
        let places = places.filter(|(_, part)| *part == CALL).map(|(place, _)| place).collect();
        Self { request: request.to_vec(), places, call: connection << 24 }
    }

    fn next(&mut self) -> &[u8] {
        let number = format!("{:08x}", self.call);
        self.call += 1;
        for place in &self.places {
            self.request[*place..*place + CALL.len()].copy_from_slice(number.as_bytes());
        }
        &self.request
    }
}

async fn post(address: SocketAddr, mut batches: Batches, state: &State) {
    let mut connection = None;
    loop {
        if !state.runs.load(Ordering::Acquire) {
            tokio::time::sleep(STEP).await;
            continue;
        }
        state.under_way.fetch_add(1, Ordering::AcqRel);
        let request = batches.next();
        let status = match &mut connection {
            Some(connection) => send(connection, request).await,
            none => match Connection::open(address).await {
                Ok(opened) => send(none.insert(opened), request).await,
                Err(_) => None,
            },
        };
        state.under_way.fetch_sub(1, Ordering::AcqRel);
        match status {
            Some(200) => {
                state.items.fetch_add(ITEMS, Ordering::AcqRel);
            }
            refused => {
                state.refused.fetch_add(1, Ordering::AcqRel);
                if refused.is_none() {
                    connection = None;
                }
                tokio::time::sleep(STEP).await;
            }
        }
    }
}

/// The status of the response; `None` if the connection broke.
async fn send(connection: &mut Connection, request: &[u8]) -> Option<u16> {
    connection.exchange(request).await.ok().map(|exchange| exchange.status)
}

fn request(address: SocketAddr, key: &str, application: &str) -> Vec<u8> {
    let item = |index: u64| {
        json!({
            "timestamp": START + index, "requestMethod": "GET", "requestURL": format!("/orders/{index}"),
            "responseStatus": 200, "traceId": format!("4bf92f3577b34da6a3ce929d{index:08x}"),
            "spanId": format!("00f067aa{index:08x}"), "parentSpanId": null, "durationMs": 12.5,
        })
    };
    let items: Vec<_> = (0..ITEMS).map(item).collect();
    let body = json!({ "timestamp": START, "traces": items }).to_string();
    let length = body.len();
    format!(
        "POST /ingest/traces HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n\
         x-application-id: {application}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

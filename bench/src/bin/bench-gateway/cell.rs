//! A cell of the table: a kind of call, a route and a number of connections, over all rounds.

use std::net::SocketAddr;
use std::time::Duration;

use latchkey_bench::connection::{Exchange, post};
use latchkey_bench::load::{Load, Measured};
use latchkey_bench::report;
use latchkey_bench::side::paired_ratio;
use latchkey_bench::statistics::{median, percentile};
use serde_json::json;

/// Requested model.
pub(crate) const MODEL: &str = "qwen3.6-27b";

/// English text with characters that JSON escapes, as in code and chats.
const WORDS: &str = "The quick brown fox said \"no\", then jumped.\n\tIt was late: 22:15.\n";
/// A prompt of 100,000 tokens of four bytes each.
const LONG_PROMPT_BYTES: usize = 400_000;
pub(crate) const LONG_PROMPT_KIB: f64 = 390.625;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Streamed,
    /// Plain, with a prompt of 100,000 tokens.
    LongPrompt,
}

/// What a call goes through to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Direct,
    /// Through the gateway, with a key without limits.
    Unlimited,
    /// Through the gateway, with a key that has a token rate limit and a budget.
    Limited,
    /// As `Unlimited`, through an earlier build.
    Before,
    Nginx,
    /// Through a bare proxy of hyper's.
    Hyper,
}

impl Via {
    /// First part of the names of its cells.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Unlimited => "gateway",
            Self::Limited => "gateway_limited",
            Self::Before => "before",
            Self::Nginx => "nginx",
            Self::Hyper => "hyper",
        }
    }
}

/// A cell and its measurements of each round: milliseconds, and microseconds of the server's CPU.
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) via: Via,
    pub(crate) connections: usize,
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    first: Vec<f64>,
    requests: u32,
    server: Duration,
}

impl Cell {
    /// All cells. Those that are compared with each other are neighbors.
    pub(crate) fn all() -> Vec<Self> {
        let routes =
            [Via::Direct, Via::Unlimited, Via::Before, Via::Nginx, Via::Hyper, Via::Limited];
        let mut cells = Vec::new();
        for kind in [Kind::Plain, Kind::Streamed] {
            for connections in [1, 16] {
                cells.extend(routes.map(|via| Self::new(kind, via, connections)));
            }
        }
        let long = [Via::Unlimited, Via::Limited];
        cells.extend(long.map(|via| Self::new(Kind::LongPrompt, via, 1)));
        cells
    }

    const fn new(kind: Kind, via: Via, connections: usize) -> Self {
        Self {
            kind,
            via,
            connections,
            per_second: Vec::new(),
            p50: Vec::new(),
            p99: Vec::new(),
            first: Vec::new(),
            requests: 0,
            server: Duration::ZERO,
        }
    }

    /// The load of a round, with `key` at `address`.
    pub(crate) fn load(&self, address: SocketAddr, key: &str, duration: Duration) -> Load {
        let prompt = match self.kind {
            Kind::Plain | Kind::Streamed => "Hi".to_owned(),
            Kind::LongPrompt => WORDS.repeat(LONG_PROMPT_BYTES / WORDS.len()),
        };
        let messages = json!([{ "role": "user", "content": prompt }]);
        let streams = self.kind == Kind::Streamed;
        let body =
            json!({ "model": MODEL, "messages": messages, "max_tokens": 64, "stream": streams });
        let request = post(address, "/v1/chat/completions", key, &body.to_string()).into();
        Load { address, request, connections: self.connections, duration }
    }

    /// Whether the two differ in what they go through alone.
    pub(crate) fn is_compared_with(&self, other: &Self) -> bool {
        self.kind == other.kind && self.connections == other.connections
    }

    pub(crate) fn add(&mut self, measured: &Measured, server: Duration) {
        let at = |time: fn(&Exchange) -> Duration, percent| {
            let times = measured.exchanges.iter().map(time).collect();
            percentile(times, percent).as_secs_f64() * 1_000.0
        };
        self.per_second.push(measured.per_second());
        self.p50.push(at(|exchange| exchange.whole, 50));
        self.p99.push(at(|exchange| exchange.whole, 99));
        self.first.push(at(|exchange| exchange.first_byte, 50));
        self.requests += u32::try_from(measured.exchanges.len()).unwrap_or(u32::MAX);
        self.server += server;
    }

    /// The median of the rounds' ratios of throughputs.
    pub(crate) fn throughput_beside(&self, other: &Self) -> f64 {
        paired_ratio(&self.per_second, &other.per_second)
    }

    pub(crate) fn per_second(&self) -> f64 {
        median(self.per_second.clone())
    }

    pub(crate) fn p50(&self) -> f64 {
        median(self.p50.clone())
    }

    pub(crate) fn p99(&self) -> f64 {
        median(self.p99.clone())
    }

    pub(crate) fn first(&self) -> f64 {
        median(self.first.clone())
    }

    /// The server's processor time per request, over all rounds: its clock is too coarse for one
    /// round.
    pub(crate) fn server_micros(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / f64::from(self.requests.max(1))
    }

    /// Name of the cell in the output.
    pub(crate) fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Plain => "plain",
            Kind::Streamed => "stream",
            Kind::LongPrompt => "long_prompt",
        };
        format!("{}_{kind}_c{}", self.via.name(), self.connections)
    }

    pub(crate) fn row(&self) -> Vec<String> {
        let server = match self.via {
            Via::Direct => String::new(),
            _ => format!("{:.1}", self.server_micros()),
        };
        vec![
            self.name(),
            format!("{:.0}", self.per_second()),
            format!("{:.3}", self.p50()),
            format!("{:.3}", self.p99()),
            format!("{:.3}", self.first()),
            server,
        ]
    }

    /// Prints the figures of this cell.
    pub(crate) fn tell(&self) {
        let name = self.name();
        report::figure(&format!("{name}_rps"), self.per_second());
        report::figure(&format!("{name}_p50_ms"), self.p50());
        report::figure(&format!("{name}_p99_ms"), self.p99());
        report::figure(&format!("{name}_first_byte_ms"), self.first());
        if self.via != Via::Direct {
            report::figure(&format!("{name}_server_cpu_us"), self.server_micros());
        }
    }

    /// Prints the overhead compared with the direct route.
    pub(crate) fn compare(&self, direct: &Self) {
        let name = self.name();
        report::figure(&format!("{name}_added_p50_ms"), self.p50() - direct.p50());
        report::figure(&format!("{name}_added_p99_ms"), self.p99() - direct.p99());
        report::figure(&format!("{name}_added_first_byte_ms"), self.first() - direct.first());
        report::ratio(&format!("{name}_rps"), self.per_second() / direct.per_second());
    }
}

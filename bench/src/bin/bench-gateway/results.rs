//! The table, the figures and the ratios, with their goals.

use latchkey_bench::report;

use crate::cell::{Cell, Kind, LONG_PROMPT_KIB, Via};

/// What a value has to be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// It is told for comparison only.
    None,
}

/// Prints a figure, and whether it meets its goal.
pub(crate) fn figure(name: &str, value: f64, goal: Goal) {
    report::figure(name, value);
    judge(name, value, goal);
}

fn ratio(name: &str, value: f64, goal: Goal) {
    report::ratio(name, value);
    judge(name, value, goal);
}

fn judge(what: &str, value: f64, goal: Goal) {
    let (is_met, word, bound) = match goal {
        Goal::AtMost(most) => (value <= most, "at most", most),
        Goal::AtLeast(least) => (value >= least, "at least", least),
        Goal::None => return,
    };
    let met = if is_met { "met" } else { "MISSED" };
    report::say(&format!("goal {what}: {value:.3}, {word} {bound} ({met})"));
}

/// Prints all that the cells tell.
pub(crate) fn tell(cells: &[Cell]) {
    let head = ["", "requests/s", "p50 ms", "p99 ms", "first byte ms", "server µs/request"];
    let rows: Vec<Vec<String>> = cells.iter().map(Cell::row).collect();
    report::table(&head, &rows);
    for cell in cells {
        cell.tell();
    }
    for cell in cells.iter().filter(|cell| cell.via != Via::Direct) {
        if let Some(direct) = find(cells, Via::Direct, cell.kind, cell.connections) {
            cell.compare(direct);
        }
    }
    by_itself(cells);
    beside_before(cells);
    beside_proxies(cells);
}

fn find(cells: &[Cell], via: Via, kind: Kind, connections: usize) -> Option<&Cell> {
    let mut all = cells.iter();
    all.find(|cell| cell.via == via && cell.kind == kind && cell.connections == connections)
}

/// Goals that compare with nothing, or with no gateway at all.
fn by_itself(cells: &[Cell]) {
    let of = |via, kind, connections| find(cells, via, kind, connections);
    let one = |kind| of(Via::Direct, kind, 1).zip(of(Via::Unlimited, kind, 1));
    if let Some((direct, gateway)) = one(Kind::Plain) {
        judge("added p50, ms", gateway.p50() - direct.p50(), Goal::AtMost(0.10));
        judge("p99, ms", gateway.p99(), Goal::AtMost(0.9));
    }
    if let Some((direct, gateway)) = one(Kind::Streamed) {
        let added = gateway.first() - direct.first();
        judge("added to the first byte of a stream, ms", added, Goal::AtMost(1.0));
    }
    if let Some(many) = of(Via::Unlimited, Kind::Plain, 16) {
        let micros = many.server_micros();
        judge("server’s CPU a plain request at 16 connections, µs", micros, Goal::AtMost(50.0));
    }
    let short = of(Via::Unlimited, Kind::Plain, 1);
    if let Some((short, long)) = short.zip(of(Via::Limited, Kind::LongPrompt, 1)) {
        let micros = (long.server_micros() - short.server_micros()) / LONG_PROMPT_KIB;
        figure("cpu-us-per-prompt-kib", micros, Goal::AtMost(1.0));
    }
}

/// Ratios to an earlier build: processor time and throughput at 16 connections, times at one.
fn beside_before(cells: &[Cell]) {
    let pair = |kind, connections| {
        let now = find(cells, Via::Unlimited, kind, connections);
        now.zip(find(cells, Via::Before, kind, connections))
    };
    if let Some((now, before)) = pair(Kind::Plain, 16) {
        cpu("gateway-cpu-before", now, before, Goal::AtMost(0.6));
        let throughput = now.throughput_beside(before);
        ratio("gateway-throughput-before", throughput, Goal::AtLeast(1.5));
    }
    if let Some((now, before)) = pair(Kind::Streamed, 16) {
        cpu("gateway-stream-cpu-before", now, before, Goal::AtMost(0.4));
        let throughput = now.throughput_beside(before);
        ratio("gateway-stream-throughput-before", throughput, Goal::AtLeast(1.5));
    }
    let direct = find(cells, Via::Direct, Kind::Plain, 1);
    if let Some((direct, (now, before))) = direct.zip(pair(Kind::Plain, 1)) {
        let added =
            |time: fn(&Cell) -> f64| (time(now) - time(direct)) / (time(before) - time(direct));
        for (name, added) in [("p50", added(Cell::p50)), ("p99", added(Cell::p99))] {
            ratio(&format!("gateway-{name}-before"), added, Goal::AtMost(0.6));
        }
    }
}

/// Ratios to proxies that check nothing, of processor time at 16 connections.
fn beside_proxies(cells: &[Cell]) {
    let proxies =
        [(Via::Nginx, Goal::AtMost(2.5), Goal::AtMost(3.5)), (Via::Hyper, Goal::None, Goal::None)];
    for (via, plain, streamed) in proxies {
        for (what, kind, goal) in
            [("cpu", Kind::Plain, plain), ("stream-cpu", Kind::Streamed, streamed)]
        {
            let ours = find(cells, Via::Unlimited, kind, 16);
            if let Some((ours, theirs)) = ours.zip(find(cells, via, kind, 16)) {
                cpu(&format!("gateway-{what}-{}", via.name()), ours, theirs, goal);
            }
        }
    }
}

/// Prints a ratio of processor times of a request.
fn cpu(name: &str, ours: &Cell, theirs: &Cell, goal: Goal) {
    ratio(name, ours.server_micros() / theirs.server_micros(), goal);
}

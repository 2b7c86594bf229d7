#!/usr/bin/env bash
# reactive_graph (Leptos): `track` on a `Memo` that nobody has read subscribes to it and does not run it. A memo that
# never ran knows none of its sources, so nothing ever tells it, or what tracks it, that they changed: the effect runs
# once and never again. `with` or `get` runs it. On a signal, `track` is enough.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/src"
cat >"$WORK/Cargo.toml" <<'TOML'
[package]
name = "tracked"
version = "0.0.0"
edition = "2024"

[dependencies]
any_spawner = { version = "=0.3.0", features = ["tokio"] }
reactive_graph = { version = "=0.2.16", features = ["effects"] }
tokio = { version = "=1.54.1", features = ["rt", "time"] }

[profile.dev]
debug = false
TOML
cat >"$WORK/src/main.rs" <<'RUST'
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reactive_graph::computed::Memo;
use reactive_graph::effect::Effect;
use reactive_graph::owner::Owner;
use reactive_graph::prelude::*;
use reactive_graph::signal::RwSignal;

/// How often an effect runs, that looks at a memo by `look`, while the memo's source changes three times.
async fn runs(look: fn(Memo<u32>)) -> u32 {
    let source = RwSignal::new(0);
    let memo = Memo::new(move |_| source.get() * 2);
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    Effect::new(move || {
        look(memo);
        counted.fetch_add(1, Ordering::Relaxed);
    });
    for value in 1..=3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        source.set(value);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    count.load(Ordering::Relaxed)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        any_spawner::Executor::init_tokio().expect("the first");
        let owner = Owner::new();
        owner.set();
        let tracked = runs(|memo| memo.track()).await;
        let read = runs(|memo| memo.with(|_| ())).await;
        println!("reactive_graph 0.2.16, an effect on a memo whose source changes three times");
        println!("the effect calls track: it runs {tracked} time(s)");
        println!("the effect calls with: it runs {read} time(s)");
        assert_eq!((tracked, read), (1, 4), "this is no longer so");
    });
}
RUST
cd "$WORK"
cargo run --quiet

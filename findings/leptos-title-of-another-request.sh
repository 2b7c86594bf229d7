#!/usr/bin/env bash
# leptos_meta: the text of a `<Title>` that reads a signal is asked for when the head is written, after the page is
# rendered and after one turn of the executor, and leptos_integration_utils (leptos_axum, leptos_actix) awaits that
# outside the request's arena. Signals are then looked for in the arena that the thread used last. If that is another
# request's, the title is the other page's, or a panic (“already been disposed”) and so a 500. A title that is made
# with the page, as a `String`, is right.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/src"
cat >"$WORK/Cargo.toml" <<'TOML'
[package]
name = "titles"
version = "0.0.0"
edition = "2024"

[dependencies]
any_spawner = { version = "=0.3.0", features = ["tokio"] }
futures = "=0.3.34"
hydration_context = "=0.3.2"
leptos = { version = "=0.8.23", features = ["ssr"] }
leptos_meta = { version = "=0.8.7", features = ["ssr"] }
tokio = { version = "=1.54.1", features = ["rt"] }
# As leptos_integration_utils 0.8.9 has it.
reactive_graph = { version = "=0.2.16", features = ["sandboxed-arenas"] }

[profile.dev]
debug = false
TOML
cat >"$WORK/src/main.rs" <<'RUST'
use std::sync::Arc;

use futures::{StreamExt, stream};
use hydration_context::SsrSharedContext;
use leptos::prelude::*;
use leptos_meta::{MetaTags, ServerMetaContext, ServerMetaContextOutput, Title, provide_meta_context};

/// Renders a page as the integrations do; its head is yet to be written.
fn render(name: &'static str, early: bool) -> (Owner, ServerMetaContextOutput, String) {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new())));
    let (meta, output) = ServerMetaContext::new();
    let html = owner.with(|| {
        provide_context(meta);
        provide_meta_context();
        let title = RwSignal::new(name.to_owned());
        let title = move || title.get();
        let title = if early { view! { <Title text=title()/> }.into_any() } else { view! { <Title text=title/> }.into_any() };
        view! { <html><head><MetaTags/></head><body>{title}</body></html> }.to_html()
    });
    (owner, output, html)
}

/// The title of page “one”, the head of which is written after page “two” was rendered.
fn title(early: bool) -> String {
    let (_one, output, html) = render("one", early);
    let _two = render("two", early);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let page = runtime.block_on(async {
        let parts = output.inject_meta_context(stream::iter([html])).await;
        parts.collect::<String>().await
    });
    let (_, rest) = page.split_once("<title>").expect("a title");
    rest.split('<').next().unwrap_or_default().to_owned()
}

fn main() {
    any_spawner::Executor::init_tokio().expect("the first");
    let (late, early) = (title(false), title(true));
    println!("leptos 0.8.23, leptos_meta 0.8.7, reactive_graph 0.2.16");
    println!("page “one”, its title read from a signal: <title>{late}</title>");
    println!("page “one”, its title made with the page: <title>{early}</title>");
    assert_eq!((late.as_str(), early.as_str()), ("two", "one"), "this is no longer so");
}
RUST
cd "$WORK"
cargo run --quiet

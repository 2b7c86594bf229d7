//! The environment of a key, live or test, as a tag. It always contains the word; test is also
//! dashed.

use latchkey_domain::key::Environment;
use leptos::prelude::*;

/// “Live” with a full line, or “Test” with a dashed one.
#[component]
pub fn EnvironmentTag(
    /// Environment to show.
    environment: Environment,
) -> impl IntoView {
    let look = match environment {
        Environment::Live => "border-live-line bg-live-soft text-live-ink",
        Environment::Test => "border-dashed border-test-line bg-test-soft text-test-ink",
    };
    view! {
        <span class=format!(
            "inline-flex h-5 shrink-0 items-center rounded-xs border px-1.5 text-caption font-medium {look}",
        )>{environment.label()}</span>
    }
}

//! A short notice in a box. One per dialog, at the top.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// What kind of notice it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A neutral hint for the user.
    Info,
    /// A warning that needs attention.
    Warn,
    /// It failed, or it destroys.
    Danger,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Info => "border-accent-line bg-accent-soft text-accent-ink",
            Self::Warn => "border-warn-line bg-warn-soft text-warn-ink",
            Self::Danger => "border-danger-line bg-danger-soft text-danger-ink",
        }
    }

    const fn glyph(self) -> Glyph {
        match self {
            Self::Info => Glyph::Info,
            Self::Warn => Glyph::TriangleAlert,
            Self::Danger => Glyph::CircleX,
        }
    }
}

/// A notice beside the content.
#[component]
pub fn Callout(
    /// What kind of notice it is.
    tone: Tone,
    /// Another icon than the tone's own.
    #[prop(optional, into)]
    glyph: Option<Glyph>,
    /// Whether it appears after something was done, so that screen readers must say it at once.
    #[prop(optional)]
    alert: bool,
    /// Text of the notice.
    children: Children,
) -> impl IntoView {
    view! {
        <div
            role=alert.then_some("alert")
            class=format!("flex items-start gap-2.5 rounded-md border p-3 text-table {}", tone.class())
        >
            <Icon glyph=glyph.unwrap_or_else(|| tone.glyph()) class="mt-px"/>
            <div class="min-w-0 grow">{children()}</div>
        </div>
    }
}

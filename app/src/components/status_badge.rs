//! Where something stands, as a word in a pill: a key, an HTTP status, the level of a log line. Colour
//! only repeats what the word says.

use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// The colour of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadgeTone {
    /// It works.
    Ok,
    /// It needs a look.
    Warn,
    /// It failed, or was stopped.
    Danger,
    /// Neither good nor bad.
    Neutral,
}

impl BadgeTone {
    const fn look(self) -> &'static str {
        match self {
            Self::Ok => "bg-ok-soft text-ok-ink",
            Self::Warn => "bg-warn-soft text-warn-ink",
            Self::Danger => "bg-danger-soft text-danger-ink",
            Self::Neutral => "bg-subtle text-ink-2",
        }
    }
}

#[component]
fn Badge(tone: BadgeTone, children: Children) -> impl IntoView {
    view! {
        <span class=format!(
            "inline-flex h-5 items-center gap-1 rounded-full px-2 text-caption font-medium whitespace-nowrap {}",
            tone.look(),
        )>{children()}</span>
    }
}

/// Where a key stands in its life.
#[component]
pub fn StatusBadge(
    /// The status.
    status: KeyStatus,
) -> impl IntoView {
    let (tone, word) = match status {
        KeyStatus::Active => (BadgeTone::Ok, "Active"),
        KeyStatus::Expired => (BadgeTone::Neutral, "Expired"),
        KeyStatus::Revoked => (BadgeTone::Danger, "Revoked"),
    };
    let sign = match status {
        KeyStatus::Active => {
            view! { <span class="mx-0.5 size-1.5 rounded-full bg-ok" aria-hidden="true"></span> }
                .into_any()
        }
        KeyStatus::Expired => view! { <Icon glyph=Glyph::TimerOff size=12/> }.into_any(),
        KeyStatus::Revoked => view! { <Icon glyph=Glyph::Ban size=12/> }.into_any(),
    };
    view! { <Badge tone>{sign} {word}</Badge> }
}

/// The HTTP status that an application answered with; 0 means that it did not answer.
#[component]
pub fn ResponseBadge(
    /// The status.
    status: u16,
) -> impl IntoView {
    let word = if status == 0 { "No answer".to_owned() } else { status.to_string() };
    view! { <Badge tone=response_tone(status)><span class="num">{word}</span></Badge> }
}

/// How serious a log line is, in the application's own word.
#[component]
pub fn LevelBadge(
    /// The level as it was sent.
    level: String,
) -> impl IntoView {
    view! {
        <Badge tone=level_tone(&level)>
            <span class="max-w-28 truncate">{level}</span>
        </Badge>
    }
}

const fn response_tone(status: u16) -> BadgeTone {
    match status {
        100..=299 => BadgeTone::Ok,
        300..=399 => BadgeTone::Neutral,
        400..=499 => BadgeTone::Warn,
        _ => BadgeTone::Danger,
    }
}

fn level_tone(level: &str) -> BadgeTone {
    match level.to_ascii_lowercase().as_str() {
        "error" | "err" | "fatal" | "critical" | "crit" | "alert" | "emergency" | "panic" => {
            BadgeTone::Danger
        }
        "warn" | "warning" => BadgeTone::Warn,
        _ => BadgeTone::Neutral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_levels_have_the_colour_of_their_meaning() {
        assert_eq!(response_tone(204), BadgeTone::Ok);
        assert_eq!(response_tone(304), BadgeTone::Neutral);
        assert_eq!(response_tone(404), BadgeTone::Warn);
        assert_eq!(response_tone(500), BadgeTone::Danger);
        assert_eq!(response_tone(0), BadgeTone::Danger);
        assert_eq!(level_tone("WARN"), BadgeTone::Warn);
        assert_eq!(level_tone("Error"), BadgeTone::Danger);
        assert_eq!(level_tone("info"), BadgeTone::Neutral);
    }
}

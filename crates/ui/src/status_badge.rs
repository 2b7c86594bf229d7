//! The status of a key, of an HTTP response or of a log line, as a badge. The colour only repeats
//! the word.

use latchkey_domain::api::{ListedKey, SpanStatus};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::budget::is_spent;
use super::icon::{Glyph, Icon};
use super::relative_time::is_soon;

/// The colour of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadgeTone {
    /// The key or request is fine.
    Ok,
    /// It is on its way from one state to another.
    Accent,
    /// It needs a look.
    Warn,
    /// It failed, or was stopped.
    Danger,
    /// Neither good nor bad.
    Neutral,
}

impl BadgeTone {
    const fn style(self) -> &'static str {
        match self {
            Self::Ok => "bg-ok-soft text-ok-ink",
            Self::Accent => "bg-accent-soft text-accent-ink",
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
            tone.style(),
        )>{children()}</span>
    }
}

/// The state of a key as its badge shows it. If several apply, the first of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Archived and hidden from lists.
    Archived,
    /// The key was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// Its calls are refused until it is enabled.
    Disabled,
    /// One of its budgets is used up.
    BudgetSpent,
    /// It has two secrets that work.
    Rotating,
    /// Its time is over within 7 days.
    ExpiresSoon,
    /// The key can be used.
    Active,
}

impl KeyState {
    /// The state of a key at `now`, if the time is known.
    pub fn of(listed: &ListedKey, now: Option<Timestamp>) -> Self {
        let ListedKey { key, old_secret, .. } = listed;
        let in_future = |time: Timestamp| now.is_none_or(|now| now < time);
        match key.status {
            _ if key.archived => Self::Archived,
            KeyStatus::Revoked => Self::Revoked,
            KeyStatus::Expired => Self::Expired,
            KeyStatus::Disabled => Self::Disabled,
            _ if key.budgets.iter().any(is_spent) => Self::BudgetSpent,
            KeyStatus::Active if old_secret.as_ref().is_some_and(|old| in_future(old.ends_at)) => {
                Self::Rotating
            }
            KeyStatus::Active => {
                let soon = key.expires_at.zip(now).is_some_and(|(end, now)| is_soon(end, now));
                if soon { Self::ExpiresSoon } else { Self::Active }
            }
        }
    }

    const fn style(self) -> (BadgeTone, Option<Glyph>, &'static str) {
        match self {
            Self::Archived => (BadgeTone::Neutral, Some(Glyph::Archive), "Archived"),
            Self::Revoked => (BadgeTone::Danger, Some(Glyph::Ban), "Revoked"),
            Self::Expired => (BadgeTone::Neutral, Some(Glyph::TimerOff), "Expired"),
            Self::Disabled => (BadgeTone::Neutral, Some(Glyph::CirclePause), "Disabled"),
            Self::BudgetSpent => (BadgeTone::Danger, Some(Glyph::Gauge), "Budget spent"),
            Self::Rotating => (BadgeTone::Accent, Some(Glyph::RefreshCw), "Rotating"),
            Self::ExpiresSoon => (BadgeTone::Warn, Some(Glyph::Clock), "Expires soon"),
            Self::Active => (BadgeTone::Ok, None, "Active"),
        }
    }
}

/// The badge of a key's state.
#[component]
pub fn StatusBadge(
    /// State of the key.
    state: KeyState,
) -> impl IntoView {
    let (tone, glyph, word) = state.style();
    let sign = match glyph {
        Some(glyph) => view! { <Icon glyph size=12/> }.into_any(),
        None => {
            view! { <span class="mx-0.5 size-1.5 rounded-full bg-ok" aria-hidden="true"></span> }
                .into_any()
        }
    };
    view! { <Badge tone>{sign} {word}</Badge> }
}

/// The HTTP status that an application answered with; 0 means that it did not answer.
#[component]
pub fn ResponseBadge(
    /// Status to show.
    status: u16,
) -> impl IntoView {
    let word = if status == 0 { "No answer".to_owned() } else { status.to_string() };
    view! { <Badge tone=response_tone(status)><span class="num">{word}</span></Badge> }
}

/// How a span ended that is no request, by its own word.
#[component]
pub fn SpanStatusBadge(
    /// Status to show.
    status: SpanStatus,
) -> impl IntoView {
    let (tone, word) = match status {
        SpanStatus::Ok => (BadgeTone::Ok, "Ok"),
        SpanStatus::Error => (BadgeTone::Danger, "Error"),
        SpanStatus::Unset => (BadgeTone::Neutral, "Unset"),
    };
    view! { <Badge tone>{word}</Badge> }
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

    fn listed(more: &serde_json::Value) -> ListedKey {
        let mut key = serde_json::json!({
            "id": "key_01h455vb4pex5vsknk084sn02q", "kind": "inference",
            "project_id": "prj_01h455vb4pex5vsknk084sn02q", "application_id": null,
            "name": "Support", "environment": "live", "masked": "lk_live_7Qm2...x9Kd",
            "status": "active", "archived": false, "disabled": false, "external_id": null,
            "metadata": {}, "tags": [], "scopes": [], "rpm": null, "tpm": null,
            "allowed_models": null, "allowed_cidrs": null,
            "created_at": "2026-01-01T00:00:00Z", "created_by": "usr_01h455vb4pex5vsknk084sn02q",
            "expires_at": "2026-05-15T00:00:00Z", "revoked_at": null, "archived_at": null,
            "last_used_at": null, "permissions": null, "last_used_ip": null, "old_secret": null,
            "budget": null,
            "budgets": [{
                "unit": "usd", "limit": "5", "period": "day", "used": "5", "reserved": "0",
                "remaining": "0", "resets_at": "2026-05-15T00:00:00Z",
            }],
        });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(key).unwrap()
    }

    #[test]
    fn a_spent_budget_is_told_before_what_the_key_could_still_do() {
        let now = Timestamp::parse("2026-05-14T12:00:00Z").ok();
        let state = |more| KeyState::of(&listed(&more), now);
        assert_eq!(state(serde_json::json!({})), KeyState::BudgetSpent);
        assert_eq!(state(serde_json::json!({ "status": "expired" })), KeyState::Expired);
        assert_eq!(state(serde_json::json!({ "status": "revoked" })), KeyState::Revoked);
        assert_eq!(state(serde_json::json!({ "status": "disabled" })), KeyState::Disabled);
        assert_eq!(state(serde_json::json!({ "budgets": [] })), KeyState::ExpiresSoon);
    }

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

//! “Is this my key?”: compares a pasted secret with the project's keys, in the browser alone.
//!
//! The project's keys are loaded when the dialog opens; after that, nothing is sent. The pasted
//! text is in the field and in one signal. Both are emptied when the dialog closes.

use latchkey_domain::api::{KeyFilter, ListedKey};
use latchkey_domain::id::ProjectId;
use latchkey_domain::secret::{KeyHint, MalformedSecret, PresentedKey};
use leptos::prelude::*;

use crate::api::{ApiError, list_project_keys};
use crate::components::error_state::ErrorState;
use latchkey_ui::button::Button;
use latchkey_ui::dialog::Dialog;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::field::TextField;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::masked_key::MaskedKey;
use latchkey_ui::relative_time::{browser_time, day_and_time};
use latchkey_ui::status_badge::{KeyState, StatusBadge};
use latchkey_ui::thousands;

/// The most keys that are looked through: this many fit into a browser, and a person who has more
/// knows where to look.
const MOST_KEYS: usize = 1_000;

/// What a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// No key, and why not.
    Malformed(MalformedSecret),
    /// A key; what may be shown of it.
    WellFormed(KeyHint),
}

/// What `text` is; nothing if it is empty.
fn judge(text: &str) -> Option<Verdict> {
    let text = text.trim();
    (!text.is_empty()).then(|| match PresentedKey::parse(text) {
        Ok(key) => Verdict::WellFormed(key.hint()),
        Err(why) => Verdict::Malformed(why),
    })
}

/// The keys whose visible characters are those of `hint`, and whether it is their old secret's.
fn matches(keys: &[ListedKey], hint: &KeyHint) -> Vec<(ListedKey, bool)> {
    let which = |listed: &ListedKey| {
        let is_old = listed.old_secret.as_ref().is_some_and(|old| old.masked.is(hint));
        (listed.key.masked.is(hint) || is_old).then_some(is_old)
    };
    keys.iter().filter_map(|listed| Some((listed.clone(), which(listed)?))).collect()
}

/// The keys of a project, of every kind and state, newest first, and whether these are all.
async fn all_keys(project: ProjectId) -> Result<(Vec<ListedKey>, bool), ApiError> {
    let filter = KeyFilter { archived: true, ..KeyFilter::default() };
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let page = list_project_keys(project, filter.clone(), cursor).await?;
        keys.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() || keys.len() >= MOST_KEYS {
            return Ok((keys, cursor.is_none()));
        }
    }
}

/// Dialog that finds a pasted key.
#[component]
pub fn IsMine(
    /// Whose keys are looked through.
    project: ProjectId,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let keys = LocalResource::new(move || all_keys(project));
    let verdict = Memo::new(move |_| text.with(|text| judge(text)));
    let close = move |()| {
        text.set(String::new());
        on_close.run(());
    };
    view! {
        <Dialog
            title="Is this my key?"
            on_close=close
            footer=move || view! { <Button on_press=close>"Close"</Button> }
        >
            <div class="flex flex-col gap-4">
                <TextField
                    name="pasted-key"
                    label="Paste a key"
                    value=text
                    hint="It is compared in this browser. Nothing is sent or stored."
                    autofocus=true
                />
                <div role="status" class="flex flex-col gap-3">
                    {move || match verdict.get()? {
                        Verdict::Malformed(why) => Some(view! { <NoKey why/> }.into_any()),
                        Verdict::WellFormed(hint) => Some(view! { <AKey hint keys/> }.into_any()),
                    }}
                </div>
            </div>
        </Dialog>
    }
}

#[component]
fn NoKey(why: MalformedSecret) -> impl IntoView {
    view! {
        <p class="flex gap-2 text-danger-ink">
            <Icon glyph=Glyph::CircleX class="mt-px"/>
            <span>
                <span class="font-medium">"This isn’t a complete key. "</span>
                {why.to_string()}
            </span>
        </p>
    }
}

#[component]
fn AKey(
    hint: KeyHint,
    keys: LocalResource<Result<(Vec<ListedKey>, bool), ApiError>>,
) -> impl IntoView {
    let environment = hint.environment.as_str();
    view! {
        <p class="flex gap-2 text-ok-ink">
            <Icon glyph=Glyph::CircleCheck class="mt-px"/>
            {format!("This is a well-formed {environment} key: its checksum is right.")}
        </p>
        {move || match keys.get() {
            None => view! { <p class="text-ink-2">"Looking through the project’s keys…"</p> }.into_any(),
            Some(Err(error)) => view! {
                <ErrorState title="Couldn’t load keys" error on_retry=move |()| keys.refetch()/>
            }
            .into_any(),
            Some(Ok((keys, all))) => {
                let found = matches(&keys, &hint);
                if found.is_empty() {
                    view! { <NoMatch count=keys.len() all/> }.into_any()
                } else {
                    view! { <Matches found/> }.into_any()
                }
            }
        }}
    }
}

#[component]
fn NoMatch(count: usize, all: bool) -> impl IntoView {
    let compared = if all {
        "It was compared with all keys, including revoked and archived ones.".to_owned()
    } else {
        let count = thousands(u64::try_from(count).unwrap_or(u64::MAX));
        format!("It was compared with the newest {count}; there are more.")
    };
    view! {
        <p class="text-ink-2">
            <span class="font-medium text-ink">"No key of this project matches. "</span>
            {compared}
        </p>
    }
}

#[component]
fn Matches(found: Vec<(ListedKey, bool)>) -> impl IntoView {
    let one = |(listed, is_old): (ListedKey, bool)| {
        let state = KeyState::of(&listed, browser_time());
        let ListedKey { key, old_secret, .. } = listed;
        let old = old_secret.filter(|_| is_old);
        let masked = old.as_ref().map_or(key.masked, |old| old.masked.clone());
        let revoked = state == KeyState::Revoked;
        let note = old.map(|old| {
            format!("This is its old secret, which works until {}.", day_and_time(old.ends_at))
        });
        view! {
            <li class="rounded-md border border-line bg-subtle p-3.5">
                <div class="flex flex-wrap items-center gap-2">
                    <span class="min-w-0 grow font-medium break-words">{key.name}</span>
                    <EnvironmentTag environment=key.environment/>
                    <StatusBadge state/>
                </div>
                <div class="mt-1"><MaskedKey hint=masked revoked/></div>
                {note.map(|note| view! { <p class="mt-1 text-caption text-ink-2">{note}</p> })}
            </li>
        }
    };
    view! {
        <div>
            <p class="mb-2 font-medium">"It matches:"</p>
            <ul class="flex flex-col gap-2">{found.into_iter().map(one).collect_view()}</ul>
            <p class="mt-2 text-caption text-ink-2">
                "The prefix, the first four and the last four characters are the same. Latchkey shows no \
                more of a key, so this is a match of the visible characters, not proof."
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::api::OldSecret;
    use latchkey_domain::time::Timestamp;

    use super::*;
    use crate::keys::sample;

    /// `secret` of `domain` with every random byte 0, which is the letter 0.
    fn secret() -> String {
        let prefix = "lk".parse().unwrap();
        let environment = latchkey_domain::key::Environment::Live;
        let secret = latchkey_domain::secret::SecretKey::generate(&prefix, environment, |_| {});
        secret.expose().to_owned()
    }

    fn listed(masked: &str, old: Option<&str>) -> ListedKey {
        let old_secret = old.map(|masked| OldSecret {
            masked: masked.parse().unwrap(),
            ends_at: Timestamp::parse("2026-05-15T14:32:00Z").unwrap(),
            last_used_at: None,
        });
        let key = sample::key(&serde_json::json!({ "kind": "api", "masked": masked }));
        ListedKey { key, last_used_ip: None, old_secret, budget: None }
    }

    #[test]
    fn a_text_is_judged_by_form_and_checksum() {
        let secret = secret();
        assert_eq!(judge("  "), None);
        assert!(matches!(judge(&format!(" {secret}\n")), Some(Verdict::WellFormed(_))));
        let mistyped = secret.replacen("_live_0", "_live_1", 1);
        assert_eq!(judge(&mistyped), Some(Verdict::Malformed(MalformedSecret::Checksum)));
        assert_eq!(judge("sk-abc"), Some(Verdict::Malformed(MalformedSecret::Form)));
    }

    #[test]
    fn the_visible_characters_find_the_key_and_its_old_secret() {
        let Some(Verdict::WellFormed(hint)) = judge(&secret()) else { panic!("no key") };
        let (same, other) = (hint.to_string(), "lk_live_7Qm2...x9Kd");
        let keys = [listed(&same, None), listed(other, None), listed(other, Some(&same))];
        let found: Vec<bool> =
            matches(&keys, &hint).into_iter().map(|(_, is_old)| is_old).collect();
        assert_eq!(found, [false, true]);
    }
}

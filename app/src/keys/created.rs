//! The dialog that shows a new key, once.
//!
//! The secret is in one signal, which the page owns and this dialog reads. Closing the dialog
//! empties the signal and removes what was rendered of it.

use latchkey_domain::api::ApiKey;
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::KeyScope;
use super::gateway_call::call_gateway;
use super::model_chips::models_in_words;
use super::page_state::NewSecret;
use super::service_call::use_service_key;
use crate::layout::server_url;
use latchkey_ui::button::{Button, IconButton, Variant};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::checkbox::Checkbox;
use latchkey_ui::clipboard::Copier;
use latchkey_ui::code_tabs::{CodeTabs, EnvLine};
use latchkey_ui::copy_field::CopyField;
use latchkey_ui::dialog::{Dialog, DialogWidth};
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::{browser_time, date};
use latchkey_ui::snippets::{Snippet, report_a_trace};

/// The dialog. It closes only if the user confirms that the key is stored, or insists.
#[component]
pub fn KeyCreated(
    /// The new secret. Emptied when the dialog closes.
    revealed: RwSignal<Option<NewSecret>>,
    /// Whose key it is.
    scope: Signal<KeyScope>,
    /// Called after the secret is gone.
    on_closed: Callback<()>,
) -> impl IntoView {
    let stored = RwSignal::new(false);
    let checking = RwSignal::new(false);
    let copier = Copier::that_stays();
    let secret = Signal::derive(move || {
        revealed.with(|new| {
            new.as_ref().map(|new| new.created.key.expose().to_owned()).unwrap_or_default()
        })
    });
    // A copy without the secret, so that the secret is in one place only.
    let key = revealed
        .with_untracked(|new| new.as_ref().map(|new| (new.created.api_key.clone(), new.rotated)));
    let Some((key, rotated)) = key else {
        return ().into_any();
    };
    let title = if rotated { "Copy your new secret now" } else { "Copy your key now" };
    let name = key.name.clone();
    let snippets = snippets_for(&key, scope);
    let finish = move || {
        revealed.set(None);
        on_closed.run(());
    };
    let want_to_close = move |()| {
        if stored.get_untracked() {
            finish();
        } else {
            checking.set(true);
        }
    };
    // Close the confirmation first, so that focus returns to the dialog below it.
    let close_anyway = move || {
        checking.set(false);
        finish();
    };
    let go_back = move || {
        checking.set(false);
        copier.copy(secret.get_untracked());
    };
    let done = move || {
        view! {
            <div class="flex w-full items-center justify-between gap-3 max-md:grid max-md:grid-cols-1 max-md:gap-2">
                <Checkbox name="stored" checked=stored>"I’ve stored this key somewhere safe"</Checkbox>
                <Button
                    variant=Variant::Primary
                    disabled=Signal::derive(move || !stored.get())
                    on_press=move |()| finish()
                >
                    "Done"
                </Button>
            </div>
        }
    };
    view! {
        <Dialog title width=DialogWidth::Large on_close=want_to_close footer=done>
            <div class="flex flex-col gap-4">
                <Callout tone=Tone::Warn>
                    <span class="font-medium">"This is the only time the full key is shown."</span>
                    " Latchkey keeps a hash, so nobody can show it to you again. If you lose it, rotate it."
                </Callout>
                <div class="flex flex-col gap-2">
                    <Heading key scope/>
                    <CopyField label="New key" text=secret action="Copy key" copier/>
                </div>
                <Usage secret snippets/>
            </div>
        </Dialog>
        <Show when=move || checking.get()>
            <CloseCheck name=name.clone() on_back=move |()| go_back() on_close=move |()| close_anyway()/>
        </Show>
    }
    .into_any()
}

/// What a program does with the key.
fn snippets_for(key: &ApiKey, scope: Signal<KeyScope>) -> Option<Vec<Snippet>> {
    let origin = server_url();
    match key.kind {
        KeyKind::Service => {
            let permissions = key.permissions.as_deref().unwrap_or_default();
            return Some(use_service_key(&origin, key.project_id, permissions));
        }
        KeyKind::Inference => return Some(call_gateway(&origin, key)),
        KeyKind::Api => {}
    }
    let to_name = scope.with_untracked(|scope| scope.application_to_name(key.application_id));
    browser_time().map(|now| report_a_trace(&origin, to_name, now))
}

/// Which key it is.
#[component]
fn Heading(key: ApiKey, scope: Signal<KeyScope>) -> impl IntoView {
    let application = match (key.kind, key.application_id) {
        (KeyKind::Service, _) => {
            let permissions = key.permissions.iter().flatten().map(|it| it.as_str());
            permissions.collect::<Vec<_>>().join(", ")
        }
        (KeyKind::Inference, _) => models_in_words(key.allowed_models.as_ref()),
        (_, Some(id)) => scope.with_untracked(|scope| scope.application_name(Some(id))),
        (_, None) => "all applications".to_owned(),
    };
    let expiry = match key.expires_at {
        Some(end) => format!("expires {}", date(end)),
        None => "never expires".to_owned(),
    };
    let state = if key.disabled { ", disabled until you enable it" } else { "" };
    view! {
        <p class="flex min-w-0 flex-wrap items-center gap-2">
            <span class="min-w-0 font-medium break-words">{key.name}</span>
            <EnvironmentTag environment=key.environment/>
            <span class="min-w-0 text-caption break-words text-ink-3 max-md:hidden">
                {format!("for {application}, {expiry}{state}")}
            </span>
        </p>
    }
}

/// The line for a `.env` file, the only place with the secret, and programs that read it from
/// there.
#[component]
fn Usage(secret: Signal<String>, snippets: Option<Vec<Snippet>>) -> impl IntoView {
    let line = Signal::derive(move || format!("LATCHKEY_KEY={}", secret.get()));
    let copier = Copier::new();
    view! {
        <div class="flex flex-col gap-2">
            <h3 class="text-table font-medium">"Add it to your app"</h3>
            <div class="flex min-h-9 items-center gap-3 rounded-md border border-line bg-code-bg py-0.5 pr-1 pl-3.5 font-mono text-code max-md:hidden">
                <span class="text-ink-3">".env"</span>
                <code class="min-w-0 grow break-all" node_ref=copier.shown>
                    <EnvLine line/>
                </code>
                <span class="font-sans text-caption whitespace-nowrap text-ink-2" role="status">
                    {move || copier.words()}
                </span>
                <IconButton
                    glyph=Glyph::Copy
                    label="Copy the .env line"
                    tooltip="Copy"
                    on_press=move |()| copier.copy(line.get_untracked())
                />
            </div>
            {snippets.map(|snippets| view! { <CodeTabs id="usage" snippets env_line=line/> })}
        </div>
    }
}

/// Asks once more before the key is gone for good.
#[component]
fn CloseCheck(
    name: String,
    #[prop(into)] on_back: Callback<()>,
    #[prop(into)] on_close: Callback<()>,
) -> impl IntoView {
    let buttons = move || {
        view! {
            <Button variant=Variant::DangerOutline on_press=on_close>"Close anyway"</Button>
            <Button variant=Variant::Primary glyph=Glyph::Copy autofocus=true on_press=on_back>
                "Go back and copy"
            </Button>
        }
    };
    view! {
        <Dialog
            title="Close without storing the key?"
            width=DialogWidth::Confirm
            confirm=true
            nested=true
            on_close=on_back
            footer=buttons
        >
            <p class="text-body text-ink-2">
                "The full key for " <span class="font-medium break-words text-ink">{name}</span>
                " won’t be shown again. You’d have to rotate it to get a new secret."
            </p>
        </Dialog>
    }
}

//! The fields that forms for keys share.

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::key::{Environment, KeyKind};
use leptos::prelude::*;

use super::KeyScope;
use super::form::{CUSTOM, EXPIRIES, KeyForm};
use crate::components::budget_fields::BudgetFields;
use latchkey_ui::field::{TextArea, TextField};
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::{browser_time, date_and_time};
use latchkey_ui::segmented::{Mark, Segment, Segmented};
use latchkey_ui::select::{Choice, Select};

const ENVIRONMENTS: &[Segment] = &[
    Segment::new(Environment::Live.as_str(), Environment::Live.label()).marked(Mark::Live),
    Segment::new(Environment::Test.as_str(), Environment::Test.label()).marked(Mark::Test),
];

/// Form field for the name.
#[component]
pub fn NameField(
    /// The form that it is in.
    form: KeyForm,
) -> impl IntoView {
    view! {
        <TextField
            name="name"
            label="Name"
            value=form.name.value
            hint="Shown in lists and in the audit log."
            error=form.name.error
            autofocus=true
        />
    }
}

/// Live or test, and what that means.
#[component]
pub fn EnvironmentField(
    /// The name of the chosen one.
    value: RwSignal<&'static str>,
) -> impl IntoView {
    let is_test = move || value.get() == Environment::Test.as_str();
    let meaning = move || {
        if is_test() {
            "Test keys run in the sandbox. Requests don’t count toward your plan’s quota, and their data is \
            deleted after 24 hours."
        } else {
            "Live keys work in production. Requests count toward your plan’s quota."
        }
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <span class="text-table font-medium" aria-hidden="true">"Environment"</span>
            <Segmented label="Environment" options=ENVIRONMENTS value on_change=move |chosen| value.set(chosen)/>
            <p
                class="mt-0.5 rounded-sm border px-2.5 py-2 text-caption"
                class=(["border-dashed", "border-test-line", "bg-test-soft", "text-test-ink"], is_test)
                class=(["border-live-line", "bg-live-soft", "text-live-ink"], move || !is_test())
                role="status"
            >
                {meaning}
            </p>
        </div>
    }
}

/// The application that the key is for: the page's, or one of the project's, or all of them.
#[component]
pub fn ApplicationField(
    /// Whose key it will be.
    scope: Signal<KeyScope>,
    /// The id of the chosen application; empty: all of them.
    value: RwSignal<String>,
) -> impl IntoView {
    let given = scope.with_untracked(|scope| scope.only.as_ref().map(|only| only.name.clone()));
    let hint = move || {
        if value.with(String::is_empty) {
            "Any application in this project can use it."
        } else {
            "Requests from any other application are denied."
        }
    };
    let field = match given {
        Some(name) => view! { <GivenApplication name/> }.into_any(),
        None => view! { <ApplicationSelect scope value/> }.into_any(),
    };
    view! {
        <div class="flex flex-col gap-1.5">
            {field}
            <p id="application-about" class="text-caption text-ink-3">{hint}</p>
        </div>
    }
}

/// The page's application: there is nothing to choose.
#[component]
fn GivenApplication(name: String) -> impl IntoView {
    view! {
        <span class="text-table font-medium">"Application"</span>
        <div class="flex h-9 items-center gap-2 rounded-sm border border-line bg-subtle px-2.5 text-table text-ink-2 max-md:h-11 max-md:text-[1rem]">
            <span class="min-w-0 grow truncate">{name}</span>
            <Icon glyph=Glyph::Lock size=14 class="text-ink-3"/>
        </div>
    }
}

#[component]
fn ApplicationSelect(scope: Signal<KeyScope>, value: RwSignal<String>) -> impl IntoView {
    let options = Signal::derive(move || {
        let all = std::iter::once(Choice::new("", "All applications"));
        scope.with(|scope| {
            all.chain(scope.applications.iter().map(|application| {
                Choice::new(application.id.to_string(), application.name.clone())
            }))
            .collect()
        })
    });
    view! {
        <Select
            name="application"
            label="Application"
            options
            value
            on_change=move |id| value.set(id)
            described_by="application-about"
        />
    }
}

/// When the key stops working.
#[component]
pub fn ExpiryField(
    /// The form that it is in.
    form: KeyForm,
) -> impl IntoView {
    let KeyForm { expiry, last_day, .. } = form;
    let is_custom = Memo::new(move |_| expiry.get() == CUSTOM);
    let meaning = move || match browser_time().map(|now| form.ends_at(now)) {
        Some(Ok(Some(end))) => format!("Stops working on {}.", date_and_time(end)),
        Some(Ok(None)) => "Works until you revoke it.".to_owned(),
        Some(Err(_)) | None => "Choose the last day, in UTC.".to_owned(),
    };
    view! {
        <div class="flex flex-col gap-1.5">
            <span class="text-table font-medium" aria-hidden="true">"Expires"</span>
            <Segmented label="Expires" options=EXPIRIES value=expiry on_change=move |chosen| expiry.set(chosen)/>
            <Show
                when=move || is_custom.get()
                fallback=move || view! { <p class="text-caption text-ink-3" role="status">{meaning}</p> }
            >
                <div class="mt-1.5">
                    <TextField
                        name="last-day"
                        label="Last day"
                        kind="date"
                        value=last_day.value
                        hint=Signal::derive(meaning)
                        error=last_day.error
                    />
                </div>
            </Show>
        </div>
    }
}

/// The limits that few keys have, out of the way until they are wanted.
#[component]
pub fn AdvancedFields(
    /// The form that they are in.
    form: KeyForm,
    /// What kind of key it is about.
    kind: KeyKind,
) -> impl IntoView {
    let KeyForm { advanced, rpm, networks, limits, .. } = form;
    let summary = Signal::derive(move || form.advanced_in_words(kind));
    view! {
        <div>
            <Disclosure label="Advanced" controls="advanced" open=advanced summary/>
            <div id="advanced" class="mt-4 flex flex-col gap-5" class:hidden=move || !advanced.get()>
                {(kind != KeyKind::Inference)
                    .then(|| {
                        view! {
                            <TextField
                                name="rpm"
                                label="Rate limit"
                                value=rpm.value
                                suffix="rpm"
                                keyboard="numeric"
                                placeholder="None"
                                hint="Requests in any 60 seconds. More get 429 with a Retry-After header."
                                error=rpm.error
                            />
                        }
                    })}
                {(kind == KeyKind::Api)
                    .then(|| {
                        view! {
                            <BudgetFields
                                form=limits.budgets
                                first=BudgetUnit::Requests
                                hint="When one is spent, requests get 429 until it resets."
                            />
                        }
                    })}
                <TextArea
                    name="networks"
                    label="Allowed addresses"
                    value=networks.value
                    placeholder="Any"
                    hint="One network per line, such as 203.0.113.0/24. Requests from elsewhere are denied."
                    error=networks.error
                />
            </div>
        </div>
    }
}

/// The button that shows or hides a part of a form.
#[component]
pub fn Disclosure(
    /// What the part is called.
    label: &'static str,
    /// The id of its element.
    controls: &'static str,
    /// Whether the part is in sight.
    open: RwSignal<bool>,
    /// What is filled in, while it is out of sight.
    summary: Signal<String>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="group flex min-h-6 w-full cursor-pointer items-start gap-2 rounded-xs text-left text-table max-md:min-h-11 max-md:items-center"
            aria-expanded=move || open.get().to_string()
            aria-controls=controls
            on:click=move |_| open.update(|open| *open = !*open)
        >
            <span class="mt-px inline-flex text-ink-2 group-aria-expanded:rotate-90">
                <Icon glyph=Glyph::ChevronRight size=14/>
            </span>
            <span class="font-medium">{label}</span>
            <span class="min-w-0 break-words text-ink-3">{move || (!open.get()).then(|| summary.get())}</span>
        </button>
    }
}

//! The dialog that makes a key for this application.

use latchkey_domain::api::{ApplicationContext, ApplicationKeyRequest, CreatedKey};
use latchkey_domain::key::Environment;
use latchkey_domain::name::KeyName;
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use crate::api::{ApiError, create_application_key};
use crate::components::button::{Button, Variant};
use crate::components::callout::{Callout, Tone};
use crate::components::dialog::Dialog;
use crate::components::field::TextField;
use crate::components::icon::{Glyph, Icon};
use crate::components::segmented::{Mark, Segment, Segmented};
use crate::components::slot_meter::{MeterPlace, SlotMeter};

const ENVIRONMENTS: &[Segment] = &[
    Segment::new(Environment::Live.as_str(), Environment::Live.label()).marked(Mark::Live),
    Segment::new(Environment::Test.as_str(), Environment::Test.label()).marked(Mark::Test),
];

/// What is filled in, and what came of it.
#[derive(Clone, Copy)]
struct Form {
    name: RwSignal<String>,
    environment: RwSignal<&'static str>,
    name_error: RwSignal<Option<String>>,
    refusal: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
}

impl Form {
    fn new() -> Self {
        let form = Self {
            name: RwSignal::new(String::new()),
            environment: RwSignal::new(Environment::default().as_str()),
            name_error: RwSignal::new(None),
            refusal: RwSignal::new(None),
            busy: RwSignal::new(false),
        };
        Effect::new(move || {
            form.name.track();
            form.name_error.set(None);
        });
        form
    }

    /// The request, if the name is one; else the field says why not.
    fn request(self) -> Option<ApplicationKeyRequest> {
        match self.name.with_untracked(|name| name.parse::<KeyName>()) {
            Ok(name) => {
                let environment = Environment::from_name(self.environment.get_untracked());
                Some(ApplicationKeyRequest {
                    name: Some(name),
                    environment: environment.unwrap_or_default(),
                })
            }
            Err(error) => {
                self.name_error.set(Some(error.to_string()));
                None
            }
        }
    }

    fn refuse(self, error: &ApiError) {
        if self.busy.try_set(false).is_some() {
            return;
        }
        let problem = error.problem();
        match problem.map(|problem| (problem.code, problem.field("name"))) {
            Some((ErrorCode::NameTaken, _)) => {
                let name = self.name.with_untracked(|name| name.trim().to_owned());
                self.name_error
                    .set(Some(format!("This project already has a key named “{name}”.")));
            }
            Some((_, Some(message))) => self.name_error.set(Some(message.to_owned())),
            Some((ErrorCode::TierLimitReached | ErrorCode::Forbidden, None)) => {
                self.refusal.set(problem.map(|problem| problem.detail.clone()));
            }
            _ => {
                self.refusal
                    .set(Some("Couldn’t create the key. Nothing was saved. Try again.".to_owned()));
            }
        }
    }
}

/// The dialog: name and environment; the application is this one.
#[component]
pub fn CreateKey(
    /// The application that the key is for.
    context: Signal<ApplicationContext>,
    /// Closes the dialog.
    on_close: Callback<()>,
    /// Takes the new key, the only copy of its secret with it.
    on_created: Callback<CreatedKey>,
) -> impl IntoView {
    let form = Form::new();
    let submit = move |()| {
        let Some(request) = form.request() else {
            return;
        };
        form.refusal.set(None);
        form.busy.set(true);
        let application = context.with_untracked(|context| context.application.id);
        leptos::task::spawn_local(async move {
            match create_application_key(application, request.name, request.environment).await {
                Ok(created) => _ = on_created.try_run(created),
                Err(error) => form.refuse(&error),
            }
        });
    };
    let slots = move || {
        let project = context.get().project;
        view! { <SlotMeter used=project.keys_used limit=project.keys_limit place=MeterPlace::Dialog/> }
    };
    let dirty = Signal::derive(move || form.name.with(|name| !name.trim().is_empty()));
    view! {
        <Dialog
            title="Create API key"
            on_close
            busy=form.busy
            dirty
            on_submit=submit
            aside=move || view! { <div class="max-md:hidden">{slots}</div> }
            footer=move || {
                view! {
                    <Button on_press=on_close disabled=form.busy>"Cancel"</Button>
                    <Button variant=Variant::Primary submit=true busy=form.busy busy_label="Creating…">
                        "Create key"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-5">
                <div class="md:hidden">{slots}</div>
                {move || {
                    form.refusal.get().map(|why| view! { <Callout tone=Tone::Danger alert=true>{why}</Callout> })
                }}
                <TextField
                    name="name"
                    label="Name"
                    value=form.name
                    hint="Shown in lists and in the audit log."
                    error=form.name_error
                    autofocus=true
                />
                <EnvironmentField value=form.environment/>
                <ApplicationField name=Signal::derive(move || context.get().application.name)/>
            </div>
        </Dialog>
    }
}

/// Live or test, and what that means.
#[component]
fn EnvironmentField(value: RwSignal<&'static str>) -> impl IntoView {
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

/// The application that the key is for, which is given here.
#[component]
fn ApplicationField(name: Signal<String>) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-1.5">
            <span class="text-table font-medium">"Application"</span>
            <div class="flex h-9 items-center gap-2 rounded-sm border border-line bg-subtle px-2.5 text-table text-ink-2 max-md:h-11 max-md:text-base">
                <span class="min-w-0 grow truncate">{name}</span>
                <Icon glyph=Glyph::Lock size=14 class="text-ink-3"/>
            </div>
            <p class="text-caption text-ink-3">"Requests from any other application are denied."</p>
        </div>
    }
}

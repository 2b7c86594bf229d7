//! The dialog that creates an API or inference key.

use latchkey_domain::api::{CreatedKey, KeyRequest};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use super::attribute_fields::AttributeFields;
use super::fields::{AdvancedFields, ApplicationField, EnvironmentField, ExpiryField, NameField};
use super::form::KeyForm;
use super::labels::KeyLabels;
use super::limit_fields::LimitFields;
use super::limit_reached::LimitReached;
use super::{KeyScope, KeysPageState};
use crate::api::create_project_key;
use crate::components::form::Refusal;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::dialog::Dialog;
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::slot_meter::{MeterPlace, SlotMeter};

/// The form. It is kept while the dialog shows that the limit is reached.
#[derive(Clone, Copy)]
struct Draft {
    form: KeyForm,
    kind: KeyKind,
    environment: RwSignal<&'static str>,
    application: RwSignal<String>,
}

impl Draft {
    fn new(scope: Signal<KeyScope>) -> Self {
        let given =
            scope.with_untracked(|scope| scope.only.as_ref().map(|only| only.id.to_string()));
        Self {
            form: scope.with_untracked(|scope| KeyForm::with(&scope.project.key_defaults)),
            kind: scope.with_untracked(|scope| scope.kind),
            environment: RwSignal::new(Environment::default().as_str()),
            application: RwSignal::new(given.unwrap_or_default()),
        }
    }

    fn request(self) -> Option<KeyRequest> {
        let filled = self.form.read(browser_time()?)?;
        let environment = Environment::from_name(self.environment.get_untracked());
        let request = filled.limits.on(KeyRequest {
            disabled: self.form.attributes.disabled.get_untracked(),
            environment: environment.unwrap_or_default(),
            application_id: self.application.with_untracked(|id| id.parse().ok()),
            rpm: Some(filled.rpm),
            allowed_cidrs: Some(filled.allowed_cidrs),
            expires_at: filled.expires_at,
            ..KeyRequest::new(filled.name, self.kind)
        });
        Some(filled.attributes.on(request))
    }
}

/// The dialog. At the plan's limit it shows the ways out instead.
#[component]
pub fn CreateKey(
    /// Whose key it will be.
    page: KeysPageState,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
    /// Takes the new key, the only copy of its secret with it.
    on_created: Callback<CreatedKey>,
) -> impl IntoView {
    let scope = page.scope;
    let draft = Draft::new(scope);
    // The server may count keys that this page doesn't know of yet.
    let refused = RwSignal::new(false);
    let count =
        Memo::new(move |_| scope.with(|scope| (scope.project.keys_used, scope.project.keys_limit)));
    Effect::new(move || {
        // Tracking alone does not run a memo that was never read.
        count.with(|_| ());
        refused.set(false);
    });
    let at_limit = Memo::new(move |_| refused.get() || scope.with(KeyScope::is_at_limit));
    let submit = Callback::new(move |()| {
        let Some(request) = draft.request() else {
            return;
        };
        let form = draft.form;
        form.submission.start();
        let project = scope.with_untracked(|scope| scope.project.id);
        leptos::task::spawn_local(async move {
            match create_project_key(project, request).await {
                Ok(created) => _ = on_created.try_run(created),
                Err(error) if error.is(ErrorCode::TierLimitReached) => {
                    _ = form.submission.busy.try_set(false);
                    page.refresh();
                    _ = refused.try_set(true);
                }
                Err(error) => {
                    form.refuse(&error, "Couldn’t create the key. Nothing was saved. Try again.");
                }
            }
        });
    });
    move || {
        if at_limit.get() {
            view! { <LimitReached page on_close/> }.into_any()
        } else {
            view! { <CreateForm scope draft on_close on_submit=submit/> }.into_any()
        }
    }
}

#[component]
fn CreateForm(
    scope: Signal<KeyScope>,
    draft: Draft,
    on_close: Callback<()>,
    on_submit: Callback<()>,
) -> impl IntoView {
    let Draft { form, kind, environment, application } = draft;
    let submission = form.submission;
    let busy = submission.busy;
    let is_inference = kind == KeyKind::Inference;
    let slots = move || {
        let project = scope.get().project;
        view! { <SlotMeter used=project.keys_used limit=project.keys_limit place=MeterPlace::Dialog/> }
    };
    view! {
        <Dialog
            title=KeyLabels::of(kind).dialog
            on_close
            busy
            dirty=form.is_dirty()
            on_submit
            aside=move || view! { <div class="max-md:hidden">{slots}</div> }
            footer=move || {
                view! {
                    <Button on_press=on_close disabled=busy>"Cancel"</Button>
                    <Button variant=Variant::Primary submit=true busy busy_label="Creating…">
                        "Create key"
                    </Button>
                }
            }
        >
            <div class="flex flex-col gap-5">
                <div class="md:hidden">{slots}</div>
                <Refusal submission/>
                <NameField form/>
                <EnvironmentField value=environment/>
                {(!is_inference).then(|| view! { <ApplicationField scope value=application/> })}
                {is_inference.then(|| view! { <LimitFields form/> })}
                <ExpiryField form/>
                <AttributeFields form=form.attributes kind creating=true/>
                <AdvancedFields form kind/>
            </div>
        </Dialog>
    }
}

//! The dialogs that create and edit an application.

use latchkey_domain::api::{
    Application, ApplicationEnvironment, ApplicationPatch, ApplicationRequest,
};
use latchkey_domain::id::ProjectId;
use latchkey_domain::name::{Description, Name};
use leptos::prelude::*;

use crate::api::{create_application, update_application};
use crate::components::form::{FormDialog, FormField, Submission};
use latchkey_ui::field::{TextArea, TextField};
use latchkey_ui::segmented::{Segment, Segmented};
use latchkey_ui::toast::Toasts;

const ENVIRONMENTS: &[Segment] = &[
    segment(ApplicationEnvironment::Production),
    segment(ApplicationEnvironment::Staging),
    segment(ApplicationEnvironment::Development),
];

const fn segment(environment: ApplicationEnvironment) -> Segment {
    Segment::new(environment.as_str(), environment.label())
}

/// What is filled in.
#[derive(Clone, Copy)]
struct Form {
    submission: Submission,
    name: FormField,
    description: FormField,
    environment: RwSignal<&'static str>,
    before: ApplicationEnvironment,
}

/// What a form says, every part of it in order.
struct ApplicationInput {
    name: Name,
    description: Description,
    environment: ApplicationEnvironment,
}

impl Form {
    fn new(name: &str, description: &str, environment: ApplicationEnvironment) -> Self {
        Self {
            submission: Submission::new(),
            name: FormField::new(name),
            description: FormField::new(description),
            environment: RwSignal::new(environment.as_str()),
            before: environment,
        }
    }

    /// The parsed form; `None` if a field is invalid, which then shows why.
    fn read(self) -> Option<ApplicationInput> {
        let (name, description) = (self.name.parse(), self.description.parse());
        let environment = ApplicationEnvironment::from_name(self.environment.get_untracked());
        let filled = || {
            Some(ApplicationInput {
                name: name?,
                description: description?,
                environment: environment?,
            })
        };
        let filled = filled();
        if filled.is_none() {
            self.submission.show_invalid();
        }
        filled
    }

    fn is_dirty(self) -> Signal<bool> {
        Signal::derive(move || {
            self.name.is_changed()
                || self.description.is_changed()
                || self.environment.get() != self.before.as_str()
        })
    }

    fn fail(self, error: &crate::api::ApiError, failed: &str) {
        let fields = [("name", self.name), ("description", self.description)];
        self.submission.fail(error, failed, &fields);
    }
}

/// The create dialog.
#[component]
pub fn CreateApplication(
    /// The project that it will be in.
    project: ProjectId,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let form = Form::new("", "", ApplicationEnvironment::default());
    let submit = move |()| {
        let Some(ApplicationInput { name, description, environment }) = form.read() else { return };
        form.submission.start();
        leptos::task::spawn_local(async move {
            let request = ApplicationRequest { name, description, environment };
            match create_application(project, request).await {
                Ok(_) => {
                    form.submission.succeed();
                    toasts.success("Application created");
                    _ = on_close.try_run(());
                }
                Err(error) => {
                    form.fail(
                        &error,
                        "Couldn’t create the application. Nothing was saved. Try again.",
                    );
                }
            }
        });
    };
    view! {
        <FormDialog
            title="Create application"
            submission=form.submission
            dirty=form.is_dirty()
            action="Create application"
            busy_label="Creating…"
            on_close
            on_submit=submit
        >
            <Fields form/>
        </FormDialog>
    }
}

/// The dialog that changes one. Only what changed is sent.
#[component]
pub fn EditApplication(
    /// Application that the element shows.
    application: Application,
    /// Takes it as it is now.
    #[prop(into)]
    on_saved: Callback<Application>,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let Application { id, name, description, environment, .. } = application;
    let form = Form::new(&name, &description, environment);
    let submit = move |()| {
        let Some(filled) = form.read() else { return };
        let patch = untrack(|| ApplicationPatch {
            name: form.name.is_changed().then_some(filled.name),
            description: form.description.is_changed().then_some(filled.description),
            environment: (filled.environment != environment).then_some(filled.environment),
        });
        if patch == ApplicationPatch::default() {
            on_close.run(());
            return;
        }
        form.submission.start();
        leptos::task::spawn_local(async move {
            match update_application(id, patch).await {
                Ok(saved) => {
                    form.submission.succeed();
                    toasts.success("Application saved");
                    _ = on_saved.try_run(saved);
                    _ = on_close.try_run(());
                }
                Err(error) => {
                    form.fail(
                        &error,
                        "Couldn’t save the application. Nothing was changed. Try again.",
                    );
                }
            }
        });
    };
    view! {
        <FormDialog
            title=format!("Edit “{name}”")
            submission=form.submission
            dirty=form.is_dirty()
            action="Save application"
            busy_label="Saving…"
            on_close
            on_submit=submit
        >
            <Fields form/>
        </FormDialog>
    }
}

#[component]
fn Fields(form: Form) -> impl IntoView {
    let Form { name, description, environment, .. } = form;
    view! {
        <TextField
            name="name"
            label="Name"
            value=name.value
            hint="Shown when a key is created for it, and in the audit log."
            error=name.error
            autofocus=true
        />
        <TextArea
            name="description"
            label="Description"
            value=description.value
            hint="Optional. Tells people who come across its keys what it does."
            error=description.error
            prose=true
        />
        <div class="flex flex-col gap-1.5">
            <span class="text-table font-medium" aria-hidden="true">"Environment"</span>
            <Segmented
                label="Environment"
                options=ENVIRONMENTS
                value=environment
                on_change=move |chosen| environment.set(chosen)
            />
            <p class="text-caption text-ink-3">"Where it runs. Live and test keys work in all of them."</p>
        </div>
    }
}

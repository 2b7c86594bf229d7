//! The dialog that creates a service key.

use latchkey_domain::api::{CreatedKey, KeyRequest};
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::KeysPageState;
use super::fields::{AdvancedFields, ExpiryField, NameField};
use super::form::KeyForm;
use super::permissions::{Chosen, PermissionBoxes};
use crate::api::create_project_key;
use crate::components::form::FormDialog;
use latchkey_ui::field::focus_first_bad;
use latchkey_ui::relative_time::browser_time;

/// Dialog that creates a service key.
#[component]
pub fn CreateServiceKey(
    /// Whose key it will be.
    page: KeysPageState,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
    /// Takes the new key, the only copy of its secret with it.
    on_created: Callback<CreatedKey>,
) -> impl IntoView {
    let form = KeyForm::empty();
    let chosen = Chosen::none();
    let request = move || {
        let filled = form.read(browser_time()?);
        let permissions = chosen.read();
        focus_first_bad();
        let filled = filled?;
        Some(KeyRequest {
            permissions: Some(permissions?),
            rpm: Some(filled.rpm),
            allowed_cidrs: Some(filled.allowed_cidrs),
            expires_at: filled.expires_at,
            ..KeyRequest::new(filled.name, KeyKind::Service)
        })
    };
    let submit = move |()| {
        let Some(request) = request() else { return };
        form.submission.start();
        let project = page.scope.with_untracked(|scope| scope.project.id);
        leptos::task::spawn_local(async move {
            match create_project_key(project, request).await {
                Ok(created) => _ = on_created.try_run(created),
                Err(error) => {
                    form.refuse(&error, "Couldn’t create the key. Nothing was saved. Try again.");
                }
            }
        });
    };
    let typed = form.is_dirty();
    view! {
        <FormDialog
            title="Create service key"
            submission=form.submission
            dirty=Signal::derive(move || typed.get() || chosen.is_some())
            action="Create key"
            busy_label="Creating…"
            on_close
            on_submit=submit
        >
            <NameField form/>
            <PermissionBoxes chosen/>
            <ExpiryField form/>
            <AdvancedFields form kind=KeyKind::Service/>
        </FormDialog>
    }
}

//! The dialog that changes a key's name, expiry and limits. Only what changed is sent.

use latchkey_domain::api::ListedKey;
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use super::KeysPageState;
use super::attribute_fields::AttributeFields;
use super::fields::{AdvancedFields, ExpiryField, NameField};
use super::form::KeyForm;
use super::limit_fields::LimitFields;
use super::summary::KeySummary;
use crate::api::update_key;
use crate::components::form::FormDialog;
use latchkey_ui::relative_time::browser_time;

/// Dialog that edits a key.
#[component]
pub fn EditKey(
    /// Where the key is listed.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
) -> impl IntoView {
    let KeysPageState { editing, toasts, .. } = page;
    let form = KeyForm::of(&listed.key);
    let kind = listed.key.kind;
    let is_inference = kind == KeyKind::Inference;
    let key = StoredValue::new(listed.key.clone());
    let close = Callback::new(move |()| {
        editing.set(None);
        page.refresh();
    });
    let submit = move |()| {
        let Some(filled) = browser_time().and_then(|now| form.read(now)) else {
            return;
        };
        let Some(patch) = key.with_value(|key| filled.changes(key)) else {
            close.run(());
            return;
        };
        form.submission.start();
        let id = key.with_value(|key| key.id);
        leptos::task::spawn_local(async move {
            match update_key(id, patch).await {
                Ok(changed) => {
                    page.keys.change(id, |row| row.key = changed);
                    toasts.success("Key saved");
                    _ = close.try_run(());
                }
                Err(error) => {
                    if error.is(ErrorCode::Conflict) {
                        page.refresh();
                    }
                    form.refuse(&error, "Couldn’t save the key. Nothing was changed. Try again.");
                }
            }
        });
    };
    view! {
        <FormDialog
            title=format!("Edit “{}”", listed.key.name)
            submission=form.submission
            dirty=form.is_dirty()
            action="Save key"
            busy_label="Saving…"
            on_close=close
            on_submit=submit
        >
            <KeySummary listed=listed.clone() scope=page.scope/>
            <NameField form/>
            <ExpiryField form/>
            {is_inference.then(|| view! { <LimitFields form/> })}
            {(kind != KeyKind::Service).then(|| view! { <AttributeFields form=form.attributes kind/> })}
            <AdvancedFields form kind/>
        </FormDialog>
    }
}

//! The dialog that changes the limits of a project or an organization, or the defaults of new keys.

use latchkey_domain::api::{KeyDefaults, OrganizationPatch, ProjectPatch};
use latchkey_domain::budget::BudgetUnit;
use leptos::prelude::*;

use super::super::SettingsSubject;
use super::form::LimitsForm;
use super::whose::LimitsOf;
use crate::api::{ApiError, update_organization, update_project};
use crate::components::budget_fields::BudgetFields;
use crate::components::budget_form::some_unless_empty;
use crate::components::form::FormDialog;
use crate::components::rate_fields::RateFields;
use crate::layout::Workspace;
use latchkey_ui::field::TextArea;
use latchkey_ui::toast::Toasts;

/// Dialog that edits the limits. Only what changed is sent.
#[component]
pub fn EditLimits(
    /// What the page is about.
    subject: Signal<SettingsSubject>,
    /// Whose limits they are.
    of: LimitsOf,
    /// Called to close the dialog.
    #[prop(into)]
    on_close: Callback<()>,
) -> impl IntoView {
    let (workspace, toasts) = (expect_context::<Workspace>(), expect_context::<Toasts>());
    let before = StoredValue::new(subject.with_untracked(|subject| of.limits(subject)));
    let form = before.with_value(LimitsForm::of);
    let submit = move |()| {
        let Some(after) = form.read() else { return };
        if before.with_value(|before| *before == after) {
            on_close.run(());
            return;
        }
        form.submission.start();
        let change = LimitsChange { of, before: before.get_value(), after };
        let now = subject.get_untracked();
        leptos::task::spawn_local(async move {
            match change.save(&now, workspace).await {
                Ok(()) => {
                    toasts.success(change.done());
                    _ = on_close.try_run(());
                }
                Err(error) => {
                    form.refuse(
                        &error,
                        "Couldn’t save the limits. Nothing was changed. Try again.",
                    );
                    // It may be deleted, or the user may have lost the permission.
                    workspace.reload();
                }
            }
        });
    };
    view! {
        <FormDialog
            title=format!("Edit {}", of.what())
            submission=form.submission
            dirty=form.is_dirty()
            action="Save limits"
            busy_label="Saving…"
            on_close
            on_submit=submit
        >
            <Fields form of/>
        </FormDialog>
    }
}

#[component]
fn Fields(form: LimitsForm, of: LimitsOf) -> impl IntoView {
    let LimitsForm { rpm, limits, networks, .. } = form;
    let of_keys = of == LimitsOf::NewKeys;
    view! {
        <RateFields
            rpm
            tpm=limits.tpm
            max_parallel=limits.max_parallel
            of_keys
            autofocus=true
        />
        <BudgetFields
            form=limits.budgets
            first=BudgetUnit::Usd
            hint="Tokens are input and output together. When one is spent, requests are denied until it resets."
        />
        {of_keys
            .then(|| {
                view! {
                    <TextArea
                        name="limits-models"
                        label="Allowed models"
                        value=limits.models.value
                        placeholder="Any"
                        hint="One model per line. Only inference keys use models."
                        error=limits.models.error
                    />
                    <TextArea
                        name="limits-networks"
                        label="Allowed addresses"
                        value=networks.value
                        placeholder="Any"
                        hint="One network per line, such as 203.0.113.0/24."
                        error=networks.error
                    />
                }
            })}
    }
}

/// A change on its way to the server.
struct LimitsChange {
    of: LimitsOf,
    before: KeyDefaults,
    after: KeyDefaults,
}

impl LimitsChange {
    async fn save(&self, subject: &SettingsSubject, workspace: Workspace) -> Result<(), ApiError> {
        match self.of {
            LimitsOf::Organization => {
                let organization =
                    update_organization(subject.organization.id, self.of_organization()).await?;
                workspace.put_organization(organization);
            }
            LimitsOf::Project => {
                let project = update_project(subject.project.id, self.of_project()).await?;
                workspace.put_project(project);
            }
            LimitsOf::NewKeys => {
                let project = update_project(subject.project.id, self.of_new_keys()).await?;
                workspace.put_project(project);
            }
        }
        Ok(())
    }

    const fn done(&self) -> &'static str {
        match self.of {
            LimitsOf::Project | LimitsOf::Organization => "Limits saved",
            LimitsOf::NewKeys => "Defaults saved",
        }
    }

    fn of_project(&self) -> ProjectPatch {
        let Self { before, after, .. } = self;
        let budgets_differ = after.budgets != before.budgets;
        ProjectPatch {
            rpm: (after.rpm != before.rpm).then_some(after.rpm),
            tpm: (after.tpm != before.tpm).then_some(after.tpm),
            max_parallel: (after.max_parallel != before.max_parallel).then_some(after.max_parallel),
            budgets: budgets_differ.then(|| some_unless_empty(after.budgets.clone())),
            ..ProjectPatch::default()
        }
    }

    fn of_organization(&self) -> OrganizationPatch {
        let ProjectPatch { rpm, tpm, max_parallel, budgets, .. } = self.of_project();
        OrganizationPatch { rpm, tpm, max_parallel, budgets, ..OrganizationPatch::default() }
    }

    fn of_new_keys(&self) -> ProjectPatch {
        let none = self.after == KeyDefaults::default();
        let defaults = (!none).then(|| self.after.clone());
        ProjectPatch { key_defaults: Some(defaults), ..ProjectPatch::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(before: Value, after: Value) -> LimitsChange {
        let read = |limits| serde_json::from_value(limits).unwrap();
        LimitsChange { of: LimitsOf::Project, before: read(before), after: read(after) }
    }

    #[test]
    fn only_limits_that_differ_are_sent() {
        let budgets = json!([{ "unit": "usd", "limit": "5", "period": "day" }]);
        let set = change(json!({ "rpm": 60 }), json!({ "rpm": 60, "budgets": budgets }));
        let expected = json!({ "budgets": budgets });
        assert_eq!(serde_json::to_value(set.of_project()).unwrap(), expected);
        assert_eq!(serde_json::to_value(set.of_organization()).unwrap(), expected);
        let cleared = change(json!({ "rpm": 60, "budgets": budgets }), json!({}));
        assert_eq!(
            serde_json::to_value(cleared.of_project()).unwrap(),
            json!({ "rpm": null, "budgets": null })
        );
    }

    #[test]
    fn defaults_are_sent_whole_or_cleared() {
        let set = change(json!({}), json!({ "rpm": 60 }));
        assert_eq!(serde_json::to_value(set.of_new_keys()).unwrap()["key_defaults"]["rpm"], 60);
        let cleared = change(json!({ "rpm": 60 }), json!({}));
        let patch = serde_json::to_value(cleared.of_new_keys()).unwrap();
        assert_eq!(patch, json!({ "key_defaults": null }));
    }
}

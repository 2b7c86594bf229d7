//! Usage of keys and projects, and the dry run of a check.

#[cfg(feature = "ssr")]
use latchkey_domain::api::ProjectUsageFilter;
use latchkey_domain::api::{
    BudgetEvent, DryRun, DryRunRequest, GroupedUsage, KeyActivity, Page, QuotaState, Usage,
    UsageGrouping,
};
use latchkey_domain::attribute::{ExternalId, Tag};
use latchkey_domain::id::{KeyId, ProjectId};
use latchkey_domain::key::Environment;
use latchkey_domain::usage::UsageRange;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint("usage/key", summary = "Get the usage of a key", refuses = [NotFound])]
    pub async fn get_key_usage(
        /// Key that the call is about.
        key_id: KeyId,
        /// Time range of the report.
        range: UsageRange,
    ) -> Usage {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::usage::of_key(&services, &actor, key_id, range).await?)
    }
}

server_function! {
    #[endpoint("usage/project", summary = "Get the usage of a project", refuses = [NotFound])]
    pub async fn get_project_usage(
        /// Project that the call is about.
        project_id: ProjectId,
        /// Keys of this environment only; none: of both.
        environment: Option<Environment>,
        /// Keys that have this tag now only.
        tag: Option<Tag>,
        /// Keys that have this external ID now only.
        external_id: Option<ExternalId>,
        /// Time range of the report.
        range: UsageRange,
    ) -> Usage {
        let (services, actor) = caller().await?;
        let filter = ProjectUsageFilter { environment, external_id, tag };
        Ok(latchkey_services::usage::of_project(&services, &actor, project_id, &filter, range)
            .await?)
    }
}

server_function! {
    #[endpoint("usage/groups", summary = "Get the usage of a project by group", refuses = [NotFound])]
    pub async fn get_grouped_usage(
        /// Project that the call is about.
        project_id: ProjectId,
        /// Keys of this environment only; none: of both.
        environment: Option<Environment>,
        /// Keys that have this tag now only. Not for models.
        tag: Option<Tag>,
        /// Keys that have this external ID now only. Not for models.
        external_id: Option<ExternalId>,
        /// Time range of the report.
        range: UsageRange,
        /// What usage is summed up by.
        group_by: UsageGrouping,
    ) -> GroupedUsage {
        let (services, actor) = caller().await?;
        let filter = ProjectUsageFilter { environment, external_id, tag };
        Ok(latchkey_services::usage::of_project_by(
            &services, &actor, project_id, &filter, range, group_by,
        )
        .await?)
    }
}

server_function! {
    #[endpoint(
        "usage/month",
        summary = "Get a project’s monthly quota and its use",
        refuses = [NotFound],
    )]
    pub async fn get_project_month(
        /// Project that the call is about.
        project_id: ProjectId,
    ) -> QuotaState {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::usage::of_month(&services, &actor, project_id).await?)
    }
}

server_function! {
    #[endpoint(
        "usage/budget-events",
        summary = "List the budgets of a project that have reached 80 or 100 per cent",
        refuses = [NotFound],
    )]
    pub async fn budget_events(
        /// Project that the call is about.
        project_id: ProjectId,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<BudgetEvent> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::budget_events::list(&services, &actor, project_id, page(cursor))
            .await?)
    }
}

server_function! {
    #[endpoint(
        "keys/dry-run",
        summary = "Simulate a check of a key without counting it",
        refuses = [NotFound],
    )]
    pub async fn dry_run_key(
        /// Key that the call is about.
        key_id: KeyId,
        /// The hypothetical call to check.
        request: DryRunRequest,
    ) -> DryRun {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::dry_run(&services, &actor, key_id, &request).await?)
    }
}

server_function! {
    #[endpoint(
        "usage/keys",
        summary = "Get the hourly activity of up to 100 keys in the last 24 hours",
        refuses = [NotFound],
    )]
    pub async fn get_key_activity(
        /// Project that the call is about.
        project_id: ProjectId,
        /// Up to 100 keys to report.
        key_ids: Vec<KeyId>,
    ) -> Vec<KeyActivity> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::usage::of_keys(&services, &actor, project_id, &key_ids).await?)
    }
}

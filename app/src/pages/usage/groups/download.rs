//! Saves the groups as CSV, as the API has them.

use latchkey_domain::id::ProjectId;
use latchkey_domain::key::Environment;
use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use crate::data::save::{download, save_csv};
use crate::pages::usage::range::{UsageFilter, UsageFilterState};
use latchkey_ui::button::Button;
use latchkey_ui::icon::Glyph;
use latchkey_ui::toast::{ToastAction, Toasts};

/// Saves the groups of the filter as CSV.
#[component]
pub fn DownloadCsv(
    /// Project that the usage is of.
    project: ProjectId,
    /// State of the page's filters.
    filter: UsageFilterState,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let busy = RwSignal::new(false);
    let start = move |()| {
        let (path, name) =
            filter.now.with_untracked(|filter| (csv_path(project, filter), file_name(filter)));
        save(path, name, busy, toasts);
    };
    view! {
        <Button glyph=Glyph::Download busy busy_label="Downloading…" on_press=start>"Download CSV"</Button>
    }
}

/// Saves the file and says so, even if the user has left the page.
fn save(path: String, name: String, busy: RwSignal<bool>, toasts: Toasts) {
    _ = busy.try_set(true);
    leptos::task::spawn_local(async move {
        let answer = download(&path, |_| ()).await;
        _ = busy.try_set(false);
        if answer.ok().and_then(|file| save_csv(&file, &name)).is_some() {
            toasts.success("CSV downloaded");
            return;
        }
        let again =
            ToastAction::new("Retry", move || save(path.clone(), name.clone(), busy, toasts));
        toasts.failure("Couldn’t download the CSV.", Some(again));
    });
}

/// Path of the CSV at the API.
fn csv_path(project: ProjectId, filter: &UsageFilter) -> String {
    let mut query = ParamsMap::new();
    query.insert("range", filter.range.as_str().to_owned());
    query.insert("group_by", filter.group_by.as_str().to_owned());
    if let Some(environment) = filter.environment.map(Environment::as_str) {
        query.insert("environment", environment.to_owned());
    }
    filter.attributes.add_to(&mut query);
    query.insert("format", "csv".to_owned());
    format!("/v1/projects/{project}/usage{}", query.to_query_string())
}

fn file_name(filter: &UsageFilter) -> String {
    let by = filter.group_by.as_str().replace('_', "-");
    format!("usage-by-{by}-{}", filter.range)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::api::UsageGrouping;

    use super::*;
    use crate::data::url_filter::tests::readable;

    #[test]
    fn csv_has_the_filters_of_the_page() {
        let project: ProjectId = "prj_01kc3f1m6ze1tvyqnz0rg5bqfa".parse().unwrap();
        let mut filter = UsageFilter { group_by: UsageGrouping::Tag, ..UsageFilter::default() };
        filter.environment = Some(Environment::Live);
        filter.attributes.tag = "beta".parse().ok();
        assert_eq!(
            readable(&csv_path(project, &filter)),
            format!(
                "/v1/projects/{project}/usage?range=24h&group_by=tag&environment=live&tag=beta\
                 &format=csv"
            )
        );
        filter.group_by = UsageGrouping::ExternalId;
        assert_eq!(file_name(&filter), "usage-by-external-id-24h");
    }
}

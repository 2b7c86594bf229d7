//! Exports the audit log as CSV, with the filters of the page.

use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;
use web_sys::Blob;

use super::csv::Records;
use super::filter::EventsFilterState;
use crate::api::ApiError;
use crate::data::save::{download, save_csv};
use latchkey_ui::button::Button;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::thousands;
use latchkey_ui::toast::{ToastAction, Toasts};

/// Downloads the events of the filter as CSV.
#[component]
pub fn ExportButton(
    /// Organization that the log belongs to.
    organization: OrganizationId,
    /// Filters that the export applies.
    filter: EventsFilterState,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let busy = RwSignal::new(false);
    let start = move |()| {
        let path =
            filter.now.with_untracked(|filter| filter.export_path(organization, browser_time()));
        export(path, busy, toasts);
    };
    view! {
        <Button glyph=Glyph::Download busy busy_label="Exporting…" on_press=start>"Export CSV"</Button>
    }
}

/// Exports and shows the result, even if the user has left the page.
fn export(path: String, busy: RwSignal<bool>, toasts: Toasts) {
    _ = busy.try_set(true);
    leptos::task::spawn_local(async move {
        let answer = fetch(&path).await;
        _ = busy.try_set(false);
        match answer.map(|(file, events)| (save_csv(&file, "audit-log"), events)) {
            Ok((Some(()), 1)) => toasts.success("Exported 1 event"),
            Ok((Some(()), events)) => {
                toasts.success(format!("Exported {} events", thousands(events)));
            }
            Ok((None, _)) | Err(_) => {
                let again = ToastAction::new("Retry", move || export(path.clone(), busy, toasts));
                toasts.failure("Couldn’t export the events.", Some(again));
            }
        }
    });
}

/// The file, and how many events are in it.
async fn fetch(path: &str) -> Result<(Blob, u64), ApiError> {
    let mut records = Records::default();
    let file = download(path, |bytes| records.take(bytes)).await?;
    Ok((file, records.without_header()))
}

//! Exports the audit log as CSV, with the filters of the page.

use std::time::Duration;

use latchkey_domain::id::OrganizationId;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Blob, HtmlAnchorElement, Url};

use super::csv::Records;
use super::filter::EventsFilterState;
use crate::api::ApiError;
use crate::data::bearer::{refused, with_token};
use crate::data::fetch::Download;
use latchkey_ui::button::Button;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::thousands;
use latchkey_ui::toast::{ToastAction, Toasts};

/// For how long a file stays in reach after it was offered: the browser may ask where to put it.
const KEPT_FOR: Duration = Duration::from_mins(1);

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
        match answer.map(|(file, events)| (offer(&file), events)) {
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
    let begin = async |token: String| Download::begin(path, &token).await;
    let download = with_token(begin, Download::status).await?;
    if download.status() >= 400 {
        return Err(refused(download.text().await?));
    }
    let mut records = Records::default();
    let file = download.file(|bytes| records.take(bytes)).await?;
    Ok((file, records.without_header()))
}

/// Hands the file to the browser as a download.
fn offer(file: &Blob) -> Option<()> {
    let url = Url::create_object_url_with_blob(file).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    let day = browser_time()?.to_string();
    link.set_href(&url);
    link.set_download(&format!("audit-log-{}.csv", day.get(..10)?));
    link.click();
    set_timeout(move || _ = Url::revoke_object_url(&url), KEPT_FOR);
    Some(())
}

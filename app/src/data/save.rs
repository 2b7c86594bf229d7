//! Files that a person saves. A link can't fetch them: only a request has the access token.

use std::time::Duration;

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Blob, HtmlAnchorElement, Url};

use super::bearer::{refused, with_token};
use super::fetch::Download;
use crate::api::ApiError;
use latchkey_ui::relative_time::browser_time;

/// For how long a file stays in reach after it was offered: the browser may ask where to put it.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// Downloads a file. `look` sees each part as it arrives.
///
/// # Errors
/// There was no answer, or a refusal, or the connection broke.
pub(crate) async fn download(path: &str, look: impl FnMut(&[u8])) -> Result<Blob, ApiError> {
    let begin = async |token: String| Download::begin(path, &token).await;
    let download = with_token(begin, Download::status).await?;
    if download.status() >= 400 {
        return Err(refused(download.text().await?));
    }
    download.file(look).await
}

/// Hands a CSV to the browser, which saves it as `{name}-2026-11-18.csv`.
pub(crate) fn save_csv(file: &Blob, name: &str) -> Option<()> {
    save_as(file, name, "csv")
}

/// Hands a file to the browser, which saves it as `{name}-2026-11-18.{extension}`.
pub(crate) fn save_as(file: &Blob, name: &str, extension: &str) -> Option<()> {
    let url = Url::create_object_url_with_blob(file).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    let day = browser_time()?.to_string();
    link.set_href(&url);
    link.set_download(&format!("{name}-{}.{extension}", day.get(..10)?));
    link.click();
    set_timeout(move || _ = Url::revoke_object_url(&url), KEPT_FOR);
    Some(())
}

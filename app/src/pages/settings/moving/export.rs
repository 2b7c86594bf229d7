//! Exports all keys of a project, and counts them as they arrive.

use latchkey_domain::id::ProjectId;
use leptos::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use web_sys::Blob;

use crate::api::ApiError;
use crate::components::import_words::keys_in_words;
use crate::data::save::{download, save_as};
use latchkey_ui::button::{Button, Size};
use latchkey_ui::icon::Glyph;
use latchkey_ui::thousands;
use latchkey_ui::toast::{ToastAction, Toasts};

/// Downloads what is stored of the project's keys.
#[component]
pub fn ExportButton(
    /// Project whose keys are exported.
    project: ProjectId,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let busy = RwSignal::new(false);
    let start = move |()| export(project, busy, toasts);
    view! {
        <Button size=Size::Compact glyph=Glyph::Download busy busy_label="Exporting…" on_press=start>
            "Export NDJSON"
        </Button>
    }
}

/// Exports and shows the result, even if the user has left the page.
fn export(project: ProjectId, busy: RwSignal<bool>, toasts: Toasts) {
    _ = busy.try_set(true);
    leptos::task::spawn_local(async move {
        let answer = fetch(project).await;
        _ = busy.try_set(false);
        if let Ok((file, keys)) = answer
            && save_as(&file, "keys", "ndjson").is_some()
        {
            toasts.success(keys.in_words());
        } else {
            let again = ToastAction::new("Retry", move || export(project, busy, toasts));
            toasts.failure("Couldn’t export the keys.", Some(again));
        }
    });
}

/// The file, and what is in it.
async fn fetch(project: ProjectId) -> Result<(Blob, ExportedKeys), ApiError> {
    let mut keys = ExportedKeys::default();
    let path = format!("/v1/projects/{project}/keys/export");
    let file = download(&path, |bytes| keys.take(bytes)).await?;
    keys.end_line();
    Ok((file, keys))
}

/// Counts the keys of an export. Only the line that has not ended yet is kept.
#[derive(Debug, Default)]
struct ExportedKeys {
    line: Vec<u8>,
    count: u64,
    foreign: u64,
}

/// What counts of a line.
#[derive(Deserialize)]
struct ExportedLine {
    /// Only of an imported key that has not been used yet.
    imported_scheme: Option<IgnoredAny>,
}

impl ExportedKeys {
    /// Takes in the next bytes, wherever they were cut.
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let line = serde_json::from_slice::<ExportedLine>(&self.line);
        self.count += 1;
        self.foreign += u64::from(line.is_ok_and(|line| line.imported_scheme.is_some()));
        self.line.clear();
    }

    /// How many keys were exported, and how many of them were never used here.
    fn in_words(&self) -> String {
        let keys = keys_in_words(self.count);
        let foreign = match self.foreign {
            0 => return format!("Exported {keys}"),
            1 => "1 still has the digest of another system, until its first use.".to_owned(),
            many => format!(
                "{} still have the digest of another system, until their first use.",
                thousands(many)
            ),
        };
        format!("Exported {keys}. {foreign}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        r#"{"id":"key_1","metadata":{"imported_scheme":"no"},"imported_scheme":null}"#,
        "\n",
        r#"{"id":"key_2","metadata":{},"imported_scheme":"sha256-hex"}"#,
        "\n",
    );

    #[test]
    fn keys_with_a_foreign_digest_are_counted() {
        for cut in 0..LINES.len() {
            let mut keys = ExportedKeys::default();
            keys.take(&LINES.as_bytes()[..cut]);
            keys.take(&LINES.as_bytes()[cut..]);
            keys.end_line();
            assert_eq!((keys.count, keys.foreign), (2, 1), "{cut}");
        }
    }

    #[test]
    fn export_is_said_in_a_sentence() {
        let said = |count, foreign| ExportedKeys { line: Vec::new(), count, foreign }.in_words();
        assert_eq!(said(1, 0), "Exported 1 key");
        assert_eq!(
            said(9, 1),
            "Exported 9 keys. 1 still has the digest of another system, until its first use."
        );
        assert_eq!(
            said(1_204, 37),
            "Exported 1,204 keys. 37 still have the digest of another system, until their first use."
        );
    }
}

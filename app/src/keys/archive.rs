//! Archives and restores a revoked or expired key, without a dialog but with an undo.

use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;

use super::KeysPageState;
use crate::api::{archive_key, unarchive_key};
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::toast::ToastAction;

/// Whether a key in this state has an archive action: any other is revoked first.
pub const fn can_archive(status: KeyStatus) -> bool {
    matches!(status, KeyStatus::Revoked | KeyStatus::Expired)
}

/// Archives or restores a key and shows the result, even if the user has left the page.
pub fn set_archived(page: KeysPageState, id: KeyId, name: String, archived: bool) {
    leptos::task::spawn_local(async move {
        let answer = if archived { archive_key(id).await } else { unarchive_key(id).await };
        let (action, glyph) = if archived {
            ("Archived", Glyph::Archive)
        } else {
            ("Restored", Glyph::ArchiveRestore)
        };
        if let Ok(key) = answer {
            page.keys.change(id, |row| {
                row.key.archived = archived;
                row.key.archived_at = key.archived_at.or_else(browser_time).filter(|_| archived);
            });
            page.refresh();
            let text = format!("{action} “{name}”");
            let undo = ToastAction::new("Undo", move || {
                set_archived(page, id, name.clone(), !archived);
            });
            page.toasts.done(text, glyph, undo);
        } else {
            let verb = if archived { "archive" } else { "restore" };
            let retry = ToastAction::new("Retry", move || {
                set_archived(page, id, name.clone(), archived);
            });
            page.toasts.failure(format!("Couldn’t {verb} the key."), Some(retry));
        }
    });
}

//! What the listed keys were used for in the last 24 hours.

use std::collections::BTreeMap;

use latchkey_domain::api::{HourOfUse, ListedKey};
use latchkey_domain::id::{KeyId, ProjectId};
use leptos::prelude::*;

use crate::api::get_key_activity;
use crate::data::paged_list::PagedList;
use latchkey_ui::relative_time::Clock;

/// The most keys that the server answers for at once.
const MOST_KEYS: usize = 100;

/// The hours of each listed key that was used. It is read when other keys are listed, and every
/// minute.
#[derive(Clone, Copy)]
pub struct Activity(RwSignal<BTreeMap<KeyId, [HourOfUse; 24]>>);

impl Activity {
    /// The activity of the keys of one list. While `paused`, nothing is loaded.
    pub fn of(keys: PagedList<ListedKey>, project: ProjectId, paused: Signal<bool>) -> Self {
        let activity = Self(RwSignal::new(BTreeMap::new()));
        let listed = Memo::new(move |_| {
            let mut ids: Vec<KeyId> = keys.rows().iter().map(|row| row.key.id).collect();
            // Sorted, so that another order of the list is not a change.
            ids.sort_unstable();
            ids
        });
        let clock = use_context::<Clock>();
        Effect::new(move || {
            _ = clock.and_then(Clock::get);
            let ids = listed.get();
            if paused.get() || document().hidden() {
                return;
            }
            for some in ids.chunks(MOST_KEYS) {
                activity.read(project, some.to_vec());
            }
        });
        activity
    }

    /// Without an answer, what is shown stays until the next minute.
    fn read(self, project: ProjectId, keys: Vec<KeyId>) {
        leptos::task::spawn_local(async move {
            let Ok(answer) = get_key_activity(project, keys).await else { return };
            _ = self.0.try_update(|all| {
                all.extend(answer.into_iter().map(|it| (it.key_id, it.hours)));
            });
        });
    }

    /// The hours of a key, tracked.
    pub fn hours(self, key: KeyId) -> [HourOfUse; 24] {
        self.0.with(|all| all.get(&key).copied().unwrap_or_default())
    }
}

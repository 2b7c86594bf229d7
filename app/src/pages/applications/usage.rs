//! The number of keys of each application, and their requests.

use std::collections::HashMap;

use latchkey_domain::api::{KeyFilter, ListedKey};
use latchkey_domain::id::{ApplicationId, KeyId, ProjectId};
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::api::{ApiError, get_key_activity, list_project_keys};

/// The most pages of keys that are read to count them.
const MOST_PAGES: usize = 10;
/// The most keys that the server answers for at once.
const MOST_KEYS: usize = 100;

/// Active keys, as far as they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many were read.
    pub keys: u64,
    /// Whether there are no more.
    pub is_all: bool,
}

/// Counts the active keys restricted to an application, if the server can be reached.
pub async fn count_keys(project: ProjectId, application: ApplicationId) -> Option<Count> {
    let filter = KeyFilter {
        application_id: Some(application),
        status: Some(KeyStatus::Active),
        archived: true,
        ..KeyFilter::default()
    };
    let (keys, is_all) = read(project, filter).await.ok()?;
    Some(Count { keys: u64::try_from(keys.len()).unwrap_or(u64::MAX), is_all })
}

/// Keys of a project, and whether there are no more than that.
async fn read(project: ProjectId, filter: KeyFilter) -> Result<(Vec<ListedKey>, bool), ApiError> {
    let mut keys = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = list_project_keys(project, filter.clone(), cursor).await?;
        keys.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((keys, true));
        }
    }
    Ok((keys, false))
}

/// What is known of one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApplicationUsage {
    /// Active keys restricted to it.
    pub keys: u64,
    /// Their requests in the last 24 hours.
    pub requests: u64,
}

/// The use of every application of a project. It stays unknown where a project has more keys than
/// can be counted in a moment.
#[derive(Clone, Copy)]
pub struct ApplicationsUsage {
    project: ProjectId,
    known: RwSignal<Option<HashMap<ApplicationId, ApplicationUsage>>>,
}

impl ApplicationsUsage {
    /// Loads it in the browser.
    pub fn of(project: ProjectId) -> Self {
        let usage = Self { project, known: RwSignal::new(None) };
        Effect::new(move || usage.load());
        usage
    }

    /// Reloads the counts.
    pub fn load(self) {
        leptos::task::spawn_local(async move {
            if let Some(counted) = count(self.project).await {
                _ = self.known.try_set(Some(counted));
            }
        });
    }

    /// The use of one application, once it is known; tracked.
    pub fn get(self, application: ApplicationId) -> Option<ApplicationUsage> {
        self.known.with(|known| {
            known.as_ref().map(|all| all.get(&application).copied().unwrap_or_default())
        })
    }
}

async fn count(project: ProjectId) -> Option<HashMap<ApplicationId, ApplicationUsage>> {
    let filter = KeyFilter { status: Some(KeyStatus::Active), ..KeyFilter::default() };
    let (keys, true) = read(project, filter).await.ok()? else { return None };
    let own = |listed: &ListedKey| Some((listed.key.id, listed.key.application_id?));
    let owners: HashMap<KeyId, ApplicationId> = keys.iter().filter_map(own).collect();
    let mut all: HashMap<ApplicationId, ApplicationUsage> = HashMap::new();
    for application in owners.values() {
        all.entry(*application).or_default().keys += 1;
    }
    let ids: Vec<KeyId> = owners.keys().copied().collect();
    for some in ids.chunks(MOST_KEYS) {
        for activity in get_key_activity(project, some.to_vec()).await.ok()? {
            let requests =
                activity.hours.iter().map(|hour| hour.allowed + hour.denied).sum::<u64>();
            if let Some(application) = owners.get(&activity.key_id) {
                all.entry(*application).or_default().requests += requests;
            }
        }
    }
    Some(all)
}

//! Projects of applications that checks name, remembered for a moment.
//!
//! A proxy names the same application with each request, and an application never moves to another
//! project. So a check asks the database once in [`KEPT_FOR`], not once per request. Only what
//! exists is remembered: an application that is missing now may be created.
//!
//! A deletion makes its node ask again at once, for every application, and other nodes within
//! [`KEPT_FOR`]. A query that began before the deletion may have found the application, so what it
//! found is not relied on either. Deletions are rare enough for that. The application's own keys,
//! and all keys of a deleted project, are revoked and need no memory for that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use latchkey_domain::id::{ApplicationId, ProjectId};
use quick_cache::sync::Cache;

/// Maximum number of remembered applications.
const MAX_APPLICATIONS: usize = 16_384;
/// How long an application is remembered, as long as a cached key.
const KEPT_FOR: Duration = Duration::from_millis(700);

/// Applications that existed a moment ago, each with its project and the query that found it.
pub(crate) struct KnownApplications {
    known: Cache<ApplicationId, (ProjectId, BegunQuery)>,
    deletions: AtomicU64,
}

/// When a query for an application began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BegunQuery {
    /// Monotonic.
    at: Duration,
    /// Number of deletions until then.
    deletions: u64,
}

impl KnownApplications {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(MAX_APPLICATIONS), deletions: AtomicU64::new(0) }
    }

    /// Project of an application, if it is remembered at `now` (monotonic).
    pub(crate) fn project(&self, application: ApplicationId, now: Duration) -> Option<ProjectId> {
        let (project, found) = self.known.get(&application)?;
        let holds =
            found.deletions == self.deletions.load(Ordering::Acquire) && now < found.at + KEPT_FOR;
        holds.then_some(project)
    }

    /// Call it before the query for an application, at `now` (monotonic).
    pub(crate) fn begin_query(&self, now: Duration) -> BegunQuery {
        BegunQuery { at: now, deletions: self.deletions.load(Ordering::Acquire) }
    }

    /// Remembers an application that a query has found.
    pub(crate) fn remember(&self, application: ApplicationId, project: ProjectId, by: BegunQuery) {
        self.known.insert(application, (project, by));
    }

    /// Asks the database the next time. Call it after a deletion was committed.
    pub(crate) fn forget_all(&self) {
        self.deletions.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn ids() -> (ApplicationId, ProjectId) {
        let at = Timestamp::from_millis(0);
        (ApplicationId::new(at, [1; 10]), ProjectId::new(at, [2; 10]))
    }

    #[test]
    fn application_is_remembered_for_a_moment() {
        let known = KnownApplications::new();
        let (application, project) = ids();
        assert_eq!(known.project(application, Duration::ZERO), None);
        known.remember(application, project, known.begin_query(Duration::ZERO));
        assert_eq!(known.project(application, Duration::ZERO), Some(project));
        assert_eq!(known.project(application, KEPT_FOR), None);
        known.forget_all();
        assert_eq!(known.project(application, Duration::ZERO), None);
    }

    #[test]
    fn application_found_before_a_deletion_is_not_relied_on() {
        let known = KnownApplications::new();
        let (application, project) = ids();
        let begun = known.begin_query(Duration::ZERO);
        known.forget_all();
        known.remember(application, project, begun);
        assert_eq!(known.project(application, Duration::ZERO), None);
        known.remember(application, project, known.begin_query(Duration::ZERO));
        assert_eq!(known.project(application, Duration::ZERO), Some(project));
    }
}

//! The application that the page shows, as last loaded.

use latchkey_domain::api::ApplicationContext;
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_domain::problem::{ErrorCode, Problem};
use leptos::prelude::*;

use crate::api::{ApiError, get_application};
use crate::layout::Workspace;

/// The application's own data: what the head shows, and what the keys are counted against.
#[derive(Clone, Copy)]
pub struct Subject {
    pub(super) found: RwSignal<Option<ApplicationContext>>,
    pub(super) failure: RwSignal<Option<ApiError>>,
    pub(super) load: Callback<()>,
}

impl Subject {
    /// Gets it in the browser, and again whenever `load` is called, say after a key came or went.
    pub(super) fn new(project: ProjectId, application: ApplicationId) -> Self {
        let found = RwSignal::new(None::<ApplicationContext>);
        let failure = RwSignal::new(None);
        let load = Callback::new(move |()| {
            leptos::task::spawn_local(async move {
                let answer = get_application(application).await;
                if found.is_disposed() {
                    return;
                }
                match answer {
                    Ok(it) if it.project.id == project => found.set(Some(it)),
                    Ok(_) => {
                        failure.set(Some(ApiError::Refused(Problem::new(ErrorCode::NotFound, ""))));
                    }
                    // A failed refresh keeps the last value.
                    Err(_) if found.with_untracked(Option::is_some) => {}
                    Err(error) => failure.set(Some(error)),
                }
            });
        });
        Effect::new(move || load.run(()));
        let workspace = expect_context::<Workspace>();
        Effect::new(move || {
            found.with(|found| {
                if let Some(found) = found {
                    workspace.remember_name(&found.application);
                }
            });
        });
        Self { found, failure, load }
    }

    pub(super) fn is_missing(self) -> bool {
        self.failure.with(|error| error.as_ref().is_some_and(|error| error.is(ErrorCode::NotFound)))
    }

    pub(super) fn retry(self) {
        self.failure.set(None);
        self.load.run(());
    }
}

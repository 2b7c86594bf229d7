//! Reads the upstreams file again on SIGHUP and when its content has changed.
//!
//! Containers replace a file in ways that change neither its time nor its length, so its content is
//! compared. A file that is bad changes nothing, and the log says why.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::config::UpstreamsFile;
use crate::state::AppState;

/// How often the file is looked at.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Keeps the upstreams as the file says until the server stops.
pub(crate) async fn keep_current(state: AppState, stop: CancellationToken) {
    let Some(file) = state.config.upstreams_file.clone() else { return };
    let mut watch = FileWatch { state, file, seen: None, pending: None, refused: None };
    let mut ticks = tokio::time::interval(POLL_EVERY);
    // A text counts if it is found twice, with time to write between.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hang_ups = HangUps::listen();
    loop {
        let is_asked = tokio::select! {
            () = stop.cancelled() => return,
            () = hang_ups.next() => true,
            _ = ticks.tick() => false,
        };
        watch.check(is_asked).await;
    }
}

struct FileWatch {
    state: AppState,
    file: UpstreamsFile,
    /// The text at the last reload.
    seen: Option<String>,
    /// A text that was found once. It may be half of what somebody is writing, so it counts only if
    /// it is found again.
    pending: Option<String>,
    /// Why the file was bad the last time, so that it is logged once.
    refused: Option<String>,
}

impl FileWatch {
    /// Reloads if the file has changed, or because somebody has asked for it.
    async fn check(&mut self, is_asked: bool) {
        let file = self.file.clone();
        let Ok(text) = tokio::task::spawn_blocking(move || file.text()).await else { return };
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                self.refuse(&error, is_asked);
                return;
            }
        };
        if !is_asked {
            if self.seen.as_ref() == Some(&text) {
                self.pending = None;
                // Whatever is wrong next is logged, even if it is the same again.
                self.refused = None;
                return;
            }
            if self.pending.as_ref() != Some(&text) {
                self.pending = Some(text);
                return;
            }
        }
        self.pending = None;
        self.seen = Some(text);
        let state = self.state.clone();
        // Loading tokenizers takes a while.
        match tokio::task::spawn_blocking(move || state.reload_upstreams()).await {
            Ok(Ok(has_changed)) => {
                self.refused = None;
                if is_asked && !has_changed {
                    tracing::info!("Upstreams reloaded without a change");
                }
            }
            Ok(Err(error)) => self.refuse(&error, is_asked),
            Err(error) => tracing::error!(%error, "Failed to reload the upstreams"),
        }
    }

    fn refuse(&mut self, error: &anyhow::Error, is_asked: bool) {
        let reason = format!("{error:#}");
        if is_asked || self.refused.as_ref() != Some(&reason) {
            tracing::error!(reason, "Upstreams not reloaded; the previous ones stay in use");
        }
        self.refused = Some(reason);
    }
}

/// The SIGHUP signals of this process.
struct HangUps {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl HangUps {
    fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = signal(SignalKind::hangup()).inspect_err(|error| {
                tracing::warn!(%error, "Failed to wait for SIGHUP");
            });
            Self { signals: signals.ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

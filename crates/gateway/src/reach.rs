//! Whether the upstreams answer, as `GET /readyz` tells it where the metrics are.
//!
//! It may be asked there as often as somebody likes; an upstream is asked at most once every few
//! seconds, and by no more than one request at a time. Whoever asks waits for a moment only: a node
//! whose upstream hangs has to tell a load balancer in time that it is ready itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use futures::future::join_all;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::line::Line;
use super::upstream_client::UpstreamClient;

/// How long an answer is passed on to everybody who asks.
const FRESH: Duration = Duration::from_secs(5);
/// How long somebody who asks waits for an upstream. Load balancers wait a second for the whole
/// answer.
const MOMENT: Duration = Duration::from_millis(500);
/// How long the upstream may take, for those who ask a little later: the first handshake with one
/// that is far away is longer than a moment.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// How an upstream was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It answers.
    Ok,
    /// It answers that it fails, or that it does not know our credentials.
    Failing,
    /// There is no connection to it.
    Unreachable,
    /// It has not answered in time.
    Silent,
}

/// An upstream, by what operators call it, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpstreamReach {
    name: String,
    status: Reach,
}

/// The upstreams, and what they last answered.
pub(super) struct Watch {
    upstreams: Vec<Watched>,
}

struct Watched {
    line: Arc<Line>,
    last: Mutex<Option<Asked>>,
}

struct Asked {
    /// On the monotonic clock.
    at: Duration,
    /// None until the upstream has answered, or has had its time.
    answer: watch::Receiver<Option<Reach>>,
}

impl Watch {
    pub(super) fn over(lines: Vec<Arc<Line>>) -> Self {
        let watched = |line| Watched { line, last: Mutex::new(None) };
        Self { upstreams: lines.into_iter().map(watched).collect() }
    }

    /// How each was found, in the order of the configuration; asks those that were not asked
    /// lately.
    pub(super) async fn look(
        &self,
        client: &Arc<UpstreamClient>,
        now: Duration,
    ) -> Vec<UpstreamReach> {
        join_all(self.upstreams.iter().map(async |watched| UpstreamReach {
            name: watched.line.name.clone(),
            status: watched.look(client, now).await,
        }))
        .await
    }
}

impl Watched {
    async fn look(&self, client: &Arc<UpstreamClient>, now: Duration) -> Reach {
        let mut answer = self.answer(client, now);
        let told = tokio::time::timeout(MOMENT, answer.wait_for(Option::is_some)).await;
        match told {
            Ok(Ok(told)) => told.unwrap_or(Reach::Silent),
            _ => Reach::Silent,
        }
    }

    /// The answer that is fresh, or one that is being fetched.
    fn answer(
        &self,
        client: &Arc<UpstreamClient>,
        now: Duration,
    ) -> watch::Receiver<Option<Reach>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = last.as_ref().filter(|asked| now.saturating_sub(asked.at) < FRESH) {
            return asked.answer.clone();
        }
        let (tell, answer) = watch::channel(None);
        let (client, line) = (Arc::clone(client), Arc::clone(&self.line));
        // On its own: it goes on when whoever asked has waited long enough.
        tokio::spawn(async move {
            let reach = ask(&client, &line).await;
            tell.send_replace(Some(reach));
        });
        *last = Some(Asked { at: now, answer: answer.clone() });
        answer
    }
}

/// Asks for its models, which costs nothing and which everybody who speaks this protocol answers
/// somehow.
async fn ask(client: &UpstreamClient, line: &Line) -> Reach {
    let asked = client.send(&line.origin, || line.ask_for_models());
    match tokio::time::timeout(HEALTH_TIMEOUT, asked).await {
        Ok(Ok(answer)) => match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reach::Failing,
            status if status.is_server_error() => Reach::Failing,
            _ => Reach::Ok,
        },
        Ok(Err(error)) if error.is_timeout() => Reach::Silent,
        Ok(Err(_)) => Reach::Unreachable,
        Err(_) => Reach::Silent,
    }
}

//! How many connections the server takes.

use latchkey_listener::Timeouts;
use tokio::net::TcpListener;

use crate::fd_limit;
use crate::service::HttpService;

/// How many connections may be open, if the system lets the process have as many; more wait to be
/// accepted.
const CONNECTIONS: usize = 20_000;

/// Accepts connections and answers what comes on them until `stop`; then finishes the requests
/// under way.
pub async fn serve(listener: TcpListener, service: HttpService, stop: impl Future<Output = ()>) {
    let room = fd_limit::shares().clients;
    if room < CONNECTIONS {
        tracing::info!(
            limit = room,
            wanted = CONNECTIONS,
            "Limited the number of connections because the limit of open files is low"
        );
    }
    latchkey_listener::accept(listener, service, room.min(CONNECTIONS), Timeouts::DEFAULT, stop)
        .await;
}

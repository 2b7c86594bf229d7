//! How many connections the server takes.

use latchkey_listener::Timeouts;
use tokio::net::TcpListener;

use crate::fd_limit;
use crate::service::HttpService;

/// Maximum number of open connections, if the file limit of the process allows it. Further ones
/// wait to be accepted.
const CONNECTIONS: usize = 20_000;

/// Accepts and serves connections until `stop`, then finishes the requests in progress.
pub async fn serve(listener: TcpListener, service: HttpService, stop: impl Future<Output = ()>) {
    let clients = fd_limit::shares().clients;
    if clients < CONNECTIONS {
        tracing::info!(
            limit = clients,
            wanted = CONNECTIONS,
            "Limited the number of connections because the limit of open files is low"
        );
    }
    latchkey_listener::accept(listener, service, clients.min(CONNECTIONS), Timeouts::DEFAULT, stop)
        .await;
}

//! How many connections the server takes.

use std::sync::Arc;

use latchkey_listener::{Connections, Timeouts};
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
    let open = Arc::clone(service.open_connections());
    let connections = Connections { max: clients.min(CONNECTIONS), open };
    let service = move || service.of_connection();
    latchkey_listener::accept(listener, service, connections, Timeouts::DEFAULT, stop).await;
}

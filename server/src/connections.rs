//! How many connections the server takes.

use latchkey_listener::Patience;
use tokio::net::TcpListener;

use crate::front::Front;
use crate::open_files;

/// How many connections may be open, if the system lets the process have as many; more wait to be
/// accepted.
const CONNECTIONS: usize = 20_000;

/// Accepts connections and answers what comes on them until `stop`; then finishes the requests
/// under way.
pub async fn serve(listener: TcpListener, front: Front, stop: impl Future<Output = ()>) {
    let room = open_files::shares().clients;
    if room < CONNECTIONS {
        tracing::info!(
            limit = room,
            wanted = CONNECTIONS,
            "Limited the number of connections because the limit of open files is low"
        );
    }
    latchkey_listener::accept(listener, front, room.min(CONNECTIONS), Patience::USUAL, stop).await;
}

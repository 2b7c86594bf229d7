//! A bare proxy of hyper's own server and client, without any checks: what the gateway is measured
//! beside. Each connection of a client has one of its own to the upstream.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use latchkey_bench::bare;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// First argument of this program when it is to be the proxy; the second is the upstream.
pub(crate) const ARGUMENT: &str = "hyper-proxy";

/// Serves until it is killed.
pub(crate) fn serve(upstream: SocketAddr) -> anyhow::Result<()> {
    bare::listen(move |listener| accept(listener, upstream))
}

async fn accept(listener: TcpListener, upstream: SocketAddr) -> anyhow::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        // A connection that breaks is the load generator's to report.
        tokio::spawn(async move { relay(client, upstream).await.ok() });
    }
}

async fn relay(client: TcpStream, upstream: SocketAddr) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let server = TokioIo::new(server);
    let (sender, connection) = http1::handshake::<_, Incoming>(server).await?;
    tokio::spawn(connection);
    let sender = Arc::new(Mutex::new(sender));
    let service = service_fn(move |request: Request<Incoming>| {
        let sender = Arc::clone(&sender);
        async move {
            let mut sender = sender.lock().await;
            sender.ready().await?;
            sender.send_request(request).await
        }
    });
    let server = hyper::server::conn::http1::Builder::new();
    server.serve_connection(TokioIo::new(client), service).await?;
    Ok(())
}

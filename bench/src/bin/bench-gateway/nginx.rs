//! nginx as a proxy before the upstream.

use std::net::SocketAddr;

use latchkey_bench::nginx::NginxProcess;
use latchkey_bench::server::free_address;

/// Starts nginx before the upstream and returns the address that it listens on. It keeps
/// connections to the upstream, and passes on each event of a stream as it comes.
pub(crate) async fn start(upstream: SocketAddr) -> anyhow::Result<(NginxProcess, SocketAddr)> {
    let listen = free_address()?;
    let blocks = format!(
        "upstream local {{
  server {upstream} max_fails=0;
  keepalive 64;
  keepalive_requests 1000000000;
}}
server {{
  listen {listen};
  location / {{
    proxy_pass http://local;
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_buffering off;
  }}
}}
"
    );
    Ok((NginxProcess::start(tempfile::tempdir()?, &blocks, listen).await?, listen))
}

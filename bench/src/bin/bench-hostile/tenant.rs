//! Another tenant, with keys to revoke and keys to check.

use std::time::Duration;

use anyhow::ensure;
use latchkey_bench::account::Account;
use latchkey_bench::connection::{Connection, post};
use latchkey_bench::mixed::{self, Expected, MixedLoad};
use latchkey_bench::server::Server;
use serde_json::json;

const REVOCATIONS: usize = 200;
const CHECKED: usize = 100;
const CONNECTIONS: usize = 32;
const ROUND: Duration = Duration::from_secs(2);
const PATH: &str = "/v1/keys/verify";
const ADMITTED: &[u8] = br#"{"valid":true,"#;

pub(crate) struct Tenant {
    /// Ids of keys.
    pub(crate) to_revoke: Vec<String>,
    /// Checks of cached keys.
    pub(crate) checks: MixedLoad,
}

impl Tenant {
    pub(crate) async fn settle(server: &Server, account: &Account) -> anyhow::Result<Self> {
        let mut to_revoke = Vec::new();
        for number in 0..REVOCATIONS {
            let body = json!({ "name": format!("to revoke {number}") });
            to_revoke.push(account.inference_key_with_id(&body).await?.0);
        }
        let permissions =
            json!({"name": "bench", "kind": "service", "permissions": ["keys:verify"]});
        let service_key = account.key(&permissions).await?;
        let mut requests = Vec::new();
        for number in 0..CHECKED {
            // All names, and therefore all responses, have the same length.
            let secret = account.key(&json!({ "name": format!("key {number:05}") })).await?;
            let body = json!({ "key": secret }).to_string();
            requests.push(post(server.address, PATH, &service_key, &body));
        }
        let mut connection = Connection::open(server.address).await?;
        let (exchange, body) = connection.exchange_and_look(&requests[0], <[u8]>::to_vec).await?;
        ensure!(exchange.status == 200 && body.starts_with(ADMITTED), "a good key is refused");
        let checks = MixedLoad {
            address: server.address,
            requests: requests.into(),
            expected: Expected { begins_with: ADMITTED, length: body.len() },
            connections: CONNECTIONS,
            duration: ROUND,
        };
        mixed::walk(&checks).await?;
        Ok(Self { to_revoke, checks })
    }
}

//! Probes Redis once before a node starts. A Redis that responds with a permanent error will do so
//! until someone changes a setting, and until then each node would enforce its share.

use std::time::Duration;

use redis::{RedisError, Script};
use tokio::time::timeout;

use super::RedisLimiter;
use super::membership::PROBE_KEY;

/// Time limit of the probe. An unavailable Redis does not prevent the start.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Error codes of temporary conditions.
const TEMPORARY_ERRORS: [&str; 7] =
    ["LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS"];

/// Runs every command that a node uses, on windows of no key.
///
/// # Errors
/// Redis responds with a permanent error. The message says what to set.
pub(crate) async fn probe(shared: &RedisLimiter) -> Result<(), String> {
    match timeout(PROBE_TIMEOUT, attempt(shared)).await {
        Ok(Err(error)) if !is_outage(&error) => {
            Err(format!("{} reported an error: {error}. {}", shared.url.host(), remedy(&error)))
        }
        // It works, or it is unavailable; the heartbeat reports that.
        _ => Ok(()),
    }
}

async fn attempt(shared: &RedisLimiter) -> Result<(), RedisError> {
    let mut connection = shared.connect().await?;
    let run = async |script: &Script, arguments: &[&str]| {
        let mut call = script.prepare_invoke();
        call.key("latchkey:{start}:r").key("latchkey:{start}:t");
        for argument in arguments {
            call.arg(*argument);
        }
        call.invoke_async::<redis::Value>(&mut connection.clone()).await
    };
    let scripts = &shared.scripts;
    run(&scripts.acquire, &["1000000", "1000000", "1", "1", PROBE_KEY, "any"]).await?;
    run(&scripts.settle, &["0", "0", "0"]).await?;
    run(&scripts.peek, &[]).await?;
    let calls = "latchkey:{start}:p";
    run(&scripts.acquire_slot, &["any", PROBE_KEY, "1", "1", calls, "1000000"]).await?;
    run(&scripts.release_slot, &["any", "1", calls]).await?;
    run(&scripts.write_calls, &["any", "1", calls, "0"]).await?;
    shared.membership.probe(&mut connection).await
}

fn is_outage(error: &RedisError) -> bool {
    let message = error.to_string();
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| TEMPORARY_ERRORS.contains(&code))
        || message.contains("max number of clients")
}

fn remedy(error: &RedisError) -> &'static str {
    let message = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["OOM"]) {
        "Redis is out of memory; raise maxmemory, and set maxmemory-policy to noeviction"
    } else if has(&["READONLY", "read only"]) {
        "The server is a replica; point REDIS_URL to the primary"
    } else if has(&["NOPERM", "ACL", "permission"]) {
        "Allow the user ~latchkey:* +@connection +@scripting +@hash +@sortedset +expire +time"
    } else if has(&["DB index", "database number", "switch database"]) {
        "Remove the database number from REDIS_URL, or use one that exists"
    } else if has(&["NOAUTH", "WRONGPASS", "assword", "AUTH"]) {
        "Add the user and password to REDIS_URL, percent-encoded: redis://user:password@host:6379/0"
    } else {
        "Shared rate limits require Redis 6.2 or later, or Valkey, with scripts and writes enabled \
         (REDIS_URL)"
    }
}

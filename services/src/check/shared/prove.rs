//! Whether a Redis can ever work, tried once before a node starts: one that answers, and refuses,
//! will refuse for as long as nobody changes a setting, and each node would keep to its share for
//! ever.

use std::time::Duration;

use redis::{RedisError, Script};
use tokio::time::timeout;

use super::SharedWindows;
use super::presence::TRIED;

/// How long Redis may take. One that is away is no reason not to start.
const PATIENCE: Duration = Duration::from_secs(2);

/// What passes by itself.
const PASSES: [&str; 7] =
    ["LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS"];

/// Does all that a node does, with windows of no key.
///
/// # Errors
/// Redis answers and refuses: the sentence says what to set.
pub(super) async fn prove(shared: &SharedWindows) -> Result<(), String> {
    match timeout(PATIENCE, attempt(shared)).await {
        Ok(Err(error)) if !is_outage(&error) => {
            Err(format!("{} refuses: {error}. {}", shared.url.host(), remedy(&error)))
        }
        // It works, or it is away: that is told of when limits are to be shared.
        _ => Ok(()),
    }
}

async fn attempt(shared: &SharedWindows) -> Result<(), RedisError> {
    let mut connection = shared.connect().await?;
    let run = async |script: &Script, arguments: &[&str]| {
        let mut call = script.prepare_invoke();
        call.key("latchkey:{start}:r").key("latchkey:{start}:t");
        for argument in arguments {
            call.arg(*argument);
        }
        call.invoke_async::<redis::Value>(&mut connection.clone()).await
    };
    run(&shared.take, &["1000000", "1000000", "1", "1", TRIED, "any"]).await?;
    run(&shared.settle, &["0", "0", "0"]).await?;
    run(&shared.look, &[]).await?;
    shared.presence.try_to_say(&mut connection).await
}

fn is_outage(error: &RedisError) -> bool {
    let said = error.to_string();
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| PASSES.contains(&code))
        || said.contains("max number of clients")
}

fn remedy(error: &RedisError) -> &'static str {
    let said = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["OOM"]) {
        "It is full: raise its maxmemory, and set maxmemory-policy to noeviction"
    } else if has(&["READONLY", "read only"]) {
        "It is a replica: let REDIS_URL lead to the primary"
    } else if has(&["NOPERM", "ACL", "permission"]) {
        "Allow the user ~latchkey:* +@connection +@scripting +@hash +@sortedset +expire +time"
    } else if has(&["DB index", "database number", "switch database"]) {
        "Leave the database’s number out of REDIS_URL, or name one that Redis has"
    } else if has(&["NOAUTH", "WRONGPASS", "assword", "AUTH"]) {
        "Give user and password in REDIS_URL, redis://user:password@host:6379/0, percent-encoded"
    } else {
        "Limits per minute need a Redis 6.2 or later, or a Valkey, that takes scripts and writes (REDIS_URL)"
    }
}

//! Replaces a pepper on all nodes without a refused call.
//!
//! ```text
//! some nodes have both peppers      new keys stand under the retired one, and no key moves
//! every running node has both       one of them registers the new one
//! from then on                      new keys stand under the new one, others move when used
//! ```
//! A node registers itself when it compares its peppers (`pepper_start`), under the lock that the
//! last step takes. So either the step sees the node, or the node does not start.
//!
//! *Failure.* A node that was thought to be gone and does not know the new pepper finds out with
//! its next heartbeat. Until it is restarted, it answers `unavailable` for keys that it does not
//! know.

use std::time::Duration;

use sea_orm::EntityTrait;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, PgPool, Row};

use crate::checker::Checker;
use crate::digest::Pepper;
use crate::pepper_nodes::SeenNodes;
use crate::pepper_rows::PepperRows;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::pepper_node;

const INTERVAL: Duration = Duration::from_secs(1);

/// Tells the other nodes that this one is there, and registers its pepper once all know both. On
/// SQLite it ends at once; otherwise never.
pub(crate) async fn keep(checker: &Checker) {
    if checker.database.is_sqlite() {
        return;
    }
    let mut nodes = SeenNodes::default();
    let mut logged = false;
    loop {
        match in_time(beat(checker, &mut nodes)).await {
            Ok(()) => logged = false,
            Err(error) if !std::mem::replace(&mut logged, true) => {
                tracing::warn!(%error, "Failed to tell other nodes which peppers this one has");
            }
            Err(_) => {}
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Removes the node, so that others need not wait for it.
///
/// # Errors
/// The database fails. The node counts as gone after half a minute.
pub(crate) async fn leave(checker: &Checker) -> Result<(), Error> {
    if checker.database.is_sqlite() {
        return Ok(());
    }
    let delete = pepper_node::Entity::delete_by_id(checker.node.clone());
    in_time(async { Ok(delete.exec(checker.database.writer()).await?) }).await?;
    Ok(())
}

async fn beat(checker: &Checker, nodes: &mut SeenNodes) -> Result<(), Error> {
    let pool = checker.database.writer().get_postgres_connection_pool();
    let (rows, registered) = count_up(checker, pool).await.map_err(Error::unavailable)?;
    for (id, beats) in nodes.read(&rows) {
        let delete = sqlx::query("DELETE FROM pepper_nodes WHERE id = $1 AND beats = $2");
        delete.bind(id).bind(beats).execute(pool).await.map_err(Error::unavailable)?;
    }
    let pepper = checker.peppers.both();
    let is_registered = registered == pepper.fingerprint();
    let retired = pepper.retired().filter(|retired| registered == retired.fingerprint());
    if checker.peppers.set_outdated(!is_registered && retired.is_none()) {
        tracing::error!(
            "The pepper was replaced on other nodes; keys that have moved are unavailable here. \
             Set LATCHKEY_PEPPER to the new one and restart"
        );
    }
    if is_registered {
        checker.peppers.set_known_everywhere();
    } else if let Some(retired) = retired
        && nodes.know(&rows, [&pepper.id(), &retired.id()])
    {
        replace(checker, nodes, retired).await?;
    }
    Ok(())
}

/// Counts up in the own row, and reads the others and the registered pepper. Like the listener's
/// heartbeats, these statements are not counted as work of the node.
async fn count_up(
    checker: &Checker,
    pool: &PgPool,
) -> Result<(Vec<pepper_node::Model>, String), sqlx::Error> {
    let pepper = checker.peppers.both();
    let beat = "INSERT INTO pepper_nodes (id, current, retired, beats) VALUES ($1, $2, $3, 1) \
                ON CONFLICT (id) DO UPDATE SET beats = pepper_nodes.beats + 1";
    sqlx::query(beat)
        .bind(&checker.node)
        .bind(pepper.id().to_vec())
        .bind(pepper.retired().map(|retired| retired.id().to_vec()))
        .execute(pool)
        .await?;
    let rows = sqlx::query("SELECT id, current, retired, beats FROM pepper_nodes");
    let rows = rows.fetch_all(pool).await?;
    let rows = rows.iter().map(node).collect::<Result<Vec<_>, _>>()?;
    let registered =
        sqlx::query_scalar("SELECT value FROM instance WHERE name = 'pepper_fingerprint'");
    Ok((rows, registered.fetch_one(pool).await?))
}

fn node(row: &PgRow) -> Result<pepper_node::Model, sqlx::Error> {
    Ok(pepper_node::Model {
        id: row.try_get(0)?,
        current: row.try_get(1)?,
        retired: row.try_get(2)?,
        beats: row.try_get(3)?,
    })
}

/// Registers this node's pepper instead of the retired one, unless another node has started that
/// does not know it.
async fn replace(checker: &Checker, nodes: &SeenNodes, retired: &Pepper) -> Result<(), Error> {
    let pepper = checker.peppers.both();
    let transaction = checker.database.begin().await?;
    let known = PepperRows::lock(&transaction, pepper).await?;
    let rows = pepper_node::Entity::find().all(&transaction).await?;
    if known.is_pending(pepper) {
        if !nodes.know(&rows, [&pepper.id(), &retired.id()]) {
            return Ok(transaction.rollback().await?);
        }
        known.replace(&transaction, pepper, retired, checker.random.as_ref()).await?;
    }
    transaction.commit().await?;
    checker.peppers.set_known_everywhere();
    tracing::info!("Every running node has the new pepper; keys move to it when they are used");
    Ok(())
}

//! Compares a node's peppers with the database's when it starts.

use latchkey_domain::time::Timestamp;
use sea_orm::{EntityTrait, Set};

use crate::digest::Pepper;
use crate::pepper_rows::{PepperCheckError, PepperRows};
use latchkey_store::database::Database;
use latchkey_store::entity::pepper_node;
use latchkey_store::random::Random;

/// What a node that starts finds.
pub(crate) struct StartedPeppers {
    /// Whether keys move to the node's pepper.
    pub(crate) are_known_everywhere: bool,
    /// Fingerprint of the first pepper of all, which names the installation.
    pub(crate) first: String,
}

/// Compares a node's peppers with the database's, and registers the node.
///
/// # Errors
/// The database fails, or the node would refuse good keys.
pub(crate) async fn start(
    database: &Database,
    pepper: &Pepper,
    node: &str,
    random: &dyn Random,
    now: Timestamp,
) -> Result<StartedPeppers, PepperCheckError> {
    let transaction = database.begin().await?;
    let rows = PepperRows::lock(&transaction, pepper).await?;
    rows.check(&transaction, pepper, now).await?;
    let retired = pepper.retired();
    let mut are_known_everywhere = retired.is_none() || !rows.is_pending(pepper);
    if !database.is_sqlite() {
        let row = pepper_node::ActiveModel {
            id: Set(node.to_owned()),
            current: Set(pepper.id().to_vec()),
            retired: Set(retired.map(|retired| retired.id().to_vec())),
            beats: Set(0),
        };
        pepper_node::Entity::insert(row).exec_without_returning(&transaction).await?;
    } else if let Some(retired) = retired.filter(|_| !are_known_everywhere) {
        // There is no other node.
        rows.replace(&transaction, pepper, retired, random).await?;
        are_known_everywhere = true;
    }
    transaction.commit().await?;
    if retired.is_some() && !are_known_everywhere {
        tracing::info!("Keys move to the new pepper as soon as every running node has both");
    }
    Ok(StartedPeppers { are_known_everywhere, first: rows.first })
}

//! Keeps this node's table of shapes current.
//!
//! An import is announced to other nodes as a change of keys is (`key_invalidation`). While
//! announcements may be missed, the table is read again every second.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::id::ProjectId;
use latchkey_domain::import::Scheme;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect};

use super::seal::Opened;
use super::shape_table::{KeyScheme, ShapeTable};
use crate::checker::Checker;
use latchkey_store::Error;
use latchkey_store::database::in_time;
use latchkey_store::entity::{imported_key, key_shape};

/// How often the table is read while announcements may be missed, and after a failure.
const INTERVAL: Duration = Duration::from_secs(1);

/// The table, with all that was imported before this call as far as this node has heard of it.
///
/// # Errors
/// The database fails, and the table is not current.
pub(super) async fn current(checker: &Checker) -> Result<Arc<ShapeTable>, Error> {
    if checker.shapes.is_stale() {
        in_time(read_if_stale(checker)).await?;
    }
    Ok(checker.shapes.table())
}

async fn read_if_stale(checker: &Checker) -> Result<(), Error> {
    let _one = checker.shapes.reading.lock().await;
    if checker.shapes.is_stale() { read_now(checker).await } else { Ok(()) }
}

impl Checker {
    /// Reads what keys of other systems look like. Call it before the first check.
    ///
    /// # Errors
    /// The database fails.
    pub async fn read_shapes(&self) -> Result<(), Error> {
        in_time(read(self)).await
    }
}

/// Reads the table, current or not.
async fn read(checker: &Checker) -> Result<(), Error> {
    let _one = checker.shapes.reading.lock().await;
    read_now(checker).await
}

async fn read_now(checker: &Checker) -> Result<(), Error> {
    let changes = checker.shapes.changes();
    let table = query(checker).await?;
    checker.shapes.replace(table, changes);
    Ok(())
}

/// Reads the table again whenever it may have changed. It never ends by itself.
pub(crate) async fn keep_current(checker: &Checker) {
    let mut was_deaf = false;
    loop {
        let _ = tokio::time::timeout(INTERVAL, checker.shapes.changed.notified()).await;
        let is_deaf = !checker.is_listening();
        let done = if checker.shapes.is_stale() {
            in_time(read_if_stale(checker)).await
        } else if is_deaf && was_deaf {
            in_time(read(checker)).await
        } else {
            Ok(())
        };
        was_deaf = is_deaf;
        if let Err(error) = done {
            tracing::warn!(%error, "Failed to read the shapes of imported keys");
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// What is stored of keys that have not moved: once for all keys that are found in the same way.
type StoredScheme = (ProjectId, Scheme, Option<i64>, Option<Vec<u8>>);

async fn query(checker: &Checker) -> Result<ShapeTable, Error> {
    let reader = checker.database.reader();
    let mut table = ShapeTable::default();
    for row in key_shape::Entity::find().all(reader).await? {
        if let Some(shape) = row.shape() {
            table.add_shape(row.project_id, shape);
        }
    }
    if table.is_empty() {
        return Ok(table);
    }
    let secret: Expr =
        Expr::case(imported_key::Column::Lookup.is_null(), Expr::col(imported_key::Column::Sealed))
            .into();
    let length = Expr::expr(Func::char_length(Expr::col(imported_key::Column::Lookup)));
    let schemes: Vec<StoredScheme> = imported_key::Entity::find()
        .select_only()
        .distinct()
        .columns([imported_key::Column::ProjectId, imported_key::Column::Scheme])
        .expr_as(length.cast_as("bigint"), "length")
        .expr_as(secret, "secret")
        .filter(imported_key::Column::MovedAt.is_null())
        .filter(imported_key::Column::Scheme.ne(Scheme::Plaintext))
        .into_tuple()
        .all(reader)
        .await?;
    for (project, scheme, length, sealed) in schemes {
        if let Some(scheme) = key_scheme(checker, &scheme, length, sealed) {
            table.add_scheme(project, scheme);
        } else {
            tracing::error!(
                %project, %scheme,
                "The database holds imported keys that this server can’t look up"
            );
        }
    }
    Ok(table)
}

fn key_scheme(
    checker: &Checker,
    scheme: &Scheme,
    length: Option<i64>,
    sealed: Option<Vec<u8>>,
) -> Option<KeyScheme> {
    let scheme = match scheme.clone() {
        Scheme::Fast(fast) => KeyScheme::Fast(fast),
        Scheme::Hmac(algorithm) => KeyScheme::Hmac(algorithm, open(checker, &sealed?)?),
        Scheme::Pbkdf2Sha256 | Scheme::Bcrypt | Scheme::Scrypt => {
            KeyScheme::Slow(usize::try_from(length?).ok()?)
        }
        // It stands under our own digest from the start.
        Scheme::Plaintext => return None,
    };
    Some(scheme)
}

/// Opens what was sealed under either pepper.
pub(super) fn open(checker: &Checker, sealed: &[u8]) -> Option<Opened> {
    checker.peppers.writing().each().find_map(|pepper| pepper.open(sealed))
}

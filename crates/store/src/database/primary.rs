//! Authorization reads come from the primary or fail.
//!
//! A pooler that balances reads may query a replica, which may lag behind a revocation, a sign-out
//! or a removal. The rows do not show where they came from, so the statement itself also selects
//! whether a replica answered it.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, QueryTrait, RuntimeErr, Statement};

use crate::error::Error;

/// Column: whether a replica answered.
const FROM_REPLICA: &str = "from_replica";
/// Column: whether a row was found.
const IS_THERE: &str = "is_there";

/// First row of a query, read from the primary.
///
/// # Errors
/// `Unavailable` if a replica answered.
pub async fn one(
    reader: &impl ConnectionTrait,
    query: &impl QueryTrait,
) -> Result<Option<QueryResult>, Error> {
    let backend = reader.get_database_backend();
    let statement = query.build(backend);
    if backend != DbBackend::Postgres {
        return Ok(reader.query_one_raw(statement).await?);
    }
    let statement = with_replica_flag(statement);
    let found = reader.query_one_raw(statement).await?.ok_or(Error::Corrupt("answer"))?;
    if found.try_get::<bool>("", FROM_REPLICA)? {
        return Err(replica());
    }
    Ok(found.try_get::<Option<bool>>("", IS_THERE)?.is_some().then_some(found))
}

/// Wraps a statement so that it returns a row even if nothing is found: a replica may also lag
/// behind an insert.
fn with_replica_flag(statement: Statement) -> Statement {
    let sql = format!(
        "SELECT found.*, pg_is_in_recovery() AS {FROM_REPLICA} FROM (SELECT 1) AS one LEFT JOIN \
         (SELECT wanted.*, TRUE AS {IS_THERE} FROM ({}) AS wanted LIMIT 1) AS found ON TRUE",
        statement.sql
    );
    Statement { sql, ..statement }
}

fn replica() -> Error {
    let why = "the query was answered by a replica instead of the primary; disable read balancing \
               in the pooler (load_balance_mode = off in pgpool-II), or point DATABASE_URL to the \
               primary";
    Error::Unavailable(DbErr::Conn(RuntimeErr::Internal(why.to_owned())))
}

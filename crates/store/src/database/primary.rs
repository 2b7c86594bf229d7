//! Reading what decides who may do what: from the primary, or not at all.
//!
//! A pooler that balances reads may ask a replica, which does not know yet of a revocation, a
//! sign-out or a removal. Nothing in an answer shows that, so such a look-up asks in the same
//! statement where it is answered.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, QueryTrait, RuntimeErr, Statement};

use crate::error::Error;

/// Whether the answer comes from a replica.
const FROM_REPLICA: &str = "from_replica";
/// Whether there is what was looked for.
const IS_THERE: &str = "is_there";

/// The first row of a look-up.
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
    let found = reader.query_one_raw(telling(statement)).await?.ok_or(Error::Corrupt("answer"))?;
    if found.try_get::<bool>("", FROM_REPLICA)? {
        return Err(replica());
    }
    Ok(found.try_get::<Option<bool>>("", IS_THERE)?.is_some().then_some(found))
}

/// The same statement, which has a row even if nothing is found: a replica does not know either of
/// what was made just now.
fn telling(statement: Statement) -> Statement {
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

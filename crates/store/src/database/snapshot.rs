//! Reads that belong together, of one state of the database.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::Database;
use super::begin::begin_reading;

/// One state of the database, for reading only. It holds a connection until it ends, on SQLite one
/// of each file, so bound how many there are at once.
pub struct Snapshot {
    main: DatabaseTransaction,
    /// On PostgreSQL telemetry is in the same database.
    telemetry: Option<DatabaseTransaction>,
}

impl Database {
    /// Begins to read. The state is that of [`Snapshot::fix`].
    ///
    /// # Errors
    /// The database fails.
    pub async fn snapshot(&self) -> Result<Snapshot, DbErr> {
        let main = begin_reading(&self.reader).await?;
        let telemetry = match &self.telemetry.file {
            Some(_) => Some(begin_reading(&self.telemetry.reader).await?),
            None => None,
        };
        Ok(Snapshot { main, telemetry })
    }
}

impl Snapshot {
    /// Fixes the state to be read: what is committed now. It takes a moment, as the connections are
    /// there already.
    ///
    /// # Errors
    /// The database fails.
    pub async fn fix(&self) -> Result<(), DbErr> {
        // A transaction sees the state that its first statement finds.
        self.main.execute_unprepared("SELECT 1 FROM keys LIMIT 1").await?;
        if let Some(telemetry) = &self.telemetry {
            telemetry.execute_unprepared("SELECT 1 FROM key_usage LIMIT 1").await?;
        }
        Ok(())
    }

    /// For reads of everything but telemetry and usage.
    pub const fn main(&self) -> &DatabaseTransaction {
        &self.main
    }

    /// For reads of what [`Database::telemetry`] has.
    pub fn telemetry(&self) -> &DatabaseTransaction {
        self.telemetry.as_ref().unwrap_or(&self.main)
    }

    /// Returns the connections.
    ///
    /// # Errors
    /// The database fails.
    pub async fn end(self) -> Result<(), DbErr> {
        self.main.rollback().await?;
        match self.telemetry {
            Some(telemetry) => telemetry.rollback().await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_test_database as test_database;
    use sea_orm::{EntityTrait, PaginatorTrait};

    use super::*;
    use crate::entity::{instance, project_month};

    async fn check_state(database: Database) {
        let write = async |number: u8| {
            let main = format!("INSERT INTO instance (name, value) VALUES ('n{number}', 'v')");
            database.writer().execute_unprepared(&main).await.unwrap();
            let id = format!("{number:032x}");
            let id = if database.is_sqlite() { format!("x'{id}'") } else { format!("'{id}'") };
            let usage = format!(
                "INSERT INTO project_months (project_id, month, requests) VALUES ({id}, 0, 1)"
            );
            database.telemetry().writer().execute_unprepared(&usage).await.unwrap();
        };
        let snapshot = database.snapshot().await.unwrap();
        let seen = async || {
            let main = instance::Entity::find().count(snapshot.main()).await.unwrap();
            let usage = project_month::Entity::find().count(snapshot.telemetry()).await.unwrap();
            (main, usage)
        };
        write(1).await;
        snapshot.fix().await.unwrap();
        write(2).await;
        let before = seen().await;
        assert_eq!(before.1, 1, "from when it was fixed, not from its beginning");
        write(3).await;
        assert_eq!(seen().await, before);
        let told = snapshot.main().execute_unprepared("DELETE FROM instance").await;
        assert!(told.is_err() || database.is_sqlite(), "it only reads");
        snapshot.end().await.unwrap();
        let later = database.snapshot().await.unwrap();
        later.fix().await.unwrap();
        assert_eq!(project_month::Entity::find().count(later.telemetry()).await.unwrap(), 3);
        assert_eq!(instance::Entity::find().count(later.main()).await.unwrap(), before.0 + 2);
    }

    #[tokio::test]
    async fn snapshot_sees_one_state_on_sqlite() {
        let (url, _folder) = test_database::on_sqlite();
        check_state(Database::open(&url).await.unwrap()).await;
    }

    #[tokio::test]
    async fn snapshot_sees_one_state_on_postgres() {
        let url = test_database::on_postgres("snapshot", "").await;
        check_state(Database::open(&url).await.unwrap()).await;
    }
}

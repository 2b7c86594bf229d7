//! Migration of people who were invited before invitations had their own table: none is lost.

use latchkey_domain::role::Role;
use latchkey_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter,
    QueryOrder,
};
use uuid::Uuid;

use latchkey_store::entity::{invitation, membership, user};
use latchkey_test_database as test_database;

const MIGRATION: &str = "m20261128_000018_invitations";

#[tokio::test]
async fn invited_people_become_invitations_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/latchkey.db?mode=rwc", folder.path().display());
    check_migration(&url).await;
}

#[tokio::test]
async fn invited_people_become_invitations_on_postgres() {
    check_migration(&test_database::on_postgres("invited_people", "").await).await;
}

async fn check_migration(url: &str) {
    let database = sea_orm::Database::connect(url).await.unwrap();
    let before = Migrator::migrations().iter().position(|one| one.name() == MIGRATION).unwrap();
    Migrator::up(&database, Some(u32::try_from(before).unwrap())).await.unwrap();
    let id = |number: u128| match database.get_database_backend() {
        DbBackend::Sqlite => format!("x'{}'", Uuid::from_u128(number).simple()),
        _ => format!("'{}'", Uuid::from_u128(number)),
    };
    let (fernside, tidewell, owner, guest) = (id(1), id(2), id(3), id(4));
    let (old_bob, new_bob) = (id(5), id(6));
    for statement in [
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) VALUES ({fernside}, 'Fernside', 'free', 1)"
        ),
        format!(
            "INSERT INTO organizations (id, name, tier, created_at) VALUES ({tidewell}, 'Tidewell', 'free', 2)"
        ),
        format!(
            "INSERT INTO users (id, github_id, login, created_at, invited) VALUES ({owner}, 7, 'ada', 1, FALSE)"
        ),
        format!(
            "INSERT INTO users (id, login, created_at, invited) VALUES ({guest}, 'Guest', 2, TRUE)"
        ),
        format!(
            "INSERT INTO users (id, github_id, login, created_at, invited) VALUES ({old_bob}, 8, 'bob', 3, FALSE)"
        ),
        format!(
            "INSERT INTO users (id, github_id, login, created_at, invited) VALUES ({new_bob}, 9, 'Bob', 4, FALSE)"
        ),
        format!(
            "INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ({fernside}, {owner}, 'owner', 1)"
        ),
        format!(
            "INSERT INTO memberships (organization_id, user_id, role, created_at, invited_by) VALUES ({fernside}, {guest}, 'admin', 5, {owner})"
        ),
        format!(
            "INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ({tidewell}, {guest}, 'viewer', 6)"
        ),
    ] {
        database.execute_unprepared(&statement).await.unwrap();
    }
    Migrator::up(&database, None).await.unwrap();
    check(&database).await;
}

async fn check(database: &DatabaseConnection) {
    let invitations = invitation::Entity::find()
        .order_by_asc(invitation::Column::CreatedAt)
        .all(database)
        .await
        .unwrap();
    let seen: Vec<_> = invitations
        .iter()
        .map(|row| {
            (
                Uuid::from(row.organization_id).as_u128(),
                &*row.login,
                row.role,
                row.created_at.as_millis(),
            )
        })
        .collect();
    assert_eq!(seen, [(1, "Guest", Role::Admin, 5), (2, "Guest", Role::Viewer, 6)]);
    assert_eq!(invitations[0].invited_by, Some(Uuid::from_u128(3).into()));
    assert_eq!(invitations[1].invited_by, None);
    let members = membership::Entity::find().all(database).await.unwrap();
    assert_eq!(members.len(), 1, "the owner");
    let people = user::Entity::find().all(database).await.unwrap();
    assert_eq!(people.len(), 3, "an invited person is none any more");
    let holders = user::Entity::find().filter(user::Column::HoldsLogin.eq(true));
    let holders = holders.order_by_asc(user::Column::CreatedAt).all(database).await.unwrap();
    let logins: Vec<&str> = holders.iter().map(|person| &*person.login).collect();
    assert_eq!(logins, ["ada", "Bob"], "the one who came last has the login");
}

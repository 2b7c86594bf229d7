//! Signing in: who the person is, whether they may, and the session that begins.

use std::net::IpAddr;

use latchkey_domain::id::{SessionId, UserId};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};

use super::first_sign_in::create_workspace;
use super::sessions::issue_refresh_token;
use crate::entity::{session, user};
use crate::error::Error;
use crate::services::{Services, Signup};

/// What GitHub says of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubIdentity {
    /// GitHub's own id. It stays when the login changes.
    pub id: i64,
    /// The login.
    pub login: String,
    /// The name, if there is one.
    pub name: Option<String>,
    /// Where the picture is.
    pub avatar_url: Option<String>,
}

/// Where a person signs in from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

struct Person {
    github_id: Option<i64>,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

/// Signs in the person that GitHub named; their first sign-in makes their organization, a project and an
/// application. Returns the session's first refresh token.
///
/// # Errors
/// `NotInvited` if this instance takes only invited people and they are not.
pub async fn sign_in_with_github(
    services: &Services,
    identity: GithubIdentity,
    device: &Device,
) -> Result<String, Error> {
    let person = Person {
        github_id: Some(identity.id),
        login: identity.login,
        name: identity.name,
        avatar_url: identity.avatar_url,
    };
    sign_in(services, &person, device).await
}

/// Signs in the local developer. The caller has made sure that this server has no GitHub credentials and is
/// bound to loopback.
///
/// # Errors
/// The database fails.
pub async fn sign_in_local(services: &Services, device: &Device) -> Result<String, Error> {
    let person = Person {
        github_id: None,
        login: "local".to_owned(),
        name: Some("Local developer".to_owned()),
        avatar_url: None,
    };
    sign_in(services, &person, device).await
}

async fn sign_in(services: &Services, person: &Person, device: &Device) -> Result<String, Error> {
    match try_sign_in(services, person, device).await {
        // Two first sign-ins at once: the other one made the person, so this one finds them.
        Err(Error::Database(cause)) if is_unique_violation(&cause) => {
            try_sign_in(services, person, device).await
        }
        result => result,
    }
}

async fn try_sign_in(
    services: &Services,
    person: &Person,
    device: &Device,
) -> Result<String, Error> {
    let transaction = services.database.begin().await?;
    let same = match person.github_id {
        Some(id) => user::Column::GithubId.eq(id),
        None => user::Column::GithubId.is_null(),
    };
    let known = user::Entity::find().filter(same).one(&transaction).await?;
    let user = match known {
        Some(known) => update_profile(&transaction, known, person).await?,
        None => create_user(services, &transaction, person).await?,
    };
    let token = begin_session(services, &transaction, user, device).await?;
    transaction.commit().await?;
    Ok(token)
}

/// GitHub's word on login, name and picture is newer than ours.
async fn update_profile(
    database: &impl ConnectionTrait,
    known: user::Model,
    person: &Person,
) -> Result<UserId, Error> {
    let id = known.id.into();
    let same = known.login == person.login
        && known.name == person.name
        && known.avatar_url == person.avatar_url;
    if !same {
        let mut row: user::ActiveModel = known.into();
        row.login = Set(person.login.clone());
        row.name = Set(person.name.clone());
        row.avatar_url = Set(person.avatar_url.clone());
        row.update(database).await?;
    }
    Ok(id)
}

async fn create_user(
    services: &Services,
    database: &impl ConnectionTrait,
    person: &Person,
) -> Result<UserId, Error> {
    let local = person.github_id.is_none();
    if services.settings.signup == Signup::Invited
        && !local
        && !is_administrator(services, &person.login)
    {
        return Err(Error::NotInvited);
    }
    let now = services.clock.now();
    let id = UserId::new(now, services.random.bytes());
    let row = user::ActiveModel {
        id: Set(id.as_uuid()),
        github_id: Set(person.github_id),
        login: Set(person.login.clone()),
        name: Set(person.name.clone()),
        avatar_url: Set(person.avatar_url.clone()),
        created_at: Set(now.as_millis()),
    };
    user::Entity::insert(row).exec_without_returning(database).await?;
    let organization = person.name.as_deref().unwrap_or(&person.login);
    create_workspace(services, database, id, organization).await?;
    Ok(id)
}

async fn begin_session(
    services: &Services,
    database: &impl ConnectionTrait,
    user: UserId,
    device: &Device,
) -> Result<String, Error> {
    /// A browser's own name is short; what is longer is not one.
    const USER_AGENT_CHARACTERS: usize = 256;
    let now = services.clock.now();
    let id = SessionId::new(now, services.random.bytes());
    let user_agent = device.user_agent.as_deref();
    let row = session::ActiveModel {
        id: Set(id.as_uuid()),
        user_id: Set(user.as_uuid()),
        created_at: Set(now.as_millis()),
        last_seen_at: Set(now.as_millis()),
        expires_at: Set((now + services.settings.refresh_token_ttl).as_millis()),
        ended_at: Set(None),
        ip: Set(device.ip.map(|ip| ip.to_string())),
        user_agent: Set(user_agent.map(|name| name.chars().take(USER_AGENT_CHARACTERS).collect())),
    };
    session::Entity::insert(row).exec_without_returning(database).await?;
    issue_refresh_token(services, database, id).await
}

/// Whether `login` is one of the administrators that the operator named. GitHub logins ignore case.
pub(super) fn is_administrator(services: &Services, login: &str) -> bool {
    services.settings.administrators.iter().any(|name| name.eq_ignore_ascii_case(login))
}

fn is_unique_violation(error: &sea_orm::DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

//! Sign-in: identifies the person, checks that they may sign in, and starts a session.

use latchkey_domain::id::{SessionId, UserId};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};

use super::administrator_logins::{self, is_administrator};
use super::device::Device;
use super::first_sign_in::create_workspace;
use super::session_limit;
use super::sessions::{self, issue_refresh_token};
use crate::audit::By;
use crate::error::Error;
use crate::members;
use crate::retry::retried;
use crate::services::{Services, Signup};
use latchkey_store::database::OnBehalfOf;
use latchkey_store::entity::{session, user};

/// A person's identity as GitHub returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubIdentity {
    /// GitHub's numeric id. It survives a change of the login.
    pub id: i64,
    /// GitHub login in its original case.
    pub login: String,
    /// Display name, if the person has set one.
    pub name: Option<String>,
    /// The picture at GitHub, as an absolute URL.
    pub avatar_url: Option<String>,
}

pub(super) struct SignInIdentity {
    pub(super) github_id: Option<i64>,
    pub(super) login: String,
    pub(super) name: Option<String>,
    pub(super) avatar_url: Option<String>,
}

/// Signs in the person that GitHub identified. A first sign-in creates their organization, a
/// project and an application. Returns the session's first refresh token.
///
/// # Errors
/// `NotInvited` if this instance admits only invited people and this person is not.
pub async fn sign_in_with_github(
    services: &Services,
    identity: GithubIdentity,
    device: &Device,
) -> Result<String, Error> {
    let person = SignInIdentity {
        github_id: Some(identity.id),
        login: identity.login,
        name: identity.name,
        avatar_url: identity.avatar_url,
    };
    sign_in(services, &person, device).await
}

pub(super) async fn sign_in(
    services: &Services,
    person: &SignInIdentity,
    device: &Device,
) -> Result<String, Error> {
    match try_sign_in(services, person, device).await {
        // Of two concurrent first sign-ins, the other one created the person. The retry finds them.
        Err(Error::Store(cause)) if cause.is_unique_violation() => {
            try_sign_in(services, person, device).await
        }
        result => result,
    }
}

async fn try_sign_in(
    services: &Services,
    person: &SignInIdentity,
    device: &Device,
) -> Result<String, Error> {
    retried(services, || try_sign_in_once(services, person, device)).await
}

async fn try_sign_in_once(
    services: &Services,
    person: &SignInIdentity,
    device: &Device,
) -> Result<String, Error> {
    let who = OnBehalfOf::SignIn(person.github_id);
    let transaction = services.database.begin_for(who).await?;
    if let Some(id) = person.github_id {
        administrator_logins::bind(services, &transaction, id, &person.login).await?;
    }
    let same = match person.github_id {
        Some(id) => user::Column::GithubId.eq(id),
        None => user::Column::GithubId.is_null(),
    };
    let known = user::Entity::find().filter(same).one(&transaction).await?;
    let user = if let Some(known) = known {
        session_limit::evict_oldest(services, &transaction, known.id).await?;
        update_profile(&transaction, known, person).await?
    } else {
        let user = create_user(services, &transaction, person).await?;
        let by = By::person(user, &person.login, device.ip);
        let name = person.name.as_deref().unwrap_or(&person.login);
        create_workspace(services, &transaction, user, &by, name).await?;
        user
    };
    let token = begin_session(services, &transaction, user, device).await?;
    transaction.commit().await?;
    Ok(token)
}

/// Updates login, name and avatar to GitHub's current values.
async fn update_profile(
    database: &impl ConnectionTrait,
    known: user::Model,
    person: &SignInIdentity,
) -> Result<UserId, Error> {
    let id = known.id;
    if known.login != person.login || !known.holds_login {
        claim_login(database, id, person).await?;
    }
    let same = known.login == person.login
        && known.name == person.name
        && known.avatar_url == person.avatar_url
        && known.holds_login;
    if !same {
        let mut row: user::ActiveModel = known.into();
        row.login = Set(person.login.clone());
        row.name = Set(person.name.clone());
        row.avatar_url = Set(person.avatar_url.clone());
        row.holds_login = Set(true);
        row.update(database).await?;
    }
    Ok(id)
}

/// Takes a login away from its previous holder, because on GitHub it now belongs to this person.
/// Whatever is addressed to the login, such as an invitation, is no longer the previous holder's.
async fn claim_login(
    database: &impl ConnectionTrait,
    id: UserId,
    person: &SignInIdentity,
) -> Result<(), Error> {
    if person.github_id.is_none() {
        return Ok(());
    }
    let login = Expr::expr(Func::lower(Expr::col(user::Column::Login)));
    user::Entity::update_many()
        .col_expr(user::Column::HoldsLogin, Expr::value(false))
        .filter(login.eq(person.login.to_ascii_lowercase()))
        .filter(user::Column::HoldsLogin.eq(true))
        .filter(user::Column::GithubId.is_not_null())
        .filter(user::Column::Id.ne(id))
        .exec(database)
        .await?;
    Ok(())
}

async fn create_user(
    services: &Services,
    database: &impl ConnectionTrait,
    person: &SignInIdentity,
) -> Result<UserId, Error> {
    if services.settings.signup == Signup::Invited
        && let Some(id) = person.github_id
        && !is_administrator(services, database, id).await?
        && !members::is_invited(database, &person.login).await?
    {
        return Err(Error::NotInvited);
    }
    let now = services.clock.now();
    let id = UserId::new(now, services.random.bytes());
    claim_login(database, id, person).await?;
    let row = user::ActiveModel {
        id: Set(id),
        github_id: Set(person.github_id),
        login: Set(person.login.clone()),
        name: Set(person.name.clone()),
        avatar_url: Set(person.avatar_url.clone()),
        created_at: Set(now),
        holds_login: Set(true),
    };
    user::Entity::insert(row).exec_without_returning(database).await?;
    Ok(id)
}

async fn begin_session(
    services: &Services,
    database: &impl ConnectionTrait,
    user: UserId,
    device: &Device,
) -> Result<String, Error> {
    let now = services.clock.now();
    let id = SessionId::new(now, services.random.bytes());
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(sessions::expiry(services, now, now)),
        ended_at: Set(None),
        ip: Set(device.ip.map(|ip| ip.to_string())),
        user_agent: Set(device.user_agent()),
        end_reason: Set(None),
    };
    session::Entity::insert(row).exec_without_returning(database).await?;
    issue_refresh_token(services, database, id, now).await
}

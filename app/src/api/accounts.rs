//! The signed-in user and their sessions.

use latchkey_domain::api::{Me, Session, SignInEntry};
use latchkey_domain::id::SessionId;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::server_function::server_function;

server_function! {
    /// Get the current user.
    #[endpoint("me")]
    pub async fn get_me() -> Me {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::me(&services, &actor).await?)
    }
}

server_function! {
    /// List your active sessions.
    #[endpoint("sessions/list")]
    pub async fn list_sessions() -> Vec<Session> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::list_sessions(&services, &actor).await?)
    }
}

server_function! {
    /// List your past sign-ins.
    #[endpoint("sessions/sign-ins")]
    pub async fn list_sign_ins() -> Vec<SignInEntry> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::list_sign_ins(&services, &actor).await?)
    }
}

server_function! {
    /// End one of your sessions.
    #[endpoint("sessions/end", refuses = [NotFound])]
    pub async fn end_session(
        /// The session to end.
        session_id: SessionId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::end_own_session(&services, &actor, session_id).await?)
    }
}

server_function! {
    /// End all of your other sessions.
    #[endpoint("sessions/end-others")]
    pub async fn end_other_sessions() -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::end_other_sessions(&services, &actor).await?)
    }
}

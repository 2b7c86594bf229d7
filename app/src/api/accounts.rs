//! The signed-in user and their sessions.

use latchkey_domain::api::{Me, Session, SignInEntry};
use latchkey_domain::id::SessionId;

#[cfg(feature = "ssr")]
use super::caller::caller;
use super::server_function::server_function;

server_function! {
    #[endpoint("me", summary = "Get the current user")]
    pub async fn get_me() -> Me {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::me(&services, &actor).await?)
    }
}

server_function! {
    #[endpoint("sessions/list", summary = "List your active sessions")]
    pub async fn list_sessions() -> Vec<Session> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::list_sessions(&services, &actor).await?)
    }
}

server_function! {
    #[endpoint("sessions/sign-ins", summary = "List your past sign-ins")]
    pub async fn list_sign_ins() -> Vec<SignInEntry> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::list_sign_ins(&services, &actor).await?)
    }
}

server_function! {
    #[endpoint("sessions/end", summary = "End one of your sessions", refuses = [NotFound])]
    pub async fn end_session(
        /// The session to end.
        session_id: SessionId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::end_own_session(&services, &actor, session_id).await?)
    }
}

server_function! {
    #[endpoint("sessions/end-others", summary = "End all of your other sessions")]
    pub async fn end_other_sessions() -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::accounts::end_other_sessions(&services, &actor).await?)
    }
}

//! Refusals in the API's description, as types that an endpoint lists next to its success.
//!
//! The same refusals come from many endpoints, with the same words. A set stands here if several
//! endpoints have it, and beside its only endpoint otherwise; both are made by [`refusals!`].

use std::collections::BTreeMap;
use std::marker::PhantomData;

use latchkey_domain::api::{ApiKey, Application, Invitation, Member, Organization, Project};
use utoipa::IntoResponses;
use utoipa::openapi::{Content, Ref, RefOr, Response};

/// Responses by status, as utoipa has them.
pub(crate) type ResponseMap = BTreeMap<String, RefOr<Response>>;

/// Responses with a problem for a body.
pub(crate) fn problems<const N: usize>(rows: [(u16, &str); N]) -> ResponseMap {
    let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
    let response = |description| {
        Response::builder().description(description).content("application/json", problem()).build()
    };
    rows.into_iter()
        .map(|(status, description)| (status.to_string(), response(description).into()))
        .collect()
}

/// Declares sets of refusals: for each status its error codes and when they come.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $description:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> $crate::http::responses::ResponseMap {
                $crate::http::responses::problems([$(($status, $description)),+])
            }
        }
    )+};
}
pub(crate) use refusals;

/// What belongs to a tenant, under the name that the descriptions have for it.
pub(crate) trait TenantResource {
    const NAME: &'static str;
}

macro_rules! resources {
    ($($resource:ident: $name:literal),+ $(,)?) => {
        $(impl TenantResource for $resource { const NAME: &'static str = $name; })+
    };
}

resources! {
    ApiKey: "key",
    Application: "application",
    Invitation: "invitation",
    Member: "member",
    Organization: "organization",
    Project: "project",
}

/// The resource is out of the caller's reach.
pub(crate) struct NotFound<R>(PhantomData<R>);

impl<R: TenantResource> IntoResponses for NotFound<R> {
    fn responses() -> ResponseMap {
        let name = R::NAME;
        let description =
            format!("`not_found`: the {name} does not exist or belongs to another tenant");
        problems([(404, &description)])
    }
}

/// The caller is nobody, or the resource is out of their reach.
pub(crate) struct NoAccess<R>(PhantomData<R>);

impl<R: TenantResource> IntoResponses for NoAccess<R> {
    fn responses() -> ResponseMap {
        Unauthenticated::responses().into_iter().chain(NotFound::<R>::responses()).collect()
    }
}

refusals! {
    /// A person has to be signed in.
    Unauthenticated { 401: "`unauthenticated`" }

    /// A person has to be signed in, or a service key to be good.
    NoCaller { 401: "`unauthenticated`, or the reason why the service key was denied" }

    /// The caller may not read or change these keys, or is nobody.
    NoKeyAccess {
        401: "`unauthenticated`, or the reason why the service key was denied",
        403: "`forbidden`",
        404: "`not_found`: the resource does not exist or belongs to another tenant",
    }

    /// The caller's role only reads.
    IsViewer { 403: "`forbidden`: the caller is a viewer" }

    /// The caller's role does not manage the organization.
    IsNotAdmin { 403: "`forbidden`: the caller is not an owner or admin" }

    /// Only people have organizations and invitations.
    IsServiceKey { 403: "`forbidden`: the caller is a service key" }

    /// The body is not JSON.
    Malformed { 400: "`malformed`" }

    /// A value of the request is out of bounds.
    Invalid { 422: "`invalid`" }

    /// A value is out of bounds, or the idempotency key came with another request.
    InvalidOrMismatched { 422: "`invalid`, `idempotency_mismatch`" }

    /// The project has as many keys as it may have, or one of that name.
    KeyNotCreated { 409: "`name_taken`, `tier_limit_reached`, `idempotency_replay`" }
}

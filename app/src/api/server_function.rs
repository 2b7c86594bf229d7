//! Declares a server function: its path, what it refuses, its signature and its body, all in one
//! place. Leptos registers the function with the server; beside that it is registered with what
//! `/openapi/dashboard.json` says about it, so that no second list has to be kept.

#[cfg(feature = "ssr")]
use latchkey_domain::problem::ErrorCode;
#[cfg(feature = "ssr")]
use leptos::server_fn::inventory;
#[cfg(feature = "ssr")]
use utoipa::openapi::RefOr;
#[cfg(feature = "ssr")]
use utoipa::openapi::schema::Schema;
#[cfg(feature = "ssr")]
use utoipa::{PartialSchema, ToSchema};

/// A server function, as the API's description shows it.
#[cfg(feature = "ssr")]
#[derive(Debug)]
pub struct ServerFunction {
    /// The whole path, `/api/…`.
    pub path: &'static str,
    /// What it does, as an imperative: “Create a key”.
    pub summary: &'static str,
    /// Codes of its refusals, beside those that every call may get.
    pub refuses: &'static [ErrorCode],
    /// An object with one property per argument.
    pub arguments: BodySchema,
    /// An object with one property, whose schema is that of the response.
    pub response: BodySchema,
}

/// The schema of a JSON body.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy)]
pub struct BodySchema {
    /// The schema itself.
    pub schema: fn() -> RefOr<Schema>,
    /// Adds the types that it refers to, by name.
    pub components: fn(&mut Vec<(String, RefOr<Schema>)>),
}

#[cfg(feature = "ssr")]
impl BodySchema {
    pub(super) const fn of<T: ToSchema>() -> Self {
        Self { schema: <T as PartialSchema>::schema, components: T::schemas }
    }
}

#[cfg(feature = "ssr")]
inventory::collect!(ServerFunction);

/// Every server function, in no particular order.
#[cfg(feature = "ssr")]
pub fn server_functions() -> impl Iterator<Item = &'static ServerFunction> {
    inventory::iter::<ServerFunction>.into_iter()
}

/// Takes a function as it would be written with `#[server]`. `summary` is its doc comment, and its
/// summary in the API's description. `refuses` are codes of [`latchkey_domain::problem`].
macro_rules! server_function {
    (
        #[endpoint($path:literal, summary = $summary:literal $(, refuses = [$($code:ident),*])? $(,)?)]
        pub async fn $function:ident(
            $($(#[doc = $about:literal])* $argument:ident: $kind:ty),* $(,)?
        ) -> $response:ty {
            $($body:tt)*
        }
    ) => {
        #[doc = $summary]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = "See [`crate::api::ApiError`]."]
        #[::leptos::server(
            prefix = "/api",
            endpoint = $path,
            input = crate::api::Body,
            output = crate::api::Body,
            client = crate::data::bearer::Bearer
        )]
        pub async fn $function(
            $($(#[doc = $about])* $argument: $kind),*
        ) -> Result<$response, crate::api::ApiError> {
            $($body)*
        }

        #[cfg(feature = "ssr")]
        const _: () = {
            use crate::api::server_function::{BodySchema, ServerFunction};

            #[derive(::utoipa::ToSchema)]
            struct ArgumentsSchema {
                $($argument: $kind),*
            }

            #[derive(::utoipa::ToSchema)]
            struct ResponseSchema {
                answer: $response,
            }

            // Nothing else reads the fields: only the schemas are used.
            const _: fn(ArgumentsSchema, ResponseSchema) =
                |ArgumentsSchema { $($argument),* }, ResponseSchema { answer }| {
                    _ = ($($argument,)* answer,);
                };

            ::leptos::server_fn::inventory::submit! {
                ServerFunction {
                    path: concat!("/api/", $path),
                    summary: $summary,
                    refuses: &[$($(::latchkey_domain::problem::ErrorCode::$code),*)?],
                    arguments: BodySchema::of::<ArgumentsSchema>(),
                    response: BodySchema::of::<ResponseSchema>(),
                }
            }
        };
    };
}

pub(super) use server_function;

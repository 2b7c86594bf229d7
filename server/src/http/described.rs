//! A router with its OpenAPI description, which keeps every schema that its routes add.
//!
//! OpenAPI components have one schema per name: if two types share a name, one silently replaces
//! the other. The kept schemas let a test find such types.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::Route;
use tower::{Layer, Service};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::state::AppState;

/// A schema as a route brings it.
pub(crate) type Named = (String, RefOr<Schema>);

/// Routes, their description, and the schemas in it.
#[derive(Default)]
pub(crate) struct DescribedRouter {
    router: OpenApiRouter<AppState>,
    schemas: Vec<Named>,
}

impl DescribedRouter {
    /// Without routes, in a description that has begun.
    pub(crate) fn with_openapi(document: OpenApi) -> Self {
        Self { router: OpenApiRouter::with_openapi(document), schemas: Vec::new() }
    }

    /// With these routes too.
    pub(crate) fn routes(mut self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.schemas.extend(routes.0.iter().cloned());
        Self { router: self.router.routes(routes), ..self }
    }

    /// With a layer around the routes that there are.
    pub(crate) fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Error: Into<Infallible>> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Self { router: self.router.layer(layer), ..self }
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.schemas.extend(other.schemas);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// The routes, their description, and every schema that was brought.
    pub(crate) fn split(self) -> (Router<AppState>, OpenApi, Vec<Named>) {
        let (router, document) = self.router.split_for_parts();
        (router, document, self.schemas)
    }
}

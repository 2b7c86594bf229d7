//! Endpoints, laid out as their URLs are.

mod api_keys;
mod audit;
mod authorization;
mod budget_events;
mod check;
mod clients;
mod cors;
mod foreign_keys;
mod gateway;
mod import;
pub(crate) mod ingest;
mod invitations;
mod key_view;
pub(crate) mod keys;
mod levels;
pub(crate) mod members;
mod oauth;
mod openapi;
mod pages;
mod plan_limits;
mod sessions;
mod tenancy;
pub(crate) mod usage;
mod workspace;

//! Latchkey's pages.
//!
//! The server renders the layout, headings and skeletons. Only the browser has the access token, so
//! data is loaded after hydration, through the server functions of [`api`].

#![expect(unreachable_pub, reason = "Leptos’ component macro makes every component public")]

pub mod api;
pub mod components;
pub mod context;
pub mod data;
pub mod keys;
pub mod layout;
mod lazy;
pub mod pages;
mod routes;
pub mod shell;
pub mod theme;

#[cfg(feature = "ssr")]
pub use context::UpstreamReports;
pub use context::{ClientAddress, PublicUrl, RequestId, SignIn, SiteAssets, ThemeChoice};
pub use routes::App;
pub use shell::shell;

//! How pages get their data: the session and its requests, lists that are loaded page by page, and
//! values that are polled.

pub(crate) mod bearer;
pub(crate) mod fetch;
pub mod list_rows;
pub mod paged_list;
pub mod polled_query;
pub mod polling;
pub(crate) mod save;
pub mod session;
pub(crate) mod upload;
pub mod url_filter;

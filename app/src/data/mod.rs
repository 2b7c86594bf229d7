//! How data comes to the page: the session and the requests that it is sent with, lists that are
//! read page by page, and values that are asked for again while somebody looks.

pub(crate) mod bearer;
pub(crate) mod fetch;
pub mod list_rows;
pub mod paged_list;
pub mod polled_query;
pub mod polling;
pub mod session;
pub mod url_filter;

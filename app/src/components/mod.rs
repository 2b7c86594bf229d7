//! Components that know of lists and of calls to the server. The others are in the crate
//! `latchkey-ui`.

pub mod attribute_filter;
pub mod budget_fields;
pub mod budget_form;
pub mod budget_list;
pub mod count;
pub mod error_state;
pub mod form;
pub mod import_words;
pub mod limit_rows;
pub mod list_view;
pub mod load_more;
pub mod rate_fields;

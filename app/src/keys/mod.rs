//! Tables of keys, and the dialogs that create, edit, rotate, revoke and archive them. Several
//! pages show them.

pub mod actions;
pub mod activity;
pub mod archive;
pub mod attribute_fields;
pub mod attribute_form;
pub mod attribute_view;
pub mod cells;
pub mod create;
pub mod create_service;
pub mod created;
pub mod details;
pub mod dialogs;
pub mod disable;
pub mod edit;
pub mod fields;
pub mod first_key;
pub mod form;
pub mod forward_auth;
pub mod gateway_call;
pub mod inference_row;
pub mod labels;
pub mod limit_fields;
pub mod limit_form;
pub mod limit_reached;
pub mod metadata;
pub mod model_chips;
pub mod page_state;
pub mod permissions;
pub mod revoke;
pub mod rotate;
pub mod row;
#[cfg(test)]
pub(crate) mod sample;
pub mod scope;
pub mod service_call;
pub mod summary;
pub mod table;

pub use dialogs::KeyDialogs;
pub use page_state::KeysPageState;
pub use scope::KeyScope;

//! Components that know how a call to the server fails. The others are in the crate `latchkey-ui`.

pub mod error_state;
pub mod form;
pub mod frame;

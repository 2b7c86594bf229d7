//! Keys that another system has made, and their stored forms.
//!
//! Their texts have no checksum, and what is stored of them was digested by the other system. So
//! they are looked up in another way than ours, until their first use gives them our own digest.

mod digest;
pub(crate) mod seal;

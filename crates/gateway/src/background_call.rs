//! What a call in progress knows of a response that its upstream makes in the background.

use latchkey_checker::CallSlot;

/// A response that goes on when the connection has ended.
#[derive(Default)]
pub(super) struct BackgroundCall {
    /// Its ID and the name of its upstream, once they are known.
    pub(super) place: Option<(String, String)>,
    /// Whether it has ended, as far as its own answer tells.
    pub(super) has_ended: bool,
    /// The slot of the call, which is held until the connection ends.
    pub(super) _slot: Option<CallSlot>,
}
